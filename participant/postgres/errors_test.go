package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// expect checks that an error is of the kind, with the server's code, and says
// what to do.
func (w *world) expect(err, kind error, code, advice string) {
	w.t.Helper()
	var server *postgres.ServerError
	var pg *pgconn.PgError
	if !errors.Is(err, kind) || !errors.As(err, &server) || !errors.As(err, &pg) || pg.Code != code || !strings.Contains(err.Error(), advice) {
		w.t.Errorf("got %v; want %v, SQLSTATE %s and %q", err, kind, code, advice)
	}
}

func TestServerThatTakesNone(t *testing.T) {
	s := serverstest.Postgres(t, "max_prepared_transactions=0")
	w := worldAt(t, s.DSN("postgres"), "orders", nil)
	b := newBranch()
	w.begin(b)
	w.expect(w.p.Prepare(w.ctx, b), postgres.ErrDisabled, "55000", "max_prepared_transactions")
	w.must(w.p.Rollback(w.ctx, b))
	w.has(b, 0)
	w.is(w.p.Commit(w.ctx, newBranch()), participant.ErrRolledBack)
	one := newBranch()
	w.begin(one)
	w.must(w.p.CommitOnePhase(w.ctx, one))
	w.has(one, 1)
	w.clean()
}

func TestServerThatTakesNoMore(t *testing.T) {
	s := serverstest.Postgres(t, "max_prepared_transactions=2")
	w := worldAt(t, s.DSN("postgres"), "orders", nil)
	first, second, third := newBranch(), newBranch(), newBranch()
	w.prepare(first)
	w.prepare(second)
	w.begin(third)
	w.expect(w.p.Prepare(w.ctx, third), postgres.ErrExhausted, "53200", "max_prepared_transactions")
	w.must(w.p.Rollback(w.ctx, third))
	w.has(third, 0)
	w.must(w.p.Commit(w.ctx, first))
	fourth := newBranch()
	w.prepare(fourth)
	w.must(w.p.Commit(w.ctx, fourth))
	w.clean()
}

// TestWhatCannotBePrepared does what PostgreSQL refuses in PREPARE TRANSACTION.
func TestWhatCannotBePrepared(t *testing.T) {
	w := newWorld(t, nil)
	for _, sql := range []string{
		"CREATE TEMP TABLE t (i int)", "LISTEN x", "NOTIFY x", "SELECT pg_notify('x', '')",
		"DECLARE c CURSOR WITH HOLD FOR SELECT 1", "SELECT pg_advisory_lock(7), pg_advisory_xact_lock(7)",
	} {
		b := newBranch()
		tx := w.begin(b)
		_, err := tx.Exec(w.ctx, sql)
		w.must(err)
		w.expect(w.p.Prepare(w.ctx, b), postgres.ErrNotPreparable, "0A000", "leave that out")
		w.must(w.p.Rollback(w.ctx, b))
		w.has(b, 0)
	}
	w.clean()
}

// TestConstraintAtPrepare meets a violation that only PREPARE TRANSACTION finds.
func TestConstraintAtPrepare(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.pool.Exec(w.ctx, "CREATE TABLE IF NOT EXISTS children (p int REFERENCES accounts DEFERRABLE INITIALLY DEFERRED)")
	w.must(err)
	for _, end := range []func(context.Context, participant.Branch) error{w.p.Prepare, w.p.CommitOnePhase} {
		b := newBranch()
		tx := w.begin(b)
		_, err := tx.Exec(w.ctx, "INSERT INTO children VALUES (77)")
		w.must(err)
		var pg *pgconn.PgError
		if err := end(w.ctx, b); !errors.As(err, &pg) || pg.Code != "23503" {
			t.Error(err)
		}
		if is, err := w.p.Committed(w.ctx, b); is || err != nil {
			t.Error(is, err)
		}
		w.has(b, 0)
	}
	w.clean()
}

func TestNotMigrated(t *testing.T) {
	w := newWorld(t, nil)
	w.p = w.participant(w.p.Name(), &postgres.Options{Schema: `not "there" ` + w.p.Name(), Work: effect})
	b := newBranch()
	w.begin(b)
	w.expect(w.p.Prepare(w.ctx, b), postgres.ErrNotMigrated, "42P01", "Migrate")
	w.expect(w.p.Rollback(w.ctx, b), postgres.ErrNotMigrated, "42P01", "Migrate")
	w.expect(w.p.Prepare(w.ctx, newBranch()), postgres.ErrNotMigrated, "42P01", "Migrate")
	_, err := w.p.Purge(w.ctx, time.Now())
	w.expect(err, postgres.ErrNotMigrated, "42P01", "Migrate")
	w.must(w.p.Migrate(w.ctx))
	w.must(w.p.Rollback(w.ctx, b))
	w.prepare(newBranch())
	w.clean()
}

// TestOtherDatabase uses one name for two databases of a server.
func TestOtherDatabase(t *testing.T) {
	w := worldAt(t, serverstest.PostgresDatabase(t), "orders", nil)
	other := worldAt(t, serverstest.PostgresDatabase(t), "orders", nil) // of the same server
	b := newBranch()
	w.prepare(b)
	other.begin(b)
	w.expect(other.p.Prepare(w.ctx, b), postgres.ErrOtherDatabase, "42710", "name of its own")
	w.expect(other.p.Commit(w.ctx, b), postgres.ErrOtherDatabase, "0A000", "name of its own")
	w.expect(other.p.Rollback(w.ctx, b), postgres.ErrOtherDatabase, "0A000", "name of its own")
	if ids, err := other.p.InDoubt(w.ctx, "shop"); len(ids) != 0 || err != nil {
		t.Error(ids, err)
	}
	w.must(w.p.Commit(w.ctx, b))
	w.has(b, 1)
}

// bob makes a role that may use the participant's tables, and a participant that
// connects as him.
func (w *world) bob(o *postgres.Options) *postgres.Participant {
	w.t.Helper()
	_, err := w.pool.Exec(w.ctx, `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bob') THEN CREATE ROLE bob LOGIN; END IF; END $$;
		GRANT USAGE ON SCHEMA dtc TO bob; GRANT SELECT, INSERT, UPDATE ON dtc.branches TO bob; GRANT SELECT ON dtc.horizon TO bob; GRANT INSERT ON effects TO bob`)
	w.must(err)
	pool := newPool(w.t, w.dsn, func(c *pgxpool.Config) { c.ConnConfig.User = "bob" })
	p, err := postgres.New(w.p.Name(), pool, o)
	w.must(err)
	w.t.Cleanup(p.Close)
	return p
}

func TestOtherRole(t *testing.T) {
	w := newWorld(t, nil)
	bob := w.bob(&postgres.Options{Work: effect})
	w.must(bob.Migrate(w.ctx)) // it is there: he needs no right to make it
	b := newBranch()
	w.prepare(b)
	w.expect(bob.Commit(w.ctx, b), postgres.ErrPermission, "42501", "role that prepares")
	w.expect(bob.Rollback(w.ctx, b), postgres.ErrPermission, "42501", "role that prepares")
	w.must(w.p.Commit(w.ctx, b))
	w.has(b, 1)
	his := newBranch()
	w.must(bob.Prepare(w.ctx, his))
	w.must(bob.Commit(w.ctx, his))
	w.has(his, 1)
	_, err := w.pool.Exec(w.ctx, "REVOKE INSERT ON dtc.branches FROM bob")
	w.must(err)
	w.expect(bob.Prepare(w.ctx, newBranch()), postgres.ErrPermission, "42501", "grant")
	_, err = bob.Purge(w.ctx, time.Now())
	w.expect(err, postgres.ErrPermission, "42501", "grant")
}

// TestWorkThatWasRolledBack has Work say what is final in one phase.
func TestWorkThatWasRolledBack(t *testing.T) {
	says := fmt.Errorf("elsewhere: %w", participant.ErrRolledBack)
	w := newWorld(t, &postgres.Options{Work: func(context.Context, pgx.Tx, participant.Branch) error { return says }})
	b := newBranch()
	w.is(w.p.CommitOnePhase(w.ctx, b), says)
	late := w.participant(w.p.Name(), &postgres.Options{Work: effect})
	w.is(late.CommitOnePhase(w.ctx, b), participant.ErrRolledBack)
	w.has(b, 0)
}

func TestReadOnlyServer(t *testing.T) {
	w := newWorld(t, nil)
	pool := newPool(t, w.dsn, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on" })
	standby, err := postgres.New(w.p.Name(), pool, &postgres.Options{Work: effect})
	w.must(err)
	t.Cleanup(standby.Close)
	w.expect(standby.Rollback(w.ctx, newBranch()), postgres.ErrNotPrimary, "25006", "primary")
	w.expect(standby.Prepare(w.ctx, newBranch()), postgres.ErrNotPrimary, "25006", "primary")
}

// TestSerialization meets serialization failures where the application works, in
// Work, and at the end.
func TestSerialization(t *testing.T) {
	wrapped := errors.New("the application's own")
	spend := func(ctx context.Context, tx pgx.Tx, b participant.Branch) error {
		var sum int
		if err := tx.QueryRow(ctx, "SELECT sum(balance) FROM accounts").Scan(&sum); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE accounts SET balance = balance - 1 WHERE id = $1", int(b.Payload[0])); err != nil {
			return fmt.Errorf("%w: %w", wrapped, err)
		}
		return nil
	}
	w := newWorld(t, &postgres.Options{TxOptions: pgx.TxOptions{IsoLevel: pgx.Serializable}, Work: spend})
	one, other := newBranch(), newBranch()
	one.Payload, other.Payload = []byte{1}, []byte{2}
	for _, b := range []participant.Branch{one, other} { // write skew
		tx, err := w.p.Begin(w.ctx, b.Transaction)
		w.must(err)
		w.must(spend(w.ctx, tx, b))
	}
	w.must(w.p.Prepare(w.ctx, one))
	w.expect(w.p.Prepare(w.ctx, other), postgres.ErrSerialization, "40001", "run the whole transaction again")
	w.must(w.p.Rollback(w.ctx, other))
	w.must(w.p.Commit(w.ctx, one))

	late, first := newBranch(), newBranch()
	late.Payload, first.Payload = []byte{3}, []byte{3}
	tx, err := w.p.Begin(w.ctx, late.Transaction)
	w.must(err)
	_, err = tx.Exec(w.ctx, "SELECT * FROM accounts")
	w.must(err)
	w.must(w.p.CommitOnePhase(w.ctx, first))
	if err := spend(w.ctx, tx, late); err == nil {
		t.Fatal("no serialization failure")
	}
	err = w.p.Prepare(w.ctx, late) // the application did not look
	w.expect(err, postgres.ErrSerialization, "40001", "run the whole transaction again")
	w.must(w.p.Rollback(w.ctx, late))

	inWork := newBranch()
	inWork.Payload = []byte{4}
	failing := w.participant("failing", &postgres.Options{Work: func(ctx context.Context, tx pgx.Tx, b participant.Branch) error {
		return fmt.Errorf("%w: %w", wrapped, &pgconn.PgError{Code: "40P01", Message: "deadlock detected"})
	}})
	err = failing.Prepare(w.ctx, inWork)
	w.expect(err, postgres.ErrSerialization, "40P01", "run the whole transaction again")
	w.is(err, wrapped)
	w.clean()
}
