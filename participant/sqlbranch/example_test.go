package sqlbranch_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

// A shop's stock in SQLite: Try puts pieces aside, Confirm takes them away, Cancel
// puts them back. The payload is the item's name.
func ExampleNewTCC() {
	ctx := context.Background()
	shop, remove, err := openStock(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer remove()
	update := func(query string) sqlbranch.Work {
		return func(ctx context.Context, tx *sql.Tx, b participant.Branch) error {
			result, err := tx.ExecContext(ctx, query, string(b.Payload))
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n == 0 {
				return errors.Join(err, fmt.Errorf("no %s left", b.Payload))
			}
			return nil
		}
	}
	stock, err := sqlbranch.NewTCC("stock", shop, sqlbranch.TCC{
		Try:     update("UPDATE stock SET free = free - 1, aside = aside + 1 WHERE item = ? AND free > 0"),
		Confirm: update("UPDATE stock SET aside = aside - 1 WHERE item = ?"),
		Cancel:  update("UPDATE stock SET aside = aside - 1, free = free + 1 WHERE item = ?"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	// What a coordinator does with branches:
	order := participant.Branch{Coordinator: "shop", Transaction: uuid.Must(uuid.NewV7()), Payload: []byte("lamp")}
	other := participant.Branch{Coordinator: "shop", Transaction: uuid.Must(uuid.NewV7()), Payload: []byte("lamp")}
	fmt.Println(stock.Prepare(ctx, order))
	fmt.Println(stock.Prepare(ctx, other))
	fmt.Println(stock.Rollback(ctx, other))
	fmt.Println(errors.Is(stock.Prepare(ctx, other), participant.ErrRolledBack))
	fmt.Println(stock.Commit(ctx, order), stock.Commit(ctx, order))
	var free, aside int
	fmt.Println(shop.DB.QueryRow("SELECT free, aside FROM stock").Scan(&free, &aside), free, aside)
	// Output:
	// <nil>
	// no lamp left
	// <nil>
	// true
	// <nil> <nil>
	// <nil> 0 0
}

// A consumer of messages that may come more than once.
func ExampleDatabase_Once() {
	ctx := context.Background()
	shop, remove, err := openStock(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer remove()
	receive := func(message string) {
		first, err := shop.Once(ctx, "deliveries/"+message, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE stock SET free = free + 5")
			return err
		})
		fmt.Println(message, first, err)
	}
	receive("17")
	receive("17")
	receive("18")
	var free int
	fmt.Println(shop.DB.QueryRow("SELECT free FROM stock").Scan(&free), free)
	// Output:
	// 17 true <nil>
	// 17 false <nil>
	// 18 true <nil>
	// <nil> 11
}

// openStock makes a database with one lamp, in a file that remove removes.
func openStock(ctx context.Context) (shop sqlbranch.Database, remove func(), err error) {
	dir, err := os.MkdirTemp("", "stock")
	if err != nil {
		return shop, nil, err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "stock")+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		return shop, nil, err
	}
	shop = sqlbranch.Database{DB: db, Dialect: sqlbranch.SQLite}
	if err := shop.Migrate(ctx); err != nil {
		return shop, nil, err
	}
	_, err = db.ExecContext(ctx, "CREATE TABLE stock (item TEXT PRIMARY KEY, free INT, aside INT); INSERT INTO stock VALUES ('lamp', 1, 0)")
	return shop, func() { db.Close(); os.RemoveAll(dir) }, err
}
