package sqlbranch_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

var errSoldOut = errors.New("sold out")

// add adds to what is held and sold of the item that is the payload. It leaves
// nothing where the item is "none".
func add(d sqlbranch.Dialect, held, sold int) sqlbranch.Work {
	const insert = "INSERT INTO stock (item, held, sold) VALUES ('%s', %d, %d) "
	upsert := insert + "ON CONFLICT (item) DO UPDATE SET held = stock.held + (%[2]d), sold = stock.sold + (%[3]d)"
	if d == sqlbranch.MySQL {
		upsert = insert + "ON DUPLICATE KEY UPDATE held = held + (%[2]d), sold = sold + (%[3]d)"
	}
	return func(ctx context.Context, tx *sql.Tx, b participant.Branch) error {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(upsert, b.Payload, held, sold)); err != nil {
			return err
		}
		if string(b.Payload) == "none" {
			return errSoldOut
		}
		return nil
	}
}

func tcc(d sqlbranch.Dialect) sqlbranch.TCC {
	return sqlbranch.TCC{Try: add(d, 1, 0), Confirm: add(d, -1, 1), Cancel: add(d, -1, 0)}
}

func saga(d sqlbranch.Dialect) sqlbranch.Saga {
	return sqlbranch.Saga{Do: add(d, 0, 1), Undo: add(d, 0, -1)}
}

func newTCC(t testing.TB, name string, db sqlbranch.Database) *sqlbranch.TwoPhase {
	t.Helper()
	p, err := sqlbranch.NewTCC(name, db, tcc(db.Dialect))
	must(t, err)
	return p
}

func newSaga(t testing.TB, name string, db sqlbranch.Database) *sqlbranch.OnePhase {
	t.Helper()
	p, err := sqlbranch.NewSaga(name, db, saga(db.Dialect))
	must(t, err)
	return p
}

// stock is what is held and sold of an item.
func stock(db *sql.DB, item string) (held, sold int, err error) {
	err = db.QueryRow(fmt.Sprintf("SELECT held, sold FROM stock WHERE item = '%s'", item)).Scan(&held, &sold)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return held, sold, err
}

func wantStock(t testing.TB, db *sql.DB, item string, held, sold int) {
	t.Helper()
	gotHeld, gotSold, err := stock(db, item)
	if err != nil || gotHeld != held || gotSold != sold {
		t.Errorf("of %s %d are held and %d sold (%v); want %d and %d", item, gotHeld, gotSold, err, held, sold)
	}
}
