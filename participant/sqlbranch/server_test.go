package sqlbranch_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/servers"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

// TestServer pauses, and kills and starts again, a server of each kind.
func TestServer(t *testing.T) {
	t.Parallel()
	for _, own := range []struct {
		kind
		start func(testing.TB, ...string) *servers.Server
	}{{postgres, serverstest.Postgres}, {mariaDB, serverstest.MariaDB}} {
		t.Run(own.name, func(t *testing.T) {
			t.Parallel()
			s := own.start(t)
			must(t, s.CreateDatabase("branches"))
			db := own.openAt(t, s.DSN("branches"))
			t.Run("paused", func(t *testing.T) { serverIsPaused(t, s, db) })
			t.Run("killed", func(t *testing.T) { serverIsKilled(t, s, db) })
		})
	}
}

// during has a function meet the server's fate in the middle, the first time.
func during(fate func() error, w sqlbranch.Work) sqlbranch.Work {
	met := false
	return func(ctx context.Context, tx *sql.Tx, b participant.Branch) error {
		if err := w(ctx, tx, b); err != nil || met {
			return err
		}
		met = true
		return fate()
	}
}

// told makes the call until it succeeds, as a coordinator does: connections to the
// server that was killed are still in the pool.
func told(t *testing.T, call func(context.Context, participant.Branch) error, b participant.Branch) {
	t.Helper()
	eventually(t, "the call succeeds", func() bool { return call(context.Background(), b) == nil })
}

// serverIsKilled kills the server in and between all calls, and starts it
// again.
func serverIsKilled(t *testing.T, s *servers.Server, db sqlbranch.Database) {
	ctx := context.Background()
	// Only a call with a fresh connection gets as far as its function.
	fresh := func() { eventually(t, "the server answers", func() bool { return db.DB.Ping() == nil }) }
	restart := func() { must(t, s.Kill(), s.Start()); fresh() }
	work := tcc(db.Dialect)
	killing := func(w sqlbranch.TCC) *sqlbranch.TwoPhase {
		p, err := sqlbranch.NewTCC("tcc", db, w)
		must(t, err)
		return p
	}
	failing := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s succeeded while the server was killed", what)
		}
		must(t, s.Start())
		fresh()
	}
	inTry := killing(sqlbranch.TCC{Try: during(s.Kill, work.Try), Confirm: work.Confirm, Cancel: work.Cancel})
	inConfirm := killing(sqlbranch.TCC{Try: work.Try, Confirm: during(s.Kill, work.Confirm), Cancel: work.Cancel})
	inCancel := killing(sqlbranch.TCC{Try: work.Try, Confirm: work.Confirm, Cancel: during(s.Kill, work.Cancel)})

	a, b := branch("tcc", "a"), branch("tcc", "b")
	failing("Prepare", inTry.Prepare(ctx, a))
	told(t, inTry.Prepare, a)
	told(t, inCancel.Prepare, b)
	restart()
	failing("Commit", inConfirm.Commit(ctx, a))
	told(t, inConfirm.Commit, a)
	failing("Rollback", inCancel.Rollback(ctx, b))
	told(t, inCancel.Rollback, b)
	restart()
	told(t, inConfirm.Commit, a)
	told(t, inCancel.Rollback, b)
	wantStock(t, db.DB, "a", 0, 1)
	wantStock(t, db.DB, "b", 0, 0)
	if err := inTry.Prepare(ctx, b); !errors.Is(err, participant.ErrRolledBack) {
		t.Errorf("late Prepare: %v", err)
	}
}

// serverIsPaused stops the server in the middle of a function, and before a
// call: both end with their contexts.
func serverIsPaused(t *testing.T, s *servers.Server, db sqlbranch.Database) {
	for _, inTheMiddle := range []bool{true, false} {
		ctx, cancel := context.WithCancel(context.Background())
		b, paused := branch("saga", "paused"), make(chan error, 1)
		work := saga(db.Dialect)
		if inTheMiddle {
			work.Do = during(func() error { paused <- s.Pause(); return nil }, work.Do)
		} else {
			paused <- s.Pause()
		}
		p, err := sqlbranch.NewSaga("saga", db, work)
		must(t, err)
		done := make(chan error)
		go func() { done <- p.Commit(ctx, b) }()
		must(t, <-paused)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Commit: %v", err)
		}
		must(t, s.Resume())
		must(t, p.Rollback(context.Background(), b))
		wantStock(t, db.DB, "paused", 0, 0)
		clean(t, db.DB)
	}
}
