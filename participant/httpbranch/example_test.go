package httpbranch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// A ledger in one process takes part in the transactions of another.
func Example() {
	dir, err := os.MkdirTemp("", "httpbranch")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	// The service:
	shelf, err := ledger.Open("stock", filepath.Join(dir, "stock"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shelf.Close()
	if err := shelf.Seed(map[string]ledger.Account{"widget": {Balance: 3}}); err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/dtc/stock/", httpbranch.Handler(shelf, nil))
	server := httptest.NewServer(mux)
	defer server.Close()

	// The coordinator's side:
	stock, err := httpbranch.New("stock", server.URL+"/dtc/stock", &httpbranch.Options{Recoverer: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	// What a coordinator does with it:
	ctx := context.Background()
	order := participant.Branch{
		Transaction: uuid.Must(uuid.NewV7()),
		Participant: "stock",
		Payload:     []byte(`{"entries": [{"account": "widget", "delta": -2}]}`),
	}
	fmt.Println(stock.(participant.Preparer).Prepare(ctx, order))
	another := order
	another.Transaction = uuid.Must(uuid.NewV7())
	err = stock.(participant.Preparer).Prepare(ctx, another)
	var refused *httpbranch.StatusError
	if errors.As(err, &refused) {
		fmt.Println(refused.Status, refused.Title+":", refused.Detail)
	}
	fmt.Println(stock.Commit(ctx, order))
	fmt.Println(shelf.Balance("widget"))
	// Output:
	// <nil>
	// 409 refused: ledger: account "widget" has 1 to take, not 2
	// <nil>
	// 1 <nil>
}
