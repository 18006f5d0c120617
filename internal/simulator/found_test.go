package simulator_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// What the simulator has found, shown on the real coordinator.

// lasting is a journal that lasts, as far as a coordinator can tell, and that
// goes through gate before it writes.
type lasting struct {
	journal.Journal
	gate func(journal.Batch)
}

func (l lasting) Lasts() bool { return true }

func (l lasting) Append(b journal.Batch) error {
	if l.gate != nil {
		l.gate(b)
	}
	return l.Journal.Append(b)
}

// notes is a participant that notes its calls.
type notes struct {
	name string
	mu   sync.Mutex
	said []string
}

func (n *notes) note(s string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.said = append(n.said, s)
	return nil
}

func (n *notes) calls() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.said...)
}

func (n *notes) Name() string                                       { return n.name }
func (n *notes) Prepare(context.Context, participant.Branch) error  { return n.note("prepare") }
func (n *notes) Commit(context.Context, participant.Branch) error   { return n.note("commit") }
func (n *notes) Rollback(context.Context, participant.Branch) error { return n.note("rollback") }

// open opens a coordinator in a bubble.
func open(t *testing.T, config dtc.Config) *dtc.Coordinator {
	t.Helper()
	c, err := dtc.Open(actor.NewActorSystem(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestDurableEnlistIsAnswered: the transaction is rolled back, and everybody has
// acknowledged, before the record of an enlistment is on disk. The caller of
// Enlist hears of it all the same.
func TestDurableEnlistIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, held := make(chan struct{}), make(chan struct{})
		writes := 0
		j := lasting{journal.Memory(), func(b journal.Batch) {
			if len(b.Writes) > 0 && b.Writes[0].Put != nil {
				if writes++; writes == 1 {
					close(held)
					<-hold
				}
			}
		}}
		c := open(t, dtc.Config{Journal: j})
		id, err := c.Begin(t.Context(), &dtc.TxOptions{Durable: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		enlisted := make(chan error, 1)
		go func() { enlisted <- c.Enlist(ctx, id, &notes{name: "a"}, nil) }()
		<-held
		if err := c.Rollback(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		close(hold)
		if err := <-enlisted; errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Enlist of a transaction that is rolled back meanwhile is never answered: %v", err)
		}
	})
}

// late lets somebody else commit a transaction with no participant, and has one
// posted to it at the last moment: behind the request to commit.
func late(t *testing.T) (c *dtc.Coordinator, id uuid.UUID, p *notes, err error) {
	p = &notes{name: "late"}
	var tx *dtc.Tx
	c = open(t, dtc.Config{OnEvent: func(e dtc.Event) {
		if e.Kind == dtc.EventCommitAsked && tx != nil {
			if err := tx.Enlist(t.Context(), p, nil); err != nil {
				t.Errorf("Enlist: %v", err)
			}
			tx = nil
		}
	}})
	if err := c.Register(p); err != nil {
		t.Fatal(err)
	}
	err = c.Run(t.Context(), nil, func(running *dtc.Tx) error {
		tx, id = running, running.ID()
		return c.Commit(t.Context(), id)
	})
	return c, id, p, err
}

// TestRunTellsWhatCameTooLate: Run never claims to have committed what was rolled
// back.
func TestRunTellsWhatCameTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, p, err := late(t)
		synctest.Wait()
		if calls := p.calls(); err == nil && len(calls) > 0 && calls[0] == "rollback" {
			t.Errorf("Run answers nil, and its participant was told %v", calls)
		}
	})
}

// TestLateEnlistmentEnds: a transaction that is given work again while it leaves
// memory ends all the same.
func TestLateEnlistmentEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, id, _, _ := late(t)
		time.Sleep(time.Hour)
		d, err := c.Inspect(t.Context(), id)
		if err != nil || d.State != "committed" {
			t.Errorf("an hour later the transaction is %s: %v", d.State, err)
		}
	})
}
