package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

func size(n int32) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.MaxConns = n }
}

func TestBeginAgainGivesTheBranch(t *testing.T) {
	w := newWorld(t, nil)
	b := newBranch()
	tx := w.begin(b)
	again, err := w.p.Begin(w.ctx, b.Transaction)
	w.must(err)
	if tx != again {
		t.Error("the second Begin gave another branch")
	}
	_, err = w.p.BeginTx(w.ctx, b.Transaction, pgx.TxOptions{IsoLevel: pgx.Serializable})
	if !errors.As(err, new(*postgres.BranchError)) {
		t.Errorf("other options: %v", err)
	}
	w.must(w.p.Prepare(w.ctx, b))
	w.must(w.p.Commit(w.ctx, b))
	w.has(b, 1)
	w.clean()
}

// TestBeginTogether has many callers begin one branch on a pool that has room for
// one only.
func TestBeginTogether(t *testing.T) {
	w := newWorld(t, nil, size(1))
	b := newBranch()
	got := make(chan pgx.Tx)
	for range 20 {
		go func() {
			tx, err := w.p.Begin(w.ctx, b.Transaction)
			if err != nil {
				t.Error(err)
			}
			got <- tx
		}()
	}
	first := <-got
	for range 19 {
		if tx := <-got; tx != first {
			t.Error("two branches")
		}
	}
	w.must(w.p.Rollback(w.ctx, b))
	w.clean()
}

func TestOptionsOfTheTransaction(t *testing.T) {
	w := newWorld(t, &postgres.Options{TxOptions: pgx.TxOptions{IsoLevel: pgx.RepeatableRead}})
	for level, begin := range map[string]func(uuid.UUID) (pgx.Tx, error){
		"repeatable read": func(id uuid.UUID) (pgx.Tx, error) { return w.p.Begin(w.ctx, id) },
		"serializable": func(id uuid.UUID) (pgx.Tx, error) {
			return w.p.BeginTx(w.ctx, id, pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable})
		},
	} {
		b := newBranch()
		tx, err := begin(b.Transaction)
		w.must(err)
		var got, name string
		w.must(tx.QueryRow(w.ctx, "SELECT current_setting('transaction_isolation'), current_setting('application_name')").Scan(&got, &name))
		if got != level || name != "dtc/"+b.Transaction.String()+"/"+w.p.Name() {
			t.Errorf("level %q, application_name %q", got, name)
		}
		w.is(w.p.Prepare(w.ctx, b), participant.ErrReadOnly)
	}
	w.clean()
}

func TestCoordinatorDecides(t *testing.T) {
	w := newWorld(t, nil)
	b := newBranch()
	tx := w.begin(b)
	for name, end := range map[string]func(context.Context) error{"Commit": tx.Commit, "Rollback": tx.Rollback} {
		var refused *postgres.CoordinatorDecidesError
		if err := end(w.ctx); !errors.As(err, &refused) || refused.Call != name || refused.Transaction != b.Transaction {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.must(w.p.Prepare(w.ctx, b))
	w.must(w.p.Commit(w.ctx, b))
	w.has(b, 1)
}

func TestSavepoints(t *testing.T) {
	w := newWorld(t, nil)
	b := newBranch()
	tx := w.begin(b)
	insert := "INSERT INTO effects VALUES ('" + b.Transaction.String() + "')"
	inner, err := tx.Begin(w.ctx)
	w.must(err)
	_, err = inner.Exec(w.ctx, insert)
	w.must(err)
	w.must(inner.Rollback(w.ctx))
	err = pgx.BeginFunc(w.ctx, tx, func(inner pgx.Tx) error {
		if _, err := inner.Exec(w.ctx, "SELECT 1/0"); err == nil {
			t.Error("no failure")
		}
		return errNo
	})
	w.is(err, errNo)
	w.must(pgx.BeginFunc(w.ctx, tx, func(inner pgx.Tx) error {
		_, err := inner.Exec(w.ctx, insert)
		return err
	}))
	w.must(w.p.Prepare(w.ctx, b))
	w.must(w.p.Commit(w.ctx, b))
	w.has(b, 2)
}

// TestEveryWayToWork writes and reads in all ways that pgx has.
func TestEveryWayToWork(t *testing.T) {
	shared := newWorld(t, nil)
	for mode := pgx.QueryExecModeCacheStatement; mode <= pgx.QueryExecModeSimpleProtocol; mode++ {
		t.Run(mode.String(), func(t *testing.T) {
			w := onto(t, shared.dsn, shared.p.Name(), nil, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode })
			b := newBranch()
			tx, err := w.p.Begin(w.ctx, b.Transaction)
			w.must(err)
			id := b.Transaction.String()
			n, err := tx.CopyFrom(w.ctx, pgx.Identifier{"effects"}, []string{"transaction"}, pgx.CopyFromRows([][]any{{b.Transaction}, {b.Transaction}}))
			if n != 2 || err != nil {
				t.Fatal(n, err)
			}
			batch := new(pgx.Batch)
			batch.Queue("INSERT INTO effects VALUES ($1)", id)
			batch.Queue("SELECT g FROM generate_series(1, 3) g")
			batch.Queue("SELECT 7")
			results := tx.SendBatch(w.ctx, batch)
			_, err = results.Exec()
			w.must(err)
			queried, err := results.Query()
			w.must(err)
			numbers, err := pgx.CollectRows(queried, pgx.RowTo[int])
			if len(numbers) != 3 || err != nil {
				t.Fatal(numbers, err)
			}
			var seven int
			w.must(results.QueryRow().Scan(&seven))
			w.must(results.Close())
			_, err = tx.Prepare(w.ctx, "mine", "INSERT INTO effects VALUES ($1)")
			w.must(err)
			var back string
			w.must(tx.QueryRow(w.ctx, "INSERT INTO effects VALUES ($1) RETURNING transaction::text", id).Scan(&back))
			w.is(tx.QueryRow(w.ctx, "SELECT 1 WHERE false").Scan(&seven), pgx.ErrNoRows)
			w.must(w.p.Prepare(w.ctx, b))
			w.must(w.p.Commit(w.ctx, b))
			w.has(b, 4)
			one := newBranch()
			w.begin(one)
			w.must(w.p.CommitOnePhase(w.ctx, one))
			w.has(one, 1)
			w.is(w.p.Rollback(w.ctx, one), participant.ErrCommitted)
			w.must(w.p.Rollback(w.ctx, newBranch()))
		})
	}
}

// TestOverIsOver uses what belonged to a branch after it is prepared or over: the
// connection is somebody else's then.
func TestOverIsOver(t *testing.T) {
	w := newWorld(t, nil, size(1))
	end := map[string]func(participant.Branch) error{
		"prepared":    func(b participant.Branch) error { return w.p.Prepare(w.ctx, b) },
		"committed":   func(b participant.Branch) error { return w.p.CommitOnePhase(w.ctx, b) },
		"rolled back": func(b participant.Branch) error { return w.p.Rollback(w.ctx, b) },
	}
	for name, end := range end {
		t.Run(name, func(t *testing.T) {
			b := newBranch()
			tx := w.begin(b)
			savepoint, err := tx.Begin(w.ctx)
			w.must(err)
			rows, err := tx.Query(w.ctx, "SELECT 1")
			w.must(err)
			rows.Close()
			w.must(end(b))
			batch := new(pgx.Batch)
			batch.Queue("SELECT 1")
			_, exec := tx.Exec(w.ctx, "SELECT 1")
			_, begin := tx.Begin(w.ctx)
			_, copied := tx.CopyFrom(w.ctx, pgx.Identifier{"effects"}, []string{"transaction"}, pgx.CopyFromRows(nil))
			_, prepared := tx.Prepare(w.ctx, "x", "SELECT 1")
			_, query := tx.Query(w.ctx, "SELECT 1")
			for call, err := range map[string]error{
				"Exec": exec, "Begin": begin, "CopyFrom": copied, "Prepare": prepared, "Query": query,
				"QueryRow": tx.QueryRow(w.ctx, "SELECT 1").Scan(nil), "SendBatch": tx.SendBatch(w.ctx, batch).Close(),
				"savepoint": savepoint.Commit(w.ctx), "rows": rows.Scan(nil),
			} {
				if !errors.Is(err, pgx.ErrTxClosed) || !errors.As(err, new(*postgres.BranchError)) {
					t.Errorf("%s: %v", call, err)
				}
			}
			w.clean()
			w.must(w.p.Rollback(w.ctx, newBranch()))
		})
	}
}
