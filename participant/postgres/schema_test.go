package postgres_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// TestMigrateTogether has many processes make the tables.
func TestMigrateTogether(t *testing.T) {
	w := newWorld(t, nil)
	o := &postgres.Options{Schema: `Strange "name" of ` + w.p.Name()}
	var all sync.WaitGroup
	for range 8 {
		p := w.participant(w.p.Name(), o)
		all.Go(func() {
			if err := p.Migrate(w.ctx); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.p = w.participant(w.p.Name(), o)
	b := newBranch()
	w.prepare(b)
	w.must(w.p.Commit(w.ctx, b))
	w.has(b, 1)
	// By one's own means, twice.
	own := w.participant(w.p.Name(), &postgres.Options{Schema: "own " + w.p.Name()})
	for range 2 {
		_, err := w.pool.Exec(w.ctx, own.Schema())
		w.must(err)
	}
	w.must(own.Migrate(w.ctx))
	w.must(own.Rollback(w.ctx, newBranch()))
}

func TestPurge(t *testing.T) {
	w := worldAt(t, serverstest.PostgresDatabase(t), "orders", &postgres.Options{Work: effect})
	hour := time.Now().Add(-time.Hour)
	committed, one, rolledBack := at(hour), at(hour), at(hour)
	prepared, doomed, unknown, young := at(hour), at(hour), at(hour), at(hour.Add(time.Minute))
	w.prepare(committed)
	w.must(w.p.Commit(w.ctx, committed))
	w.must(w.p.CommitOnePhase(w.ctx, one))
	w.must(w.p.Rollback(w.ctx, rolledBack))
	w.must(w.p.CommitOnePhase(w.ctx, young))
	w.prepare(prepared)
	w.prepare(doomed)
	for _, want := range []int64{3, 0} {
		if n, err := w.p.Purge(w.ctx, hour.Add(time.Second)); n != want || err != nil {
			t.Fatalf("dropped %d, %v, want %d", n, err, want)
		}
	}
	_, err := w.p.Purge(w.ctx, hour.Add(-time.Hour)) // moves nothing back
	w.must(err)
	other := w.participant(w.p.Name(), &postgres.Options{Work: effect}) // remembers nothing in memory
	for _, b := range []participant.Branch{committed, one, rolledBack, unknown} {
		_, asked := other.Committed(w.ctx, b)
		for call, err := range map[string]error{
			"Prepare": other.Prepare(w.ctx, b), "CommitOnePhase": other.CommitOnePhase(w.ctx, b),
			"Commit": other.Commit(w.ctx, b), "Committed": asked,
		} {
			var forgotten *participant.ForgottenError
			if !errors.As(err, &forgotten) || forgotten.Transaction != b.Transaction {
				t.Errorf("%s: %v", call, err)
			}
		}
	}
	w.must(other.Rollback(w.ctx, unknown))
	w.is(other.Prepare(w.ctx, unknown), participant.ErrRolledBack)
	w.must(other.Commit(w.ctx, prepared))
	w.must(other.Commit(w.ctx, prepared))
	w.must(other.Rollback(w.ctx, doomed))
	if is, err := other.Committed(w.ctx, young); !is || err != nil {
		t.Error(is, err)
	}
	w.must(other.Prepare(w.ctx, newBranch()))
	for b, want := range map[uuid.UUID]int{committed.Transaction: 1, one.Transaction: 1, rolledBack.Transaction: 0, prepared.Transaction: 1, doomed.Transaction: 0} {
		w.has(participant.Branch{Transaction: b}, want)
	}
}

// TestPurgeAgainstLatePrepare purges a fence while the Prepare that it is there
// for arrives, in a transaction whose snapshot is from before the purge.
func TestPurgeAgainstLatePrepare(t *testing.T) {
	o := &postgres.Options{TxOptions: pgx.TxOptions{IsoLevel: pgx.RepeatableRead}}
	w := worldAt(t, serverstest.PostgresDatabase(t), "orders", o, size(16))
	far := w.participant(w.p.Name(), nil)
	start := time.Now().Add(-time.Hour)
	answers := make(map[string]int)
	for i := range 100 {
		b := at(start.Add(time.Duration(i) * time.Second))
		w.begin(b)
		gone := w.fenced(b)
		var err error
		race(
			func() { err = w.p.Prepare(w.ctx, b) },
			func() {
				if _, err := far.Purge(w.ctx, gone); err != nil {
					t.Error(err)
				}
			},
		)
		switch {
		case errors.As(err, new(*participant.ForgottenError)):
			answers["forgotten"]++
		case errors.Is(err, participant.ErrRolledBack):
			answers["rolled back"]++
		default:
			t.Fatalf("round %d: the late Prepare was answered with %v", i, err)
		}
	}
	t.Log(answers)
	w.clean()
}

// fenced leaves a fence for the branch, and no trace of its own, as a Rollback
// that reached another process would. It returns a time up to which to purge.
func (w *world) fenced(b participant.Branch) time.Time {
	w.t.Helper()
	_, err := w.pool.Exec(w.ctx, "INSERT INTO dtc.branches VALUES ($1, 'shop', $2, false)", b.Transaction.String(), w.p.Name())
	w.must(err)
	ms := int64(0)
	for _, x := range b.Transaction[:6] {
		ms = ms<<8 | int64(x)
	}
	return time.UnixMilli(ms + 1)
}
