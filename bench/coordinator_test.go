package bench

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	xslog "golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
)

// work is a coordinator and what it is asked to commit.
type work struct {
	*dtc.Coordinator
	system *actor.ActorSystem
	with   []dtc.Enlistment
	ctx    context.Context
}

// open opens a coordinator of the participants. The test closes it.
// coordinatorName is whose transactions the participants hold.
const coordinatorName = "bench"

func open(tb testing.TB, config dtc.Config, participants []participant.Participant) *work {
	tb.Helper()
	quiet := slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn})
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(quiet) }))
	config.Name, config.Participants = coordinatorName, participants
	config.Logger = xslog.New(dtc.SlogHandler(quiet))
	c, err := dtc.Open(system, config)
	if err != nil {
		tb.Fatal(err)
	}
	w := &work{Coordinator: c, system: system, ctx: context.Background()}
	for _, p := range participants {
		w.with = append(w.with, dtc.Enlistment{Participant: p})
	}
	return w
}

// close closes the coordinator, and with it the journal.
func (w *work) close(tb testing.TB) {
	if err := w.Close(); err != nil {
		tb.Error(err)
	}
}

// run commits a transaction by Run.
func (w *work) run() error {
	return w.Run(w.ctx, nil, func(tx *dtc.Tx) error {
		for i := range w.with {
			if err := tx.Enlist(w.ctx, w.with[i].Participant, w.with[i].Payload); err != nil {
				return err
			}
		}
		return nil
	})
}

// execute commits a transaction by Execute.
func (w *work) execute() error { return w.Execute(w.ctx, nil, w.with...) }

// single commits a transaction in single steps.
func (w *work) single() error {
	id, err := w.begin()
	if err != nil {
		return err
	}
	return w.Commit(w.ctx, id)
}

// giveUp rolls a transaction back that has its participants.
func (w *work) giveUp() error {
	id, err := w.begin()
	if err != nil {
		return err
	}
	return w.Rollback(w.ctx, id)
}

// begin begins a transaction and enlists the participants.
func (w *work) begin() (uuid.UUID, error) {
	id, err := w.Begin(w.ctx, nil)
	for i := 0; err == nil && i < len(w.with); i++ {
		err = w.Enlist(w.ctx, id, w.with[i].Participant, w.with[i].Payload)
	}
	return id, err
}

// openJournal opens a journal on a disk.
func openJournal(tb testing.TB, dir string, fs vfs.FS) journal.Journal {
	tb.Helper()
	j, err := pebble.Open(dir, &pebble.Options{FS: fs})
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

// eventually waits until a condition holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	late := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-late:
			tb.Fatalf("waited in vain: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
