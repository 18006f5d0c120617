package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// TestUnfitBranches prepares branches that the application has left in disorder.
func TestUnfitBranches(t *testing.T) {
	w := newWorld(t, nil)
	cases := []struct {
		reason string
		spoil  func(tx pgx.Tx)
	}{
		{"still open", func(tx pgx.Tx) { _, _ = tx.Query(w.ctx, "SELECT generate_series(1, 100000)") }},
		{"still open", func(tx pgx.Tx) {
			batch := new(pgx.Batch)
			batch.Queue("SELECT 1")
			tx.SendBatch(w.ctx, batch)
		}},
		{"of the application's own", func(tx pgx.Tx) { _, _ = tx.Exec(w.ctx, "ROLLBACK") }},
		{"division by zero", func(tx pgx.Tx) { _, _ = tx.Exec(w.ctx, "SELECT 1/0") }},
		{"connection was lost", func(tx pgx.Tx) { _, _ = tx.Exec(w.ctx, "SELECT pg_terminate_backend(pg_backend_pid())") }},
	}
	for _, c := range cases {
		for name, end := range map[string]func(context.Context, participant.Branch) error{
			"Prepare": w.p.Prepare, "CommitOnePhase": w.p.CommitOnePhase,
		} {
			b := newBranch()
			c.spoil(w.begin(b))
			err := end(w.ctx, b)
			if !errors.As(err, new(*postgres.BranchError)) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%s after %q: %v", name, c.reason, err)
			}
			w.must(w.p.Rollback(w.ctx, b))
			w.has(b, 0)
		}
	}
	w.clean()
}

func TestNothingToPrepare(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.p.Prepare(w.ctx, newBranch()); !errors.As(err, new(*postgres.BranchError)) {
		t.Errorf("a branch that nobody began: %v", err)
	}
}

// TestReadOnly votes for branches that have nothing to commit.
func TestReadOnly(t *testing.T) {
	w := newWorld(t, nil)
	read, locked := newBranch(), newBranch()
	for _, b := range []participant.Branch{read, locked} {
		tx, err := w.p.Begin(w.ctx, b.Transaction)
		w.must(err)
		sql := "SELECT * FROM accounts WHERE id = 1"
		if b.Transaction == locked.Transaction {
			sql += " FOR UPDATE" // this one must keep its lock
		}
		_, err = tx.Exec(w.ctx, sql)
		w.must(err)
	}
	w.is(w.p.Prepare(w.ctx, read), participant.ErrReadOnly)
	w.is(w.p.Prepare(w.ctx, read), participant.ErrReadOnly)
	w.must(w.p.Prepare(w.ctx, locked))
	if ids, err := w.p.InDoubt(w.ctx, "shop"); err != nil || len(ids) != 1 || ids[0] != locked.Transaction {
		t.Error(ids, err)
	}
	w.must(w.p.Commit(w.ctx, locked))
	one := newBranch()
	_, err := w.p.BeginTx(w.ctx, one.Transaction, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	w.must(err)
	w.must(w.p.CommitOnePhase(w.ctx, one))
	w.must(w.p.CommitOnePhase(w.ctx, one))
	if is, err := w.p.Committed(w.ctx, one); !is || err != nil {
		t.Error(is, err)
	}
	w.clean()
}

func TestBranchTimeout(t *testing.T) {
	w := newWorld(t, &postgres.Options{BranchTimeout: 50 * time.Millisecond, Work: effect})
	b := newBranch()
	tx := w.begin(b)
	w.clean()
	_, err := tx.Exec(w.ctx, "SELECT 1")
	if !errors.Is(err, pgx.ErrTxClosed) || !strings.Contains(err.Error(), "BranchTimeout, 50ms") {
		t.Error(err)
	}
	w.is(w.p.Prepare(w.ctx, b), participant.ErrRolledBack) // and is not worked again
	_, err = w.p.Begin(w.ctx, b.Transaction)
	w.is(err, participant.ErrRolledBack)
	w.has(b, 0)
}

// TestRollbackInterrupts ends branches in the middle of a call.
func TestRollbackInterrupts(t *testing.T) {
	w := newWorld(t, nil)
	calls := map[string]func(tx pgx.Tx) error{
		"Exec": func(tx pgx.Tx) error { _, err := tx.Exec(w.ctx, "SELECT pg_sleep(60)"); return err },
		"rows": func(tx pgx.Tx) error {
			rows, err := tx.Query(w.ctx, "SELECT pg_sleep(CASE g WHEN 500000 THEN 60 ELSE 0 END) FROM generate_series(1, 1000000) g")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			b := newBranch()
			tx := w.begin(b)
			told := make(chan error)
			go func() { told <- call(tx) }()
			until(t, "it sleeps", func() bool {
				var n int
				w.must(w.pool.QueryRow(w.ctx, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()").Scan(&n))
				return n > 0
			})
			w.must(w.p.Rollback(w.ctx, b))
			if err := <-told; !errors.Is(err, pgx.ErrTxClosed) {
				t.Errorf("the call was told %v", err)
			}
			w.has(b, 0)
			w.clean()
		})
	}
}

// TestStuckApplication rolls back while the application keeps a call from
// returning.
func TestStuckApplication(t *testing.T) {
	w := newWorld(t, nil)
	b := newBranch()
	tx := w.begin(b)
	stuck, goOn, told := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		_, err := tx.CopyFrom(w.ctx, pgx.Identifier{"effects"}, []string{"transaction"}, pgx.CopyFromFunc(func() ([]any, error) {
			close(stuck)
			<-goOn
			return nil, errNo
		}))
		told <- err
	}()
	<-stuck
	if err := w.p.Rollback(shortly(t, 50*time.Millisecond), b); err == nil {
		t.Error("it was rolled back in no time")
	}
	w.must(w.p.Rollback(w.ctx, b)) // the server process is ended
	close(goOn)
	if err := <-told; !errors.Is(err, pgx.ErrTxClosed) {
		t.Error(err)
	}
	w.has(b, 0)
	w.clean()
}

func TestOneCallAtATime(t *testing.T) {
	w := newWorld(t, nil)
	b := newBranch()
	tx := w.begin(b)
	batch := new(pgx.Batch)
	batch.Queue("SELECT 1").Exec(nil)
	batch.QueuedQueries[0].Fn = func(pgx.BatchResults) error {
		_, err := tx.Exec(w.ctx, "SELECT 1") // from within another call
		return err
	}
	if err := tx.SendBatch(w.ctx, batch).Close(); !errors.As(err, new(*postgres.BranchError)) {
		t.Error(err)
	}
	w.must(w.p.Rollback(w.ctx, b))
	w.clean()
}

// TestExposedConnection takes the connection out of the branch's hands.
func TestExposedConnection(t *testing.T) {
	w := newWorld(t, nil, size(1))
	b := newBranch()
	tx := w.begin(b)
	conn := tx.Conn()
	objects := tx.LargeObjects()
	oid, err := objects.Create(w.ctx, 0)
	if oid == 0 || err != nil {
		t.Fatal(oid, err)
	}
	w.must(w.p.Prepare(w.ctx, b))
	if _, err := conn.Exec(w.ctx, "SELECT 1"); err == nil {
		t.Error("the connection is open still")
	}
	w.must(w.p.Commit(w.ctx, b))
	w.has(b, 1)
	w.clean()
}

// TestCloseEndsBranches closes the participant, not the pool.
func TestCloseEndsBranches(t *testing.T) {
	w := newWorld(t, nil)
	open, prepared := newBranch(), newBranch()
	w.prepare(prepared)
	tx := w.begin(open)
	w.p.Close()
	w.p.Close()
	w.clean()
	_, err := tx.Exec(w.ctx, "SELECT 1")
	w.is(err, pgx.ErrTxClosed)
	_, begin := w.p.Begin(w.ctx, uuid.Must(uuid.NewV7()))
	_, committed := w.p.Committed(w.ctx, open)
	_, inDoubt := w.p.InDoubt(w.ctx, "shop")
	for _, err := range []error{begin, w.p.Prepare(w.ctx, open), w.p.Commit(w.ctx, prepared), w.p.Rollback(w.ctx, open), committed, inDoubt} {
		w.is(err, postgres.ErrClosed)
	}
	w.p = w.participant(w.p.Name(), nil)
	w.must(w.p.Commit(w.ctx, prepared))
	w.has(prepared, 1)
	w.has(open, 0)
}

// TestInDoubtOfOpenBranches lists them for the coordinator that is named alone.
func TestInDoubtOfOpenBranches(t *testing.T) {
	w := newWorld(t, &postgres.Options{Coordinator: "shop"})
	b := newBranch()
	w.begin(b)
	for coordinator, want := range map[string]int{"shop": 1, "sho": 0, "": 0} {
		if ids, err := w.p.InDoubt(w.ctx, coordinator); len(ids) != want || err != nil {
			t.Errorf("%q: %v, %v", coordinator, ids, err)
		}
	}
	w.must(w.p.Rollback(w.ctx, b))
	w.has(b, 0)
}
