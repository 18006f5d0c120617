package mysql_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/mysql"
)

const owner = "shop" // the coordinator

// bank is a database with accounts a and b, that hold 100 each, and a participant.
type bank struct {
	*mysql.Participant
	db  *sql.DB
	dsn string
}

// openBank opens the database at dsn, which is made where it is empty.
func openBank(t testing.TB, dsn string, o *mysql.Options) *bank {
	t.Helper()
	return openBankNamed(t, "bank", dsn, o)
}

func openBankNamed(t testing.TB, name, dsn string, o *mysql.Options) *bank {
	t.Helper()
	if o == nil {
		o = new(mysql.Options)
	}
	o.Coordinator = owner
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	p, err := mysql.New(name, db, o)
	if err != nil {
		t.Fatal(err)
	}
	b := &bank{p, db, dsn}
	for _, statement := range append(mysql.Schema,
		"CREATE TABLE IF NOT EXISTS account (name VARCHAR(10) PRIMARY KEY, balance INT NOT NULL) ENGINE=InnoDB",
		"INSERT IGNORE INTO account VALUES ('a', 100), ('b', 100)") {
		if _, err := db.ExecContext(within(t), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(b.close)
	return b
}

func (b *bank) close() {
	_ = b.Close()
	_ = b.db.Close()
}

// within is a context that ends when a test that hangs should have ended.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func newBranch() participant.Branch {
	return participant.Branch{Coordinator: owner, Transaction: uuid.Must(uuid.NewV7()), Participant: "bank"}
}

// take begins a branch that takes one from an account.
func (b *bank) take(t testing.TB, branch participant.Branch, account string) *mysql.Branch {
	t.Helper()
	tx, err := b.Begin(within(t), branch.Transaction)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(within(t), "UPDATE account SET balance = balance - 1 WHERE name = ?", account); err != nil {
		t.Fatal(err)
	}
	return tx
}

func (b *bank) balance(t testing.TB, account string) (n int) {
	t.Helper()
	if err := b.db.QueryRowContext(within(t), "SELECT balance FROM account WHERE name = ?", account).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *bank) is(t testing.TB, account string, want int) {
	t.Helper()
	if got := b.balance(t, account); got != want {
		t.Errorf("account %s has %d, not %d", account, got, want)
	}
}

// doubts expects so many branches in doubt.
func (b *bank) doubts(t testing.TB, want int) {
	t.Helper()
	ids, err := b.InDoubt(within(t), owner)
	if err != nil || len(ids) != want {
		t.Errorf("in doubt are %v (%v), not %d", ids, err, want)
	}
}

// idle waits until every connection is back in the pool or closed.
func (b *bank) idle(t testing.TB) {
	t.Helper()
	eventually(t, "the pool is idle", func() bool { return b.db.Stats().InUse == 0 })
}

var taking sync.Mutex

// alone runs the test beside all others but those that take branches over, too: for
// that InnoDB is asked what it only tells when nobody has asked for 100 ms.
func alone(t *testing.T) {
	t.Helper()
	t.Parallel()
	taking.Lock()
	t.Cleanup(taking.Unlock)
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(30 * time.Second)
	defer end.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("not within half a minute: %s", what)
		}
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("step %d: %v", i+1, err)
		}
	}
}

func mustBe(t testing.TB, want error, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if !errors.Is(err, want) {
			t.Errorf("step %d: %v, not %v", i+1, err, want)
		}
	}
}

// mustAs expects an error of the type E.
func mustAs[E error](t testing.TB, err error) (found E) {
	t.Helper()
	if !errors.As(err, &found) {
		t.Errorf("got %T: %v, not a %T", err, err, found)
	}
	return found
}

// through is the DSN with another address, and parameters.
func through(t testing.TB, dsn, addr string, params map[string]string) string {
	t.Helper()
	c, err := driver.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if addr != "" {
		c.Addr = addr
	}
	c.Params = params
	return c.FormatDSN()
}

// admin is a connection of its own to the server at dsn.
func admin(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func address(t testing.TB, dsn string) string {
	t.Helper()
	c, err := driver.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return c.Addr
}

// proxied opens the same database directly and through a proxy.
func proxied(t testing.TB, o *mysql.Options) (direct, far *bank, proxy *serverstest.Proxy) {
	t.Helper()
	dsn := serverstest.MariaDBDatabase(t)
	if o != nil {
		direct = openBank(t, dsn, &mysql.Options{Work: o.Work})
	} else {
		direct = openBank(t, dsn, nil)
	}
	proxy = serverstest.NewProxy(t, address(t, dsn))
	return direct, openBank(t, through(t, dsn, proxy.Addr(), nil), o), proxy
}

// idAt is a version 7 id of that time.
func idAt(at time.Time) uuid.UUID {
	id := uuid.Must(uuid.NewV7())
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id
}

func hexID(at time.Time) string {
	id := idAt(at)
	return hex.EncodeToString(id[:])
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// xaID is the branch's XA id, as XA statements take it.
func xaID(ctx context.Context, b *bank, id uuid.UUID) (string, error) {
	rows, err := b.db.QueryContext(ctx, "XA RECOVER")
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var format, gtrid, bqual int
		var data string
		if err := rows.Scan(&format, &gtrid, &bqual, &data); err != nil {
			return "", err
		}
		if strings.HasPrefix(data, id.String()) {
			return fmt.Sprintf("'%s','%s',%d", data[:gtrid], data[gtrid:], format), nil
		}
	}
	return "", fmt.Errorf("no branch of %s among the prepared ones (%v)", id, rows.Err())
}

// connectionOf is the preparer's connection, which is a part of the id.
func connectionOf(t testing.TB, xaID string) string {
	t.Helper()
	parts := strings.FieldsFunc(xaID, func(r rune) bool { return r == '.' || r == '\'' })
	if len(parts) < 2 {
		t.Fatalf("the id is %s", xaID)
	}
	return parts[len(parts)-2]
}

// openUnmigrated opens a bank whose tables are there, and touches none of them.
func openUnmigrated(t testing.TB, dsn string) *bank {
	t.Helper()
	return openUnmigratedNamed(t, "bank", dsn)
}

func openUnmigratedNamed(t testing.TB, name, dsn string) *bank {
	t.Helper()
	db := admin(t, dsn)
	p, err := mysql.New(name, db, &mysql.Options{Coordinator: owner, Work: move})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return &bank{p, db, dsn}
}
