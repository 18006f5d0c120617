package sqlbranch_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

// gate is a function that says when it is at work and goes on when it is told to.
type gate struct{ at, open chan struct{} }

func newGate() gate { return gate{make(chan struct{}, 1), make(chan struct{})} }

func (g gate) before(w sqlbranch.Work) sqlbranch.Work {
	return func(ctx context.Context, tx *sql.Tx, b participant.Branch) error {
		g.at <- struct{}{}
		<-g.open
		return w(ctx, tx, b)
	}
}

// TestRollbackWaits has Rollback come while Try is at work in another connection,
// and a second Prepare.
func TestRollbackWaits(t *testing.T) {
	each(t, kinds, func(t *testing.T, k kind) {
		db, g := k.open(t), newGate()
		work := tcc(k.dialect)
		work.Try = g.before(work.Try)
		p, err := sqlbranch.NewTCC("tcc", db, work)
		must(t, err)
		ctx, b := context.Background(), branch("tcc", "a")

		prepared, rolledBack := make(chan error), make(chan error)
		go func() { prepared <- p.Prepare(ctx, b) }()
		<-g.at

		// One that has no time to wait fails, and changes nothing.
		short, cancel := context.WithCancel(ctx)
		go func() { rolledBack <- p.Rollback(short, b) }()
		eventually(t, "Rollback has a connection", func() bool { return db.DB.Stats().InUse == 2 })
		cancel()
		if err := <-rolledBack; !errors.Is(err, context.Canceled) {
			t.Errorf("Rollback without time: %v", err)
		}

		go func() { rolledBack <- p.Rollback(ctx, b) }()
		eventually(t, "Rollback has a connection", func() bool { return db.DB.Stats().InUse >= 2 })
		close(g.open)
		must(t, <-prepared, <-rolledBack)
		wantStock(t, db.DB, "a", 0, 0)
		if err := p.Prepare(ctx, b); !errors.Is(err, participant.ErrRolledBack) {
			t.Errorf("late Prepare: %v", err)
		}
	})
}

// TestNoConnectionIsFree bounds the wait for one.
func TestNoConnectionIsFree(t *testing.T) {
	db, g := sqlite.open(t), newGate()
	db.DB.SetMaxOpenConns(1)
	work := saga(db.Dialect)
	work.Do = g.before(work.Do)
	p, err := sqlbranch.NewSaga("saga", db, work)
	must(t, err)
	done := make(chan error)
	go func() { done <- p.Commit(context.Background(), branch("saga", "a")) }()
	<-g.at
	ctx, cancel := context.WithCancel(context.Background())
	waiting := make(chan error)
	go func() { waiting <- p.Rollback(ctx, branch("saga", "b")) }()
	eventually(t, "Rollback waits", func() bool { return db.DB.Stats().WaitCount == 1 })
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("Rollback without a connection: %v", err)
	}
	close(g.open)
	must(t, <-done)
}

// TestWorkFails has functions fail in every way after they have changed something:
// nothing of it stays, and the call can be made again.
func TestWorkFails(t *testing.T) {
	alone, beside := kinds, []kind(nil)
	if !proof.Wanted() {
		alone, beside = []kind{sqlite}, overTheWire
	}
	for _, k := range alone {
		t.Run(k.name, func(t *testing.T) {
			must(t, k.open(t).DB.Close()) // the server has been started
			before := goleak.IgnoreCurrent()
			db := k.open(t)
			workFailsInEveryWay(t, db)
			must(t, db.DB.Close())
			goleak.VerifyNone(t, before)
		})
	}
	each(t, beside, func(t *testing.T, k kind) { workFailsInEveryWay(t, k.open(t)) })
}

func workFailsInEveryWay(t *testing.T, db sqlbranch.Database) {
	refusal := errors.New("no")
	ways := map[string]func(*sql.Tx, context.CancelFunc) error{
		"refuses":       func(*sql.Tx, context.CancelFunc) error { return refusal },
		"votes":         func(*sql.Tx, context.CancelFunc) error { return participant.ErrReadOnly },
		"panics":        func(*sql.Tx, context.CancelFunc) error { panic(refusal) },
		"out of time":   func(_ *sql.Tx, cancel context.CancelFunc) error { cancel(); return nil },
		"rolls back":    func(tx *sql.Tx, _ context.CancelFunc) error { return tx.Rollback() },
		"bad statement": func(tx *sql.Tx, _ context.CancelFunc) error { return nonsense(tx) },
	}
	if db.Dialect == sqlbranch.PostgreSQL { // where it ends the transaction
		ways["ignored error"] = func(tx *sql.Tx, _ context.CancelFunc) error { return ignoring(nonsense(tx)) }
	}
	for name, fail := range ways {
		t.Run(name, func(t *testing.T) { workFails(t, db, fail) })
	}
	clean(t, db.DB)
}

func nonsense(tx *sql.Tx) error {
	_, err := tx.Exec("no such statement")
	return err
}

func workFails(t *testing.T, db sqlbranch.Database, fail func(*sql.Tx, context.CancelFunc) error) {
	var cancel context.CancelFunc
	failing := true
	work := saga(db.Dialect)
	inner := work.Do
	work.Do = func(ctx context.Context, tx *sql.Tx, b participant.Branch) error {
		if err := inner(ctx, tx, b); err != nil || !failing {
			return err
		}
		return fail(tx, cancel)
	}
	p, err := sqlbranch.NewSaga("saga", db, work)
	must(t, err)
	a, b := branch("saga", t.Name()+"a"), branch("saga", t.Name()+"b")
	for _, b := range []participant.Branch{a, b} {
		var ctx context.Context
		ctx, cancel = context.WithCancel(context.Background())
		err := func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = r.(error)
				}
			}()
			return p.Commit(ctx, b)
		}()
		if err == nil {
			t.Fatal("a function that fails was taken for a success")
		}
		clean(t, db.DB) // before the context ends, which would roll back too
		cancel()
		wantStock(t, db.DB, string(b.Payload), 0, 0)
	}
	failing = false
	must(t, p.Commit(context.Background(), a), p.Rollback(context.Background(), b))
	wantStock(t, db.DB, string(a.Payload), 0, 1)
	wantStock(t, db.DB, string(b.Payload), 0, 0)
}

// TestWorkCommits has a function commit its transaction itself: the call fails, and
// the row is true.
func TestWorkCommits(t *testing.T) {
	each(t, kinds, func(t *testing.T, k kind) {
		db, calls := k.open(t), 0
		work := saga(k.dialect)
		inner := work.Do
		work.Do = func(ctx context.Context, tx *sql.Tx, b participant.Branch) error {
			calls++
			return errors.Join(inner(ctx, tx, b), tx.Commit())
		}
		p, err := sqlbranch.NewSaga("saga", db, work)
		must(t, err)
		ctx, b := context.Background(), branch("saga", "a")
		if err := p.Commit(ctx, b); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("Commit: %v", err)
		}
		must(t, p.Commit(ctx, b))
		wantStock(t, db.DB, "a", 0, 1)
		must(t, p.Rollback(ctx, b))
		wantStock(t, db.DB, "a", 0, 0)
		if calls != 1 {
			t.Errorf("the function was called %d times", calls)
		}
	})
}

// TestBusySnapshot makes a transaction again after the extended error of SQLite, as
// it comes when a transaction that has read finds that another has written.
func TestBusySnapshot(t *testing.T) {
	db, ctx := sqlite.with("deferred", "").open(t), context.Background()
	reader, err := db.DB.Begin()
	must(t, err)
	var n int
	must(t, reader.QueryRow("SELECT COUNT(*) FROM stock").Scan(&n))
	_, err = db.DB.Exec("INSERT INTO stock VALUES ('x', 0, 0)")
	must(t, err)
	_, busy := reader.Exec("INSERT INTO stock VALUES ('y', 0, 0)")
	must(t, reader.Rollback())
	calls := 0
	first, err := db.Once(ctx, "a", func(context.Context, *sql.Tx) error {
		if calls++; calls == 1 {
			return fmt.Errorf("wrapped: %w", busy)
		}
		return nil
	})
	if !first || err != nil || calls != 2 {
		t.Errorf("after %v: %t, %v, %d calls", busy, first, err, calls)
	}
}

// TestTransactionEnds has MariaDB end a transaction by a deadlock, and a function
// that goes on as if nothing had happened.
func TestTransactionEnds(t *testing.T) {
	t.Parallel()
	db := mariaDB.open(t)
	ctx := context.Background()
	_, err := db.DB.Exec("INSERT INTO stock VALUES ('x', 0, 0), ('y', 0, 0), ('z', 0, 0)")
	must(t, err)
	touch := func(tx *sql.Tx, item string) error {
		_, err := tx.Exec(fmt.Sprintf("UPDATE stock SET sold = sold + 1 WHERE item = '%s'", item))
		return err
	}
	other, err := db.DB.Begin()
	must(t, err)
	must(t, touch(other, "y"), touch(other, "z")) // it has done more, so that it is not the victim
	first, done := true, make(chan error, 1)
	work := sqlbranch.Saga{Undo: add(db.Dialect, 0, -1), Do: func(ctx context.Context, tx *sql.Tx, b participant.Branch) error {
		if !first {
			return touch(tx, "x")
		}
		first = false
		if err := touch(tx, "x"); err != nil {
			return err
		}
		go func() { done <- errors.Join(touch(other, "x"), other.Commit()) }()
		return ignoring(touch(tx, "y"))
	}}
	p, err := sqlbranch.NewSaga("saga", db, work)
	must(t, err)
	b := branch("saga", "")
	for range 50 {
		_, err = other.Exec(fmt.Sprintf("INSERT INTO stock VALUES ('%s', 0, 0)", branch("", "").Transaction))
		must(t, err)
	}
	if err := p.Commit(ctx, b); !errors.Is(err, sqlbranch.ErrTransactionEnded) {
		t.Errorf("Commit: %v", err)
	}
	must(t, <-done, p.Commit(ctx, b))
	wantStock(t, db.DB, "x", 0, 2)
}

func ignoring(err error) error {
	if err == nil {
		return errors.New("there was nothing to ignore")
	}
	return nil
}
