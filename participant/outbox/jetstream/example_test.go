package jetstream_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/outbox"
	"github.com/seed-d36415c0/dtc/participant/outbox/jetstream"
)

// openEvents makes a participant that publishes to the stream that takes the
// subjects "orders.>", which is there already.
func openEvents(connection *nats.Conn) (*outbox.Outbox, error) {
	publisher, err := jetstream.New(connection, nil)
	if err != nil {
		return nil, err
	}
	return outbox.New("events", publisher, nil)
}

// An order is announced if it is placed.
func placeOrder(ctx context.Context, coordinator *dtc.Coordinator, events *outbox.Outbox) error {
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
	events, err := openEvents(connection)
	if err != nil {
		fmt.Println(err)
		return
	}
	coordinator, err := dtc.Open(quietSystem(), dtc.Config{ // with a Journal on disk
		Name: "till", Participants: []participant.Participant{events},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer coordinator.Close()
	fmt.Println(placeOrder(context.Background(), coordinator, events))
}

// What the example does.
func TestExample(t *testing.T) {
	n := open(t, nil)
	coordinator, err := dtc.Open(quietSystem(), dtc.Config{Name: "till"})
	ok(t, err)
	defer coordinator.Close()
	events, err := openEvents(connect(t, n.server.Addr(), nil))
	ok(t, err)
	ok(t, placeOrder(t.Context(), coordinator, events))
	if ids := n.ids(); len(ids) != 1 {
		t.Errorf("the stream has %q", ids)
	}
}
