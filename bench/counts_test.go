package bench

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// processes returns the actors of the system whose parent is an actor: the
// transactions, the gateways and the journal writer.
func processes(system *actor.ActorSystem) map[actor.Process]bool {
	found := make(map[actor.Process]bool)
	for _, bucket := range system.ProcessRegistry.LocalPIDs.LocalPIDs {
		for name, p := range bucket.Items() {
			if strings.Contains(name, "/") {
				found[p.(actor.Process)] = true
			}
		}
	}
	return found
}

// witness is a participant that notes which actors there are whenever it is
// prepared.
type witness struct {
	*memo
	seen func()
}

func (w *witness) Prepare(ctx context.Context, b participant.Branch) error {
	w.seen()
	return w.memo.Prepare(ctx, b)
}

// Every transaction, however it is asked for, has an actor of its own: one that
// was not there before, and is gone afterwards.
func TestEveryTransactionIsAnActor(t *testing.T) {
	const each = 5
	seen := make(map[actor.Process]bool)
	var w *work
	p := &witness{memo: newMemo("payment"), seen: func() {
		for process := range processes(w.system) {
			seen[process] = true
		}
	}}
	w = open(t, dtc.Config{}, []participant.Participant{p})
	defer w.close(t)
	before := len(processes(w.system))
	for range each {
		if err := errors.Join(w.run(), w.execute(), w.single()); err != nil {
			t.Fatal(err)
		}
	}
	if spawned := len(seen) - before; spawned != 3*each {
		t.Errorf("%d transactions had %d actors", 3*each, spawned)
	}
	eventually(t, "transactions' actors stop", func() bool { return len(processes(w.system)) == before })
}

// forcedRecords counts the records that reach a journal in forced batches.
type forcedRecords struct {
	journal.Journal
	mu    sync.Mutex
	count int
}

func (f *forcedRecords) Append(b journal.Batch) error {
	if b.Force {
		f.mu.Lock()
		for i := range b.Writes {
			if b.Writes[i].Put != nil {
				f.count++
			}
		}
		f.mu.Unlock()
	}
	return f.Journal.Append(b)
}

func (f *forcedRecords) take() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.count
	f.count = 0
	return n
}

// A committed transaction forces one record, or two where an intent record is
// needed; a rollback that is acknowledged at once forces none.
func TestForcedWrites(t *testing.T) {
	const each = 50
	refusing := newRecoverable("refusing")
	refusing.refuses = errors.New("sold out")
	commit := func(w *work) error { return w.execute() }
	for name, c := range map[string]struct {
		participants []participant.Participant
		do           func(*work) error
		outcome      error
		forced       int
	}{
		"recoverers commit":       {three(newRecoverable), commit, nil, 1},
		"others commit":           {three(newMemo), commit, nil, 2},
		"recoverers roll back":    {three(newRecoverable), (*work).giveUp, nil, 0},
		"others roll back":        {three(newMemo), (*work).giveUp, nil, 0},
		"recoverer among refuses": {append(three(newRecoverable), refusing), commit, dtc.ErrRolledBack, 0},
	} {
		t.Run(name, func(t *testing.T) {
			forced := &forcedRecords{Journal: openJournal(t, filepath.Join(t.TempDir(), "journal"), vfs.Default)}
			w := open(t, dtc.Config{Journal: forced}, c.participants)
			defer w.close(t)
			forced.take()
			for range each {
				if err := c.do(w); !errors.Is(err, c.outcome) {
					t.Fatal(err)
				}
			}
			if n := forced.take(); n != each*c.forced {
				t.Errorf("%d transactions forced %d records, want %d", each, n, each*c.forced)
			}
		})
	}
}
