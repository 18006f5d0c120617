package histories_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	stdslog "log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/pebble"
)

var seedFlag = flag.Uint64("histories.seed", 0, "seed of the callers' calls; 0 draws one")

// atATime is how many transactions are raced on at the same time.
const atATime = 4

// figures are what was counted with one journal.
type figures struct {
	Transactions int            `json:"transactions"`
	Operations   int            `json:"operations"`
	Unanswered   int            `json:"operations_whose_caller_went_away"`
	Outcomes     map[string]int `json:"transactions_by_outcome"`
	Wrong        int            `json:"histories_that_no_order_explains"`
}

// The histories of the coordinator are linearizable.
func TestHistories(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	n := 1
	if proof.Wanted() {
		n = 50
	}
	all := struct {
		Seed   uint64   `json:"seed"`
		Memory *figures `json:"with_the_journal_in_memory"`
		Pebble *figures `json:"with_the_journal_on_disk"`
	}{Seed: seed}
	t.Run("memory", func(t *testing.T) {
		all.Memory = checkHistories(t, journal.Memory(), seed, n*600)
	})
	t.Run("pebble", func(t *testing.T) {
		j, err := pebble.Open(filepath.Join(t.TempDir(), "journal"), nil)
		if err != nil {
			t.Fatal(err)
		}
		all.Pebble = checkHistories(t, j, seed, n*100)
	})
	proof.Note(t, "histories", all)
}

func checkHistories(t *testing.T, j journal.Journal, seed uint64, n int) *figures {
	c := open(t, j)
	f := &figures{Outcomes: make(map[string]int)}
	racing(c, c, seed, n, func(r *race) bool {
		f.add(r)
		wrong := r.wrong()
		if wrong != "" {
			f.Wrong++
			t.Errorf("%s\nthe same calls again: go test ./internal/histories -run '^%s$' -count=1 -histories.seed=%d", wrong, t.Name(), seed)
		}
		return wrong == ""
	})
	return f
}

func (f *figures) add(r *race) {
	f.Transactions++
	f.Operations += len(r.history)
	for _, o := range r.history {
		if o.Output.(output).said == nothing {
			f.Unanswered++
		}
	}
	last := slices.IndexFunc(r.history, func(o porcupine.Operation) bool {
		return o.ClientId == callers && o.Input.(input).op == outcome
	})
	f.Outcomes[r.history[last].Output.(output).phase.String()]++
}

func open(t *testing.T, j journal.Journal) *dtc.Coordinator {
	t.Helper()
	c, err := dtc.Open(quietSystem(), dtc.Config{Journal: j, MaxParticipants: maxParticipants, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

var (
	background = context.Background()
	quiet      = slog.New(slog.NewTextHandler(io.Discard, nil))
)

// quietSystem is an actor system that logs nothing.
func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.NewTextHandler(io.Discard, nil))
	}))
}

// racing races on n transactions, a few at a time, and hands over each as it is
// over, one at a time, until it hears false.
func racing(c *dtc.Coordinator, f facade, seed uint64, n int, over func(*race) bool) {
	all := newMembers()
	var mu sync.Mutex
	var racers sync.WaitGroup
	stopped := false
	for i := range atATime {
		racers.Go(func() {
			for ; i < n; i += atATime {
				r := &race{facade: f, members: &all, id: uuid.Must(uuid.NewV7())}
				r.run(seed + uint64(i))
				r.strange = append(r.strange, finished(c, r.id))
				r.effects()
				mu.Lock()
				stopped = stopped || !over(r)
				stop := stopped
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	racers.Wait()
}

// finished waits until every participant has been told.
func finished(c *dtc.Coordinator, id uuid.UUID) error {
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	for {
		d, err := c.Inspect(ctx, id)
		if err != nil || !d.Finished.IsZero() {
			return err
		}
		<-time.After(100 * time.Microsecond)
	}
}

// wrong says what is wrong with a history; empty for nothing.
func (r *race) wrong() string {
	for _, err := range r.strange {
		if err != nil {
			return fmt.Sprintf("%s: an answer that the contract does not know: %v", r.id, err)
		}
	}
	if porcupine.CheckOperations(model, r.history) {
		return ""
	}
	text := fmt.Sprintf("%s: no order explains these answers:\n", r.id)
	slices.SortFunc(r.history, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	for _, o := range r.history {
		until := fmt.Sprint(o.Return)
		if o.Return == math.MaxInt64 {
			until = "ever"
		}
		text += fmt.Sprintf("%3d to %4s  caller %d  %+v: %+v\n", o.Call, until, o.ClientId, o.Input, o.Output)
	}
	return text
}
