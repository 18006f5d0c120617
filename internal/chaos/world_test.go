package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdslog "log/slog"
	"sync"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
)

var background = context.Background()

// world is a coordinator with participants of every kind, in virtual time, and
// all that was asked of it.
type world struct {
	t       *testing.T
	replay  string // what plays it again
	strike  *strike
	system  *actor.ActorSystem
	open    func() journal.Journal
	clerks  []*clerk
	members []participant.Participant
	// spokesman is the actor of one of them.
	spokesman spokesman
	*dtc.Coordinator
	starts int

	mu    sync.Mutex
	tales []*tale
}

// tale is what the application knows of one transaction.
type tale struct {
	id       uuid.UUID
	enlisted []*clerk
	calm     bool // nothing but the strike can keep it from being committed
	told     error
	asked    bool // to commit
	fates    []string
}

// fate notes what befalls a transaction beside the strike.
func (a *tale) fate(what string) { a.fates = append(a.fates, what) }

const slots = 24

// journals are the kinds of journal that a coordinator can have.
var journals = map[string]func(*testing.T, *strike) func() journal.Journal{
	"memory": func(*testing.T, *strike) func() journal.Journal {
		return nil
	},
	"lasting": func(_ *testing.T, s *strike) func() journal.Journal {
		kept := lasting{journal.Memory()}
		return func() journal.Journal { return &struckJournal{kept, s} }
	},
	"pebble": func(t *testing.T, s *strike) func() journal.Journal {
		fs := vfs.NewMem()
		return func() journal.Journal {
			j, err := pebble.Open("journal", &pebble.Options{FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			return &struckJournal{j, s}
		}
	},
}

func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.NewTextHandler(io.Discard, nil))
	}))
}

func (w *world) errorf(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("%s: %s", w.replay, fmt.Sprintf(format, args...))
}

func (w *world) config(j journal.Journal) dtc.Config {
	c := dtc.Config{
		Name: "chaos", Journal: j, MaxTransactions: slots, WaitForSlot: true, MaxHistory: 10_000,
		Participants: w.members, Logger: slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1})),
	}
	if w.strike != nil {
		c.OnEvent, c.Logger = w.strike.listen, slog.New(handler{w.strike})
	}
	return c
}

// begin makes a world.
func begin(t *testing.T, kind, replay string, s *strike) *world {
	w := &world{t: t, replay: replay, strike: s, system: quietSystem(), open: journals[kind](t, s)}
	add := func(kind func(*clerk) participant.Participant) {
		c := newClerk(fmt.Sprint("clerk ", len(w.clerks)), s)
		w.clerks = append(w.clerks, c)
		w.members = append(w.members, kind(c))
	}
	add(func(c *clerk) participant.Participant { return twoStep{c} })
	add(func(c *clerk) participant.Participant { return twoStep{c} })
	add(func(c *clerk) participant.Participant { return oneStep{c} })
	add(func(c *clerk) participant.Participant { return quick{twoStep{c}} })
	add(func(c *clerk) participant.Participant { return lister{twoStep{c}} })
	add(func(c *clerk) participant.Participant { return delegate{twoStep{c}} })
	add(func(c *clerk) participant.Participant { return wrapped{twoStep{c}} })
	add(func(c *clerk) participant.Participant { return w.spokesman.spawn(w.system, c) })
	return w
}

func (w *world) journal() journal.Journal {
	if w.open == nil {
		return &immediate{&struckJournal{journal.Memory(), w.strike}}
	}
	return w.open()
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.errorf(format, args...)
	w.t.FailNow()
}

// start opens the coordinator; if it is struck meanwhile, once more.
func (w *world) start() {
	w.t.Helper()
	w.Coordinator = nil
	w.starts++
	for range 2 {
		j := w.journal()
		if !w.within(func() {
			w.alone(func() {
				if c, err := dtc.Open(w.system, w.config(j)); err == nil {
					w.Coordinator = c
				} else if w.strike.over() == 0 {
					w.errorf("Open: %v", err)
				}
			})
		}) {
			w.fatalf("Open hangs")
		}
		if w.Coordinator != nil {
			return
		}
		w.strike.over()
		_ = j.Close()
	}
	w.fatalf("cannot be opened")
}

// stop closes the coordinator, twice, for a second time must do no harm.
func (w *world) stop() {
	w.t.Helper()
	for range 2 {
		if !w.within(func() { w.alone(func() { _ = w.Close() }) }) {
			w.fatalf("Close hangs")
		}
	}
}

// journalFailed tells whether the coordinator takes nothing any more.
func (w *world) journalFailed() bool {
	id, err := w.Begin(background, nil)
	if err == nil {
		_ = w.Rollback(background, id)
	}
	return errors.Is(err, dtc.ErrJournalFailed)
}
