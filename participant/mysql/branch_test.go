package mysql_test

import (
	"context"
	"errors"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/mysql"
)

func serverError(err error) uint16 {
	var e *driver.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

func TestBegin(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), nil)
	ctx := within(t)
	committed, rolledBack, once := newBranch(), newBranch(), newBranch()
	b.take(t, committed, "a")
	b.take(t, rolledBack, "b")
	b.is(t, "a", 100)
	must(t, b.Prepare(ctx, committed), b.Prepare(ctx, committed), b.Prepare(ctx, rolledBack))
	b.doubts(t, 2)
	must(t, b.Commit(ctx, committed), b.Rollback(ctx, rolledBack))
	b.take(t, once, "b")
	must(t, b.CommitOnePhase(ctx, once), b.CommitOnePhase(ctx, once))
	b.is(t, "a", 99)
	b.is(t, "b", 99)
	b.doubts(t, 0)

	_, err := b.Begin(ctx, committed.Transaction)
	mustBe(t, participant.ErrCommitted, err, b.Rollback(ctx, committed))
	_, err = b.Begin(ctx, rolledBack.Transaction)
	mustBe(t, participant.ErrRolledBack, err, b.Commit(ctx, rolledBack), b.Prepare(ctx, rolledBack))
	b.idle(t)
	if n := b.db.Stats().OpenConnections; n == 0 || n > 3 {
		t.Errorf("%d connections are open: they are not used again", n)
	}
}

// TestBeginTwice: one branch of a transaction, in one process or several.
func TestBeginTwice(t *testing.T) {
	t.Parallel()
	dsn := serverstest.MariaDBDatabase(t)
	b, other := openBank(t, dsn, nil), openBank(t, dsn, nil)
	ctx := within(t)
	branch := newBranch()
	tx := b.take(t, branch, "a")
	_, err := b.Begin(ctx, branch.Transaction)
	if busy := mustAs[*mysql.BusyError](t, err); busy != nil && busy.Connection == 0 {
		t.Error("it does not say which connection")
	}
	_, err = other.Begin(ctx, branch.Transaction)
	mustAs[*mysql.BusyError](t, err)
	mustAs[*mysql.NotBegunError](t, other.Prepare(ctx, branch))
	must(t, b.Prepare(ctx, branch))
	_, err = other.Begin(ctx, branch.Transaction)
	mustAs[*mysql.BusyError](t, err)
	must(t, other.Prepare(ctx, branch)) // it is
	_, err = tx.ExecContext(ctx, "UPDATE account SET balance = 0")
	mustBe(t, mysql.ErrBranchEnded, err)
	must(t, b.Commit(ctx, branch), other.Prepare(ctx, branch), other.Commit(ctx, branch))
	b.is(t, "a", 99)
	other.idle(t)
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), nil)
	ctx := within(t)
	_, err := b.db.ExecContext(ctx, "CREATE FUNCTION sneak() RETURNS INT MODIFIES SQL DATA BEGIN UPDATE account SET balance = 7 WHERE name = 'b'; RETURN 1; END")
	must(t, err)
	for what, c := range map[string]struct {
		work func(tx *mysql.Branch) error
		want error
	}{
		"nothing": {func(*mysql.Branch) error { return nil }, participant.ErrReadOnly},
		"query":   {func(tx *mysql.Branch) error { return drain(tx, "SELECT * FROM account FOR UPDATE") }, participant.ErrReadOnly},
		"big query": {func(tx *mysql.Branch) error {
			return drain(tx, "SELECT x.name FROM account x, account y, information_schema.tables z GROUP BY x.name, z.table_name ORDER BY 1")
		}, participant.ErrReadOnly},
		"row": {func(tx *mysql.Branch) error { return tx.QueryRowContext(ctx, "SELECT 1").Scan(new(int)) }, participant.ErrReadOnly},
		"exec": {func(tx *mysql.Branch) error {
			_, err := tx.ExecContext(ctx, "UPDATE account SET balance = 1")
			return err
		}, nil},
		"returning": {func(tx *mysql.Branch) error { return drain(tx, "INSERT INTO account VALUES ('c', 1) RETURNING name") }, nil},
		"function":  {func(tx *mysql.Branch) error { return drain(tx, "SELECT sneak()") }, nil},
		"query, then exec": {func(tx *mysql.Branch) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM account WHERE name = 'b'")
			return errors.Join(drain(tx, "SELECT 1"), err)
		}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			branch := newBranch()
			tx, err := b.Begin(ctx, branch.Transaction)
			must(t, err, c.work(tx))
			if err := b.Prepare(ctx, branch); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Errorf("the vote is %v", err)
			}
			if c.want == nil {
				must(t, b.Rollback(ctx, branch))
			}
			b.doubts(t, 0)
			b.idle(t)
		})
	}
}

func drain(tx *mysql.Branch, query string) error {
	rows, err := tx.QueryContext(context.Background(), query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// TestFailedStatement: it is undone alone, as in any transaction.
func TestFailedStatement(t *testing.T) {
	t.Parallel()
	b := openBank(t, through(t, serverstest.MariaDBDatabase(t), "", map[string]string{"innodb_lock_wait_timeout": "1"}), nil)
	ctx := within(t)
	branch, blocker := newBranch(), newBranch()
	b.take(t, blocker, "b")
	tx := b.take(t, branch, "a")
	for statement, want := range map[string]uint16{
		"INSERT INTO account VALUES ('a', 1)":                 1062,
		"UPDATE account SET balance = 0 WHERE name = 'b'":     1205,
		"UPDATE account SET nothing = 0":                      1054,
		"COMMIT":                                              1399,
		"CREATE TABLE other (i INT)":                          1399,
		"XA PREPARE 'x'":                                      1399,
		"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, WRONG": 1064,
	} {
		if _, err := tx.ExecContext(ctx, statement); serverError(err) != want {
			t.Errorf("%s: %v", statement, err)
		}
	}
	must(t, b.Prepare(ctx, branch), b.Commit(ctx, branch), b.Rollback(ctx, blocker))
	b.is(t, "a", 99)
	b.is(t, "b", 100)
	b.idle(t)
}

// TestDeadlock: the victim cannot be prepared, and says why.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), nil)
	ctx := within(t)
	one, two := newBranch(), newBranch()
	first, second := b.take(t, one, "a"), b.take(t, two, "b")
	done := make(chan error, 1)
	go func() {
		_, err := first.ExecContext(ctx, "UPDATE account SET balance = balance - 1 WHERE name = 'b'")
		done <- err
	}()
	_, err := second.ExecContext(ctx, "UPDATE account SET balance = balance - 1 WHERE name = 'a'")
	victim, winner := two, one
	if other := <-done; other != nil {
		victim, winner, err = one, two, other
	}
	if serverError(err) != 1213 {
		t.Fatalf("no deadlock: %v", err)
	}
	if err := b.Prepare(ctx, victim); serverError(err) != 1213 {
		t.Errorf("the victim is prepared, or does not say why not: %v", err)
	}
	must(t, b.Prepare(ctx, winner), b.Rollback(ctx, victim), b.Commit(ctx, winner))
	b.is(t, "a", 99)
	b.is(t, "b", 99)
	b.idle(t)
}

// TestStatementIsCutOff: the end of a statement's context closes the connection.
func TestStatementIsCutOff(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), nil)
	ctx := within(t)
	branch := newBranch()
	tx := b.take(t, branch, "a")
	soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := tx.ExecContext(soon, "DO SLEEP(100)")
	mustBe(t, context.DeadlineExceeded, err, b.Prepare(ctx, branch))
	b.idle(t)
	must(t, b.Rollback(ctx, branch))
	b.is(t, "a", 100)

	ended := newBranch()
	tx = b.take(t, ended, "a")
	_, err = tx.ExecContext(soon, "UPDATE account SET balance = 0") // it does not begin
	mustBe(t, context.DeadlineExceeded, err)
	must(t, b.Prepare(ctx, ended), b.Commit(ctx, ended))
	b.is(t, "a", 99)
}

// TestRollbackWhileBusy: neither a statement that waits nor rows that are left open
// hold up a rollback.
func TestRollbackWhileBusy(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), nil)
	ctx := within(t)
	blocker := newBranch()
	b.take(t, blocker, "b")
	const waits = "UPDATE account SET balance = 0 WHERE name = 'b'"
	for what, work := range map[string]func(*mysql.Branch) error{
		"statement": func(tx *mysql.Branch) error {
			_, err := tx.ExecContext(ctx, waits)
			return err
		},
		"prepared statement": func(tx *mysql.Branch) error {
			s, err := tx.PrepareContext(ctx, waits)
			if err != nil {
				return err
			}
			_, err = s.ExecContext(ctx)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			branch := newBranch()
			tx := b.take(t, branch, "a")
			done := make(chan error, 1)
			go func() { done <- work(tx) }()
			eventually(t, "the statement waits", func() bool {
				return b.count(t, "SELECT COUNT(*) FROM information_schema.processlist WHERE info = '"+
					"UPDATE account SET balance = 0 WHERE name = ''b''' ") == 1
			})
			must(t, b.Rollback(ctx, branch))
			if err := <-done; err == nil {
				t.Error("the statement succeeded")
			}
			b.is(t, "a", 100)
		})
	}
	t.Run("rows", func(t *testing.T) {
		branch, left := newBranch(), newBranch()
		for _, br := range []participant.Branch{branch, left} {
			tx, err := b.Begin(ctx, br.Transaction)
			must(t, err)
			rows, err := tx.QueryContext(ctx, "SELECT * FROM account FOR UPDATE SKIP LOCKED")
			must(t, err)
			defer rows.Close()
			rows.Next()
		}
		must(t, b.Rollback(ctx, branch))
		if err := b.Prepare(ctx, left); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a branch with open rows: %v", err)
		}
		must(t, b.Rollback(ctx, left))
	})
	must(t, b.Rollback(ctx, blocker))
	b.idle(t)
}

// TestRowsOpen: they are found out at once, and when they are closed the branch goes on.
func TestRowsOpen(t *testing.T) {
	t.Parallel()
	forgotten := func(ctx context.Context, tx *mysql.Branch, _ participant.Branch) error {
		rows, err := tx.QueryContext(ctx, "SELECT * FROM account")
		if err == nil {
			rows.Next()
			err = errRefused
		}
		return err
	}
	b := openBank(t, serverstest.MariaDBDatabase(t), &mysql.Options{Work: forgotten})
	ctx := within(t)
	branch, left, work := newBranch(), newBranch(), newBranch()
	tx, other := b.take(t, branch, "a"), b.take(t, left, "b")
	rows, err := tx.QueryContext(ctx, "SELECT * FROM account FOR UPDATE SKIP LOCKED")
	must(t, err)
	rows.Next()
	_, exec := tx.ExecContext(ctx, "UPDATE account SET balance = 0")
	_, query := tx.QueryContext(ctx, "SELECT 1")
	_, prepare := tx.PrepareContext(ctx, "SELECT 1")
	mustBe(t, mysql.ErrRowsOpen, exec, query, prepare)
	must(t, rows.Close(), b.Prepare(ctx, branch), b.Commit(ctx, branch))
	_, err = other.QueryContext(ctx, "SELECT * FROM account")
	must(t, err)
	mustBe(t, mysql.ErrRowsOpen, b.Prepare(ctx, left))
	must(t, b.Rollback(ctx, left))
	work.Payload = []byte("x")
	mustBe(t, errRefused, b.Prepare(ctx, work), b.CommitOnePhase(ctx, work))
	must(t, b.Rollback(ctx, work))
	b.is(t, "a", 99)
	b.is(t, "b", 100)
	b.idle(t)
}

func (b *bank) count(t testing.TB, query string) (n int) {
	t.Helper()
	if err := b.db.QueryRowContext(within(t), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAbandon(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), nil)
	ctx := within(t)
	branch := newBranch()
	tx := b.take(t, branch, "a")
	tx.Abandon()
	tx.Abandon()
	_, err := tx.QueryContext(ctx, "SELECT 1")
	mustBe(t, mysql.ErrBranchEnded, err)
	mustBe(t, context.Canceled, tx.QueryRowContext(ctx, "SELECT 1").Scan(new(int)))
	mustAs[*mysql.NotBegunError](t, b.Prepare(ctx, branch))
	b.idle(t)
	prepared := newBranch()
	tx = b.take(t, prepared, "a")
	must(t, b.Prepare(ctx, prepared))
	tx.Abandon()
	must(t, b.Commit(ctx, prepared))
	b.is(t, "a", 99)
	if tx.Transaction() != prepared.Transaction {
		t.Error("it is another transaction's")
	}
}

func TestBranchTimeout(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), &mysql.Options{BranchTimeout: 50 * time.Millisecond})
	ctx := within(t)
	// A slow machine may take longer than that to prepare one.
	prepare := func() (branch participant.Branch) {
		eventually(t, "a branch is prepared in time", func() bool {
			branch = newBranch()
			tx, err := b.Begin(ctx, branch.Transaction)
			must(t, err)
			_, err = tx.ExecContext(ctx, "UPDATE account SET balance = balance - 1 WHERE name = 'b'")
			return err == nil && b.Prepare(ctx, branch) == nil
		})
		b.idle(t)
		return branch
	}
	open := newBranch()
	tx, err := b.Begin(ctx, open.Transaction)
	must(t, err)
	prepared := prepare()
	_, err = tx.ExecContext(ctx, "UPDATE account SET balance = 0")
	mustAs[*mysql.TimeoutError](t, err)
	mustAs[*mysql.NotBegunError](t, b.Prepare(ctx, open))
	b.doubts(t, 1)
	must(t, b.Rollback(ctx, open), b.Commit(ctx, prepared))
	b.is(t, "a", 100)
	b.is(t, "b", 99)
	must(t, b.Rollback(ctx, prepare()))
	b.is(t, "b", 99)
	b.doubts(t, 0)
}

// TestWork: what Options.Work may be called for.
func TestWork(t *testing.T) {
	t.Parallel()
	calls := 0
	b := openBank(t, serverstest.MariaDBDatabase(t), &mysql.Options{Work: func(ctx context.Context, tx *mysql.Branch, b participant.Branch) error {
		calls++
		if string(b.Payload) == "panic" {
			panic("work")
		}
		_, err := tx.ExecContext(ctx, "UPDATE account SET balance = balance - 1 WHERE name = 'a'")
		if string(b.Payload) == "read" {
			return participant.ErrReadOnly
		}
		return err
	}})
	ctx := within(t)
	begun, without, read := newBranch(), newBranch(), newBranch()
	tx := b.take(t, begun, "b")
	begun.Payload, read.Payload = []byte("x"), []byte("read")
	mustAs[*mysql.NotBegunError](t, b.Prepare(ctx, begun))
	tx.Abandon()
	mustAs[*mysql.NotBegunError](t, b.Prepare(ctx, without))
	if calls != 0 {
		t.Errorf("Work was called %d times where it has no business", calls)
	}
	mustBe(t, participant.ErrReadOnly, b.Prepare(ctx, read))
	must(t, b.CommitOnePhase(ctx, read))
	b.is(t, "a", 100)
	panics := newBranch()
	panics.Payload = []byte("panic")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		_ = b.Prepare(ctx, panics)
	}()
	b.idle(t)
	must(t, b.Rollback(ctx, panics))
	b.doubts(t, 0)
}

// TestClose is not parallel: it counts goroutines.
func TestClose(t *testing.T) {
	dsn := serverstest.MariaDBDatabase(t)
	before := goleak.IgnoreCurrent()
	b, other := openBank(t, dsn, nil), openBank(t, dsn, nil)
	ctx := within(t)
	prepared, open := newBranch(), newBranch()
	b.take(t, prepared, "a")
	b.take(t, open, "b")
	must(t, b.Prepare(ctx, prepared), b.Close(), b.Close())
	if n := b.db.Stats().InUse; n != 0 {
		t.Errorf("%d connections are in use after Close", n)
	}
	_, err := b.Begin(ctx, uuid.Must(uuid.NewV7()))
	mustBe(t, mysql.ErrClosed, err)
	must(t, other.Commit(ctx, prepared), other.Rollback(ctx, open))
	b.is(t, "a", 99)
	b.is(t, "b", 100)
	b.close()
	other.close()
	goleak.VerifyNone(t, before)
}
