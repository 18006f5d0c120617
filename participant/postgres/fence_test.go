package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// at gives a branch of a transaction that began at the time.
func at(when time.Time) participant.Branch {
	b := newBranch()
	ms := uint64(when.UnixMilli())
	for i := range 6 {
		b.Transaction[i] = byte(ms >> (40 - 8*i))
	}
	return b
}

// TestRolledBackByHand commits a branch that somebody has rolled back.
func TestRolledBackByHand(t *testing.T) {
	w := newWorld(t, &postgres.Options{Work: effect})
	b := newBranch()
	w.prepare(b)
	var gid string
	w.must(w.pool.QueryRow(w.ctx, "SELECT gid FROM pg_prepared_xacts WHERE gid LIKE '%' || $1", b.Transaction.String()).Scan(&gid))
	if want := "dtc/" + w.p.Name() + "/shop/" + b.Transaction.String(); gid != want {
		t.Errorf("gid %q, want %q", gid, want)
	}
	_, err := w.pool.Exec(w.ctx, "ROLLBACK PREPARED '"+gid+"'")
	w.must(err)
	for range 2 {
		w.is(w.p.Commit(w.ctx, b), participant.ErrRolledBack)
	}
	w.is(w.p.Prepare(w.ctx, b), participant.ErrRolledBack)
	w.must(w.p.Rollback(w.ctx, b))
	w.has(b, 0)
}

// TestCommittedByHand rolls back, and commits, a branch that somebody has
// committed.
func TestCommittedByHand(t *testing.T) {
	w := newWorld(t, nil)
	b := newBranch()
	w.prepare(b)
	_, err := w.pool.Exec(w.ctx, "COMMIT PREPARED 'dtc/"+w.p.Name()+"/shop/"+b.Transaction.String()+"'")
	w.must(err)
	w.is(w.p.Rollback(w.ctx, b), participant.ErrCommitted)
	w.must(w.p.Commit(w.ctx, b))
	w.must(w.p.Prepare(w.ctx, b))
	if is, err := w.p.Committed(w.ctx, b); !is || err != nil {
		t.Error(is, err)
	}
	w.has(b, 1)
}

// TestOtherProcess has the branch settled by another process than its own.
func TestOtherProcess(t *testing.T) {
	w := newWorld(t, nil)
	other := w.participant(w.p.Name(), nil)
	committed, prepared, open := newBranch(), newBranch(), newBranch()
	w.prepare(committed)
	w.must(other.Commit(w.ctx, committed))
	w.must(w.p.Commit(w.ctx, committed))
	w.prepare(prepared)
	w.must(other.Prepare(w.ctx, prepared))
	w.must(other.Rollback(w.ctx, prepared))
	w.is(w.p.Commit(w.ctx, prepared), participant.ErrRolledBack)
	tx := w.begin(open)
	w.must(other.Rollback(w.ctx, open))
	if _, err := tx.Exec(w.ctx, "SELECT 1"); err == nil {
		t.Error("the branch is open still")
	}
	if err := w.p.Prepare(w.ctx, open); !errors.As(err, new(*postgres.BranchError)) {
		t.Error(err)
	}
	w.is(w.p.Prepare(w.ctx, open), participant.ErrRolledBack)
	w.has(committed, 1)
	w.has(prepared, 0)
	w.has(open, 0)
	w.clean()
}

// isolations are how an application may have set up its database.
var isolations = []string{"read committed", "repeatable read", "serializable"}

func isolated(level string) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) {
		c.MaxConns = 16
		c.ConnConfig.RuntimeParams["default_transaction_isolation"] = level
	}
}

// race runs calls at the same moment, and returns when all have answered.
func race(calls ...func()) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for _, call := range calls {
		all.Go(func() {
			<-start
			call()
		})
	}
	close(start)
	all.Wait()
}

// TestPrepareAgainstRollback has two processes prepare a branch while two others
// roll it back: whoever is first, nothing of it stays.
func TestPrepareAgainstRollback(t *testing.T) {
	shared := newWorld(t, nil)
	for _, level := range isolations {
		t.Run(level, func(t *testing.T) {
			o := &postgres.Options{Work: effect}
			w := onto(t, shared.dsn, shared.p.Name(), o, isolated(level))
			other := w.participant(w.p.Name(), o)
			prepare := func(p *postgres.Participant, b participant.Branch) func() {
				return func() { _ = p.Prepare(w.ctx, b) } // either way
			}
			rollback := func(p *postgres.Participant, b participant.Branch) func() {
				return func() {
					if err := p.Rollback(w.ctx, b); err != nil {
						t.Errorf("Rollback: %v", err)
					}
				}
			}
			for range 60 {
				b := newBranch()
				race(prepare(w.p, b), prepare(other, b), rollback(w.p, b), rollback(other, b))
				w.must(w.p.Rollback(w.ctx, b)) // of what was listed in doubt
				w.has(b, 0)
				w.is(other.Prepare(w.ctx, b), participant.ErrRolledBack)
			}
			w.clean()
		})
	}
}

// TestCommitAgainstQuestion has one process commit in one phase while another
// asks: both must find the same.
func TestCommitAgainstQuestion(t *testing.T) {
	shared := newWorld(t, nil)
	for _, level := range isolations {
		t.Run(level, func(t *testing.T) {
			o := &postgres.Options{Work: effect}
			w := onto(t, shared.dsn, shared.p.Name(), o, isolated(level))
			other := w.participant(w.p.Name(), o)
			outcomes := make(map[bool]int)
			for i := range 60 {
				b := newBranch()
				var committing error
				var is bool
				commit := func() { committing = w.p.CommitOnePhase(w.ctx, b) }
				ask := func() {
					var err error
					if is, err = other.Committed(w.ctx, b); err != nil {
						t.Errorf("Committed: %v", err)
					}
				}
				if i%2 == 0 {
					race(commit, ask)
				} else {
					race(commit, commit2(other, b), ask)
				}
				if committing == nil && !is {
					t.Fatal("committed, and the answer is no")
				}
				want := 0
				if is {
					want = 1
				}
				outcomes[is]++
				w.has(b, want)
			}
			t.Log(outcomes)
			w.clean()
		})
	}
}

func commit2(p *postgres.Participant, b participant.Branch) func() {
	return func() { _ = p.CommitOnePhase(context.Background(), b) } // either way
}

// TestCommitTogether has many callers commit a branch.
func TestCommitTogether(t *testing.T) {
	shared := newWorld(t, nil)
	for _, level := range isolations {
		w := onto(t, shared.dsn, shared.p.Name(), nil, isolated(level))
		other := w.participant(w.p.Name(), nil)
		for range 20 {
			b := newBranch()
			w.prepare(b)
			commit := func(p *postgres.Participant) func() {
				return func() {
					if err := p.Commit(w.ctx, b); err != nil {
						t.Errorf("Commit: %v", err)
					}
				}
			}
			race(commit(w.p), commit(other), commit(w.p), commit(other))
			w.has(b, 1)
		}
	}
}

// TestCutCable cuts the connection of an open branch off, so that the server does
// not notice, and rolls it back from elsewhere.
func TestCutCable(t *testing.T) {
	w := newWorld(t, nil)
	cable := behind(t, w.dsn)
	far := w.far(cable, nil)
	b := newBranch()
	tx, err := far.Begin(w.ctx, b.Transaction)
	w.must(err)
	_, err = tx.Exec(w.ctx, "UPDATE accounts SET balance = 0 WHERE id = 1")
	w.must(err)
	cable.Hold()
	t.Cleanup(cable.Release)
	if err := far.Prepare(shortly(t, 50*time.Millisecond), b); err == nil {
		t.Fatal("prepared through a cut cable")
	}
	w.must(w.p.Rollback(w.ctx, b))
	_, err = w.pool.Exec(w.ctx, "SET lock_timeout TO '10s'; UPDATE accounts SET balance = 1 WHERE id = 1")
	w.must(err)
	cable.Release() // now the late PREPARE goes on its way
	w.must(far.Rollback(w.ctx, b))
	w.has(b, 0)
}

// TestLatePrepare lets a PREPARE arrive after Rollback, from a connection that
// nobody could end.
func TestLatePrepare(t *testing.T) {
	w := newWorld(t, nil)
	cable := behind(t, w.dsn)
	far := w.far(cable, nil, size(1))
	bob := w.bob(nil) // may not end the other's connections
	b := newBranch()
	tx, err := far.Begin(w.ctx, b.Transaction)
	w.must(err)
	w.must(effect(w.ctx, tx, b))
	cable.Hold()
	t.Cleanup(cable.Release)
	if err := far.Prepare(shortly(t, 50*time.Millisecond), b); err == nil {
		t.Fatal("prepared through a cut cable")
	}
	w.must(bob.Rollback(w.ctx, b))
	cable.Release()
	until(t, "the late PREPARE has arrived", func() bool {
		var n int
		w.must(w.pool.QueryRow(w.ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dtc/' || $1 || '%'", b.Transaction.String()).Scan(&n))
		return n == 0
	})
	w.has(b, 0)
}

// TestHeldBranch rolls back a branch whose marker is held by a process that cannot
// be ended.
func TestHeldBranch(t *testing.T) {
	w := newWorld(t, nil)
	bob := w.bob(nil)
	b := newBranch()
	holder, err := w.pool.Begin(w.ctx)
	w.must(err)
	_, err = holder.Exec(w.ctx, "SET LOCAL application_name TO 'dtc/"+b.Transaction.String()+"/"+w.p.Name()+"'")
	w.must(err)
	_, err = holder.Exec(w.ctx, "INSERT INTO dtc.branches VALUES ($1, 'shop', $2, true)", b.Transaction.String(), w.p.Name())
	w.must(err)
	var held *postgres.HeldError
	err = bob.Rollback(shortly(t, 300*time.Millisecond), b)
	if !errors.As(err, &held) || len(held.Processes) != 1 || held.Processes[0] != int32(holder.Conn().PgConn().PID()) {
		t.Errorf("got %v", err)
	}
	w.must(w.p.Rollback(w.ctx, b)) // this one may end it
	if err := holder.Commit(w.ctx); err == nil {
		t.Error("the holder has committed")
	}
	w.must(bob.Rollback(w.ctx, b))
	w.has(b, 0)
}

// TestMemberOfSuperuser rolls back as a role that is a superuser's member, and may
// not end his processes all the same.
func TestMemberOfSuperuser(t *testing.T) {
	w := newWorld(t, nil)
	bob := w.bob(nil)
	b := newBranch()
	tx := w.begin(b)
	_, err := w.pool.Exec(w.ctx, "GRANT dtc TO bob")
	w.must(err)
	w.must(bob.Rollback(w.ctx, b))
	_, err = w.pool.Exec(w.ctx, "REVOKE dtc FROM bob")
	w.must(err)
	_, err = tx.Exec(w.ctx, "SELECT 1")
	w.must(err) // it is open, and can come to nothing
	w.is(w.p.Prepare(w.ctx, b), participant.ErrRolledBack)
	w.has(b, 0)
	w.clean()
}
