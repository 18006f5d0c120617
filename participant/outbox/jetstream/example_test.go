package jetstream_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant/outbox"
	"github.com/seed-d36415c0/dtc/participant/outbox/jetstream"
)

// An order is announced if it is placed. The stream that takes "orders.>" is
// there already.
func placeOrder(ctx context.Context, coordinator *dtc.Coordinator, connection *nats.Conn) error {
	publisher, err := jetstream.New(connection, nil)
	if err != nil {
		return err
	}
	events, err := outbox.New("events", publisher, nil)
	if err != nil {
		return err
	}
	placed, err := outbox.Encode(outbox.Message{Subject: "orders.placed", Data: []byte(`{"order": 17}`)})
	if err != nil {
		return err
	}
	return coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
		// … enlist the stock and the payment …
		return tx.Enlist(ctx, events, placed)
	})
}

func Example() {
	connection, err := nats.Connect(nats.DefaultURL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer connection.Close()
	coordinator, err := dtc.Open(quietSystem(), dtc.Config{Name: "till"}) // with a Journal on disk
	if err != nil {
		fmt.Println(err)
		return
	}
	defer coordinator.Close()
	fmt.Println(placeOrder(context.Background(), coordinator, connection))
}

// What the example does.
func TestExample(t *testing.T) {
	n := open(t, nil)
	coordinator, err := dtc.Open(quietSystem(), dtc.Config{Name: "till"})
	ok(t, err)
	defer coordinator.Close()
	ok(t, placeOrder(t.Context(), coordinator, connect(t, n.server.Addr(), nil)))
	if ids := n.ids(); len(ids) != 1 {
		t.Errorf("the stream has %q", ids)
	}
}
