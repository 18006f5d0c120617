package remote_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant/ledger"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// A ledger is served by one node and enlisted through another; here both are in
// one process, so that the example runs by itself, and without certificates.
func Example() {
	dir, err := os.MkdirTemp("", "remote")
	check(err)
	defer os.RemoveAll(dir)

	// The process that holds the stock:
	stock, err := ledger.Open("stock", filepath.Join(dir, "stock"), nil)
	check(err)
	defer stock.Close()
	check(stock.Seed(map[string]ledger.Account{"widget": {Balance: 3}}))
	warehouse, err := remote.Listen(quietSystem(), remote.Config{Insecure: true})
	check(err)
	defer warehouse.Close()
	check(warehouse.Serve(stock))

	// The process of the coordinator:
	system := quietSystem()
	shop, err := remote.Listen(system, remote.Config{Insecure: true})
	check(err)
	defer shop.Close()
	coordinator, err := dtc.Open(system, dtc.Config{Logger: quiet})
	check(err)
	defer coordinator.Close()

	there := shop.Participant("stock", warehouse.Address())
	for range 2 {
		err := coordinator.Execute(context.Background(), nil, dtc.Enlistment{
			Participant: there,
			Payload:     []byte(`{"entries": [{"account": "widget", "delta": -2}]}`),
		})
		fmt.Println("rolled back:", errors.Is(err, dtc.ErrRolledBack))
		var failed *dtc.ParticipantFailedToCommitError
		if errors.As(err, &failed) {
			fmt.Println(failed.Err)
		}
	}
	fmt.Println(stock.Balance("widget"))
	// Output:
	// rolled back: false
	// rolled back: true
	// ledger: account "widget" has 1 to take, not 2
	// 1 <nil>
}

// check is for what does not go wrong in an example.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
