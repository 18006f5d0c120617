package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// sqlKeeper keeps the accounts in an SQL database, in three tables that several
// data directories may share:
//
//	dtc_demo_accounts   what can be taken from each account
//	dtc_demo_credits    what was added to accounts: rows of their own, so that no
//	                    order waits for an account that all of them pay into
//	dtc_demo_orders     the transactions that have happened
type sqlKeeper struct {
	db          *sql.DB
	dialect     dialect
	coordinator string // whose rows are meant
	p           participant.Preparer
	closeAll    func() error
}

// dialect is what differs between databases.
type dialect struct {
	name string // column type of an account's name: compared byte by byte
	// numbered: parameters are $1, $2, not question marks.
	numbered bool
	insert   string // the beginning of an insert that leaves rows as they are …
	leave    string // … and its end
}

var (
	postgresDialect = dialect{name: "text", numbered: true, insert: "INSERT INTO", leave: "ON CONFLICT DO NOTHING"}
	mysqlDialect    = dialect{name: "varbinary(256)", insert: "INSERT IGNORE INTO"}
)

// text gives a statement the database's parameters.
func (d dialect) text(statement string) string {
	if !d.numbered {
		return statement
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(statement, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		fmt.Fprintf(&b, "$%d", n)
		statement = after
	}
}

func (d dialect) schema() []string {
	return []string{
		fmt.Sprintf(`CREATE TABLE IF NOT EXISTS dtc_demo_accounts (
	site varchar(64) NOT NULL, account %s NOT NULL, balance bigint NOT NULL, PRIMARY KEY (site, account))`, d.name),
		fmt.Sprintf(`CREATE TABLE IF NOT EXISTS dtc_demo_credits (
	site varchar(64) NOT NULL, account %s NOT NULL, tx varchar(36) NOT NULL, amount bigint NOT NULL, PRIMARY KEY (site, account, tx))`, d.name),
		`CREATE TABLE IF NOT EXISTS dtc_demo_orders (
	site varchar(64) NOT NULL, tx varchar(36) NOT NULL, memo varchar(256) NOT NULL, PRIMARY KEY (site, tx))`,
	}
}

// open makes the participant's tables, and the service's.
func (k *sqlKeeper) open(migrate func(context.Context) error) error {
	if err := patiently(func() error { return migrate(context.Background()) }); err != nil {
		return err
	}
	for _, statement := range k.dialect.schema() {
		if err := k.exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// exec executes a statement that may be executed again.
func (k *sqlKeeper) exec(statement string, args ...any) error {
	return patiently(func() error {
		_, err := k.db.Exec(k.dialect.text(statement), args...)
		return err
	})
}

func (k *sqlKeeper) participant() participant.Preparer { return k.p }

func (k *sqlKeeper) close() error { return k.closeAll() }

// seedRows is how many rows one insert brings.
const seedRows = 1000

func (k *sqlKeeper) seed(opening map[string]int64) error {
	var rows []any
	for account, balance := range opening {
		rows = append(rows, k.coordinator, account, balance)
	}
	for some := range slices.Chunk(rows, 3*seedRows) {
		values := strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(some)/3), ", ")
		statement := k.dialect.insert + " dtc_demo_accounts (site, account, balance) VALUES " + values + " " + k.dialect.leave
		if err := k.exec(statement, some...); err != nil {
			return err
		}
	}
	return nil
}

func (k *sqlKeeper) held() ([]hold, error) {
	lists, ok := participant.As[participant.Recoverer](k.p)
	if !ok {
		return nil, errors.New("the database does not list what is prepared")
	}
	var ids []uuid.UUID
	err := patiently(func() (err error) {
		ids, err = lists.InDoubt(context.Background(), k.coordinator)
		return err
	})
	var all []hold
	for _, id := range ids {
		all = append(all, hold{transaction: id})
	}
	return all, err
}

// outcomes: a transaction has happened exactly if its row is there.
func (k *sqlKeeper) outcomes(ids []uuid.UUID) (map[uuid.UUID]participant.State, error) {
	states := make(map[uuid.UUID]participant.State)
	for _, id := range ids {
		states[id] = participant.RolledBack
	}
	err := patiently(func() error {
		return k.each("SELECT tx FROM dtc_demo_orders WHERE site = ?", func(rows *sql.Rows) error {
			var id uuid.UUID
			err := rows.Scan(&id)
			states[id] = participant.Committed
			return err
		})
	})
	return states, err
}

func (k *sqlKeeper) balances() (all map[string]int64, err error) {
	err = patiently(func() error {
		all = make(map[string]int64)
		add := func(rows *sql.Rows) error {
			var account string
			var amount int64
			err := rows.Scan(&account, &amount)
			all[account] += amount
			return err
		}
		return errors.Join(
			k.each("SELECT account, balance FROM dtc_demo_accounts WHERE site = ?", add),
			k.each("SELECT account, amount FROM dtc_demo_credits WHERE site = ?", add))
	})
	return all, err
}

// each goes through the rows of the site that a query finds.
func (k *sqlKeeper) each(query string, row func(*sql.Rows) error) error {
	rows, err := k.db.Query(k.dialect.text(query), k.coordinator)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// session is a transaction of a database, whatever its driver.
type session interface {
	// exec returns how many rows were changed.
	exec(ctx context.Context, statement string, args ...any) (int64, error)
	// find reads one number; false if there is no row.
	find(ctx context.Context, query string, args ...any) (int64, bool, error)
}

// do does in a transaction what an order asks. What is taken is taken in the order
// of the accounts' names, so that no two orders wait for each other.
func (d dialect) do(ctx context.Context, s session, b participant.Branch) error {
	p, err := ledger.Decode(b.Payload)
	if err != nil {
		return err
	}
	slices.SortFunc(p.Entries, func(a, b ledger.Entry) int { return cmp.Compare(a.Account, b.Account) })
	for _, e := range p.Entries {
		if e.Delta < 0 {
			err = d.take(ctx, s, b.Coordinator, e.Account, -e.Delta)
		} else {
			_, err = s.exec(ctx, d.text("INSERT INTO dtc_demo_credits (site, account, tx, amount) VALUES (?, ?, ?, ?)"),
				b.Coordinator, e.Account, b.Transaction.String(), e.Delta)
		}
		if err != nil {
			return err
		}
	}
	_, err = s.exec(ctx, d.text("INSERT INTO dtc_demo_orders (site, tx, memo) VALUES (?, ?, ?)"),
		b.Coordinator, b.Transaction.String(), p.Memo)
	return err
}

// take takes an amount from an account that has it.
func (d dialect) take(ctx context.Context, s session, site, account string, amount int64) error {
	n, err := s.exec(ctx, d.text("UPDATE dtc_demo_accounts SET balance = balance - ? WHERE site = ? AND account = ? AND balance >= ?"),
		amount, site, account, amount)
	if err != nil || n == 1 {
		return err
	}
	have, ok, err := s.find(ctx, d.text("SELECT balance FROM dtc_demo_accounts WHERE site = ? AND account = ?"), site, account)
	switch {
	case err != nil:
		return err
	case !ok:
		return &ledger.UnknownAccountError{Account: account}
	}
	return &ledger.InsufficientError{Account: account, Have: have, Want: amount}
}
