package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// One transaction over two databases: an order in the one, stock in the other.
func Example() {
	if err := order(context.Background(), "postgres://shop@db1/orders", "postgres://shop@db2/stock"); err != nil {
		fmt.Println(err)
	}
}

func order(ctx context.Context, ordersDSN, stockDSN string) error {
	ordersPool, err := pgxpool.New(ctx, ordersDSN)
	if err != nil {
		return err
	}
	defer ordersPool.Close()
	stockPool, err := pgxpool.New(ctx, stockDSN)
	if err != nil {
		return err
	}
	defer stockPool.Close()

	// The work of the one is done where the application is, that of the other from
	// the payload.
	orders, err := postgres.New("orders", ordersPool, nil)
	if err != nil {
		return err
	}
	defer orders.Close()
	stock, err := postgres.New("stock", stockPool, &postgres.Options{
		Work: func(ctx context.Context, tx pgx.Tx, b participant.Branch) error {
			_, err := tx.Exec(ctx, "UPDATE stock SET remaining = remaining - 1 WHERE item = $1", string(b.Payload))
			return err
		},
	})
	if err != nil {
		return err
	}
	defer stock.Close()
	if err := errors.Join(orders.Migrate(ctx), stock.Migrate(ctx)); err != nil {
		return err
	}

	// In earnest, with a journal on disk: see package journal/pebble.
	coordinator, err := dtc.Open(actor.NewActorSystem(), dtc.Config{Name: "shop"})
	if err != nil {
		return err
	}
	defer coordinator.Close()
	return coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
		db, err := orders.Begin(ctx, tx.ID())
		if err != nil {
			return err
		}
		if err := tx.Enlist(ctx, orders, nil); err != nil {
			return err
		}
		if err := tx.Enlist(ctx, stock, []byte("widget")); err != nil {
			return err
		}
		_, err = db.Exec(ctx, "INSERT INTO orders (item) VALUES ($1)", "widget")
		return err
	})
}

// TestExample runs what the example shows.
func TestExample(t *testing.T) {
	ordersDSN, stockDSN := serverstest.PostgresDatabase(t), serverstest.PostgresDatabase(t)
	noLeaks(t)
	ctx := newContext(t)
	for dsn, sql := range map[string]string{
		ordersDSN: "CREATE TABLE orders (item text)",
		stockDSN:  "CREATE TABLE stock (item text, remaining int CHECK (remaining >= 0)); INSERT INTO stock VALUES ('widget', 1)",
	} {
		if _, err := newPool(t, dsn).Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := order(ctx, ordersDSN, stockDSN); err != nil {
		t.Fatal(err)
	}
	if err := order(ctx, ordersDSN, stockDSN); !errors.Is(err, dtc.ErrRolledBack) { // none is left
		t.Fatal(err)
	}
	var n int
	if err := newPool(t, ordersDSN).QueryRow(ctx, "SELECT count(*) FROM orders").Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
}
