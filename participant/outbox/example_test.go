package outbox_test

import (
	"context"
	"errors"
	"fmt"
	stdslog "log/slog"
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant/outbox"
)

// printer is the simplest of publishers. It drops what it has printed before.
type printer struct{ seen sync.Map }

func (*printer) Check(_ context.Context, _ string, m outbox.Message) error {
	if m.Subject != "orders" {
		return errors.New("nobody listens")
	}
	return nil
}

func (p *printer) Publish(_ context.Context, id string, m outbox.Message) error {
	if _, again := p.seen.LoadOrStore(id, true); !again {
		fmt.Printf("%s: %s\n", m.Subject, m.Data)
	}
	return nil
}

// A message is published if the transaction commits.
func Example() {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.DiscardHandler)
	}))
	coordinator, err := dtc.Open(system, dtc.Config{Name: "shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer coordinator.Close()
	events, err := outbox.New("events", new(printer), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	order := func(number string, work error) error {
		placed, err := outbox.Encode(outbox.Message{Subject: "orders", Data: []byte("order " + number + " was placed")})
		if err != nil {
			return err
		}
		return coordinator.Run(context.Background(), nil, func(tx *dtc.Tx) error {
			if err := tx.Enlist(context.Background(), events, placed); err != nil {
				return err
			}
			return work // and whatever else belongs to the order
		})
	}
	fmt.Println(order("17", nil))
	fmt.Println(errors.Is(order("18", errors.New("sold out")), dtc.ErrRolledBack))
	// Output:
	// orders: order 17 was placed
	// <nil>
	// true
}
