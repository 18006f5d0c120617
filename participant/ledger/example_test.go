package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	stock, err := ledger.Open("stock", filepath.Join(dir, "stock"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stock.Close()
	if err := stock.Seed(map[string]ledger.Account{"widget": {Balance: 3}}); err != nil {
		fmt.Println(err)
		return
	}

	// What a coordinator does with a branch:
	ctx := context.Background()
	order := participant.Branch{
		Transaction: uuid.Must(uuid.NewV7()),
		Participant: stock.Name(),
		Payload:     []byte(`{"entries": [{"account": "widget", "delta": -2}], "memo": "order 17"}`),
	}
	fmt.Println(stock.Prepare(ctx, order))
	other := order
	other.Transaction = uuid.Must(uuid.NewV7())
	err = stock.Prepare(ctx, other)
	var short *ledger.InsufficientError
	fmt.Println(errors.As(err, &short), err)
	fmt.Println(stock.Commit(ctx, order))
	fmt.Println(stock.Balance("widget"))
	// Output:
	// <nil>
	// true ledger: account "widget" has 1 to take, not 2
	// <nil>
	// 1 <nil>
}
