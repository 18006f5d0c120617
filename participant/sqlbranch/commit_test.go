package sqlbranch_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

var overTheWire = []kind{postgres, mariaDB}

// TestCommitIsCut breaks the connection at the COMMIT of every call, before it
// arrives and before its answer does. The same call again finds out, and the effect
// is there once.
func TestCommitIsCut(t *testing.T) {
	each(t, overTheWire, func(t *testing.T, k kind) {
		w, dsn := commitWire(t, k.place(t))
		db := k.openAt(t, dsn)
		for name, f := range map[string]fate{"lost": lost, "unheard": unheard} {
			t.Run(name, func(t *testing.T) { cutEveryCommit(t, w, f, db) })
		}
	})
}

func cutEveryCommit(t *testing.T, w *wire, f fate, db sqlbranch.Database) {
	ctx := context.Background()
	p, s := newTCC(t, "tcc", db), newSaga(t, "saga", db)
	again := func(what string, call func() error) {
		t.Helper()
		w.set(f)
		err := call()
		var cut *sqlbranch.CommitError
		if !errors.As(err, &cut) {
			t.Errorf("%s that was cut: %v", what, err)
		}
		if err := call(); err != nil {
			t.Errorf("%s again: %v", what, err)
		}
	}
	a, b, c := branch("tcc", t.Name()+"a"), branch("tcc", t.Name()+"b"), branch("tcc", t.Name()+"c")
	for _, b := range []participant.Branch{a, b} {
		again("Prepare", func() error { return p.Prepare(ctx, b) })
		wantStock(t, db.DB, string(b.Payload), 1, 0)
	}
	again("Commit", func() error { return p.Commit(ctx, a) })
	wantStock(t, db.DB, string(a.Payload), 0, 1)
	again("Rollback", func() error { return p.Rollback(ctx, b) })
	wantStock(t, db.DB, string(b.Payload), 0, 0)
	again("CommitOnePhase", func() error { return p.CommitOnePhase(ctx, c) })
	wantStock(t, db.DB, string(c.Payload), 0, 1)

	d, e := branch("saga", t.Name()+"d"), branch("saga", t.Name()+"e")
	again("Commit", func() error { return s.Commit(ctx, d) })
	wantStock(t, db.DB, string(d.Payload), 0, 1)
	again("Rollback", func() error { return s.Rollback(ctx, d) })
	wantStock(t, db.DB, string(d.Payload), 0, 0)
	again("Rollback of an unknown branch", func() error { return s.Rollback(ctx, e) })
	if err := s.Commit(ctx, e); !errors.Is(err, participant.ErrRolledBack) {
		t.Errorf("late Commit: %v", err)
	}

	again("Once", func() error {
		_, err := db.Once(ctx, t.Name(), func(ctx context.Context, tx *sql.Tx) error {
			return add(db.Dialect, 0, 1)(ctx, tx, branch("", t.Name()+"once"))
		})
		return err
	})
	wantStock(t, db.DB, t.Name()+"once", 0, 1)
}

// TestCommitIsHeld has a server that does not answer to COMMIT: the call ends with
// its context all the same, and the connection comes back when it breaks.
func TestCommitIsHeld(t *testing.T) {
	each(t, overTheWire, func(t *testing.T, k kind) {
		dsn := k.place(t)
		direct := k.openAt(t, dsn)
		w, dsn := commitWire(t, dsn)
		db := k.openAt(t, dsn)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		b := branch("tcc", "held")
		w.set(held)
		go func() {
			<-w.holding
			cancel()
		}()
		err := newTCC(t, "tcc", db).Prepare(ctx, b)
		var cut *sqlbranch.CommitError
		if !errors.As(err, &cut) || !errors.Is(err, context.Canceled) {
			t.Errorf("Prepare: %v", err)
		}
		w.release()
		must(t, newTCC(t, "tcc", direct).Rollback(context.Background(), b))
		wantStock(t, direct.DB, "held", 0, 0)
	})
}
