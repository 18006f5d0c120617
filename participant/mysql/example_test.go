package mysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/mysql"
)

func Example() {
	if err := pay("shop@tcp(127.0.0.1:3306)/payment"); err != nil {
		fmt.Println(err)
	}
}

// pay takes 3 from an account, in a transaction in which other services could take
// part as well.
func pay(dsn string) error {
	ctx := context.Background()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(120) // more than the coordinator's MaxTransactions
	payment, err := mysql.New("payment", db, &mysql.Options{Coordinator: "shop"})
	if err != nil {
		return err
	}
	defer payment.Close()
	if err := payment.Migrate(ctx); err != nil {
		return err
	}
	coordinator, err := dtc.Open(actor.NewActorSystem(), dtc.Config{ // with a Journal, where it matters
		Name:         "shop",
		Participants: []participant.Participant{payment},
	})
	if err != nil {
		return err
	}
	defer coordinator.Close()
	return coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
		if err := tx.Enlist(ctx, payment, nil); err != nil {
			return err
		}
		branch, err := payment.Begin(ctx, tx.ID())
		if err != nil {
			return err
		}
		_, err = branch.ExecContext(ctx, "UPDATE account SET balance = balance - ? WHERE name = ?", 3, "a")
		return err
	})
}

func TestExample(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), nil)
	must(t, pay(b.dsn))
	b.is(t, "a", 97)
}
