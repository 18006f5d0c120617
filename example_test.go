package dtc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdslog "log/slog"
	"os"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
)

// service is a participant that prints what it is told. A real one would keep
// its promises; see package participant.
type service struct {
	name  string
	short bool // of stock, of money …
}

var errShort = errors.New("not enough")

func (s *service) Name() string { return s.name }

func (s *service) Prepare(_ context.Context, b participant.Branch) error {
	if s.short {
		return errShort
	}
	fmt.Println(s.name, "reserves", string(b.Payload))
	return nil
}

func (s *service) Commit(_ context.Context, b participant.Branch) error {
	fmt.Println(s.name, "commits", string(b.Payload))
	return nil
}

func (s *service) Rollback(_ context.Context, b participant.Branch) error {
	fmt.Println(s.name, "releases", string(b.Payload))
	return nil
}

// quiet keeps the examples' log out of their output.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// newSystem returns an actor system that does not log.
func newSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.NewTextHandler(io.Discard, nil))
	}))
}

func open(config dtc.Config) *dtc.Coordinator {
	config.Logger = quiet
	coordinator, err := dtc.Open(newSystem(), config)
	if err != nil {
		panic(err)
	}
	return coordinator
}

// One order, in one service: the smallest program there is.
func Example() {
	ctx := context.Background()
	coordinator, err := dtc.Open(newSystem(), dtc.Config{Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer coordinator.Close()

	inventory := &service{name: "inventory"}
	err = coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
		return tx.Enlist(ctx, inventory, []byte("2 apples"))
	})
	fmt.Println("error:", err)
	// Output:
	// inventory reserves 2 apples
	// inventory commits 2 apples
	// error: <nil>
}

// Run tells three things apart: it happened, it did not, nobody knows yet.
func ExampleCoordinator_Run() {
	ctx := context.Background()
	coordinator := open(dtc.Config{})
	defer coordinator.Close()

	payment := &service{name: "payment", short: true}
	err := coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
		return tx.Enlist(ctx, payment, []byte("10 euros"))
	})
	var failed *dtc.ParticipantFailedToCommitError
	switch {
	case err == nil:
		fmt.Println("it happened")
	case errors.Is(err, dtc.ErrOutcomeUnknown): // first: who failed may stand in it too
		fmt.Println("ask Outcome later")
	case errors.As(err, &failed):
		fmt.Println("it did not happen:", failed.Participant, "said", failed.Err)
	case errors.Is(err, dtc.ErrRolledBack):
		fmt.Println("it did not happen")
	}
	// Output:
	// payment releases 10 euros
	// it did not happen: payment said not enough
}

// The same in single steps, by transaction id, from anywhere.
func ExampleCoordinator_Begin() {
	ctx := context.Background()
	coordinator := open(dtc.Config{})
	defer coordinator.Close()

	id, err := coordinator.Begin(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer coordinator.Rollback(ctx, id) // does nothing once committed

	inventory := &service{name: "inventory"}
	if err := coordinator.Enlist(ctx, id, inventory, []byte("2 apples")); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(coordinator.Outcome(ctx, id))
	fmt.Println(coordinator.Commit(ctx, id))
	fmt.Println(coordinator.Outcome(ctx, id))
	// Output:
	// active <nil>
	// inventory reserves 2 apples
	// inventory commits 2 apples
	// <nil>
	// committed <nil>
}

// Rollback undoes what was done so far, in every participant.
func ExampleCoordinator_Rollback() {
	ctx := context.Background()
	coordinator := open(dtc.Config{})
	defer coordinator.Close()

	id, _ := coordinator.Begin(ctx, nil)
	_ = coordinator.Enlist(ctx, id, &service{name: "inventory"}, []byte("2 apples"))
	fmt.Println(coordinator.Rollback(ctx, id))
	fmt.Println(errors.Is(coordinator.Commit(ctx, id), dtc.ErrRolledBack))
	// Output:
	// inventory releases 2 apples
	// <nil>
	// true
}

// Execute begins, enlists and commits in one step.
func ExampleCoordinator_Execute() {
	ctx := context.Background()
	coordinator := open(dtc.Config{})
	defer coordinator.Close()

	err := coordinator.Execute(ctx, nil,
		dtc.Enlistment{Participant: &service{name: "inventory"}, Payload: []byte("2 apples")})
	fmt.Println(err)
	// Output:
	// inventory reserves 2 apples
	// inventory commits 2 apples
	// <nil>
}

// An ID that the application chose makes a repeated request harmless.
func ExampleTxOptions() {
	ctx := context.Background()
	coordinator := open(dtc.Config{})
	defer coordinator.Close()

	request := uuid.Must(uuid.NewV7()) // kept with the customer's request
	inventory := dtc.Enlistment{Participant: &service{name: "inventory"}, Payload: []byte("2 apples")}
	for range 2 {
		fmt.Println(coordinator.Execute(ctx, &dtc.TxOptions{ID: request, Label: "order 4711"}, inventory))
	}
	// Output:
	// inventory reserves 2 apples
	// inventory commits 2 apples
	// <nil>
	// <nil>
}

// With a journal on disk, what was answered survives the process. Participants
// given to Open are reached when it finishes what was left unfinished.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	ctx := context.Background()
	inventory := &service{name: "inventory"}
	var id uuid.UUID
	for range 2 {
		journal, err := pebble.Open(dir, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		coordinator := open(dtc.Config{
			Name:         "shop",
			Journal:      journal,
			Participants: []participant.Participant{inventory},
		})
		if id == uuid.Nil {
			id, _ = coordinator.Begin(ctx, nil)
			_ = coordinator.Enlist(ctx, id, inventory, []byte("2 apples"))
			fmt.Println(coordinator.Commit(ctx, id))
		}
		fmt.Println(coordinator.Outcome(ctx, id))
		coordinator.Close() // and the journal with it
	}
	// Output:
	// inventory reserves 2 apples
	// inventory commits 2 apples
	// <nil>
	// committed <nil>
	// committed <nil>
}

// Every step is an event; the log is made from the same ones.
func ExampleConfig_events() {
	ctx := context.Background()
	coordinator := open(dtc.Config{OnEvent: func(e dtc.Event) {
		if e.Kind == dtc.EventDecided {
			fmt.Println(e.Label, e.Outcome)
		}
	}})
	defer coordinator.Close()
	_ = coordinator.Run(ctx, &dtc.TxOptions{Label: "order 4711"}, func(*dtc.Tx) error { return nil })
	// Output: order 4711 committed
}

// SlogHandler lets a logger of the standard library serve.
func ExampleSlogHandler() {
	standard := stdslog.NewTextHandler(os.Stdout, &stdslog.HandlerOptions{
		ReplaceAttr: func(_ []string, a stdslog.Attr) stdslog.Attr {
			switch a.Key {
			case "time", "transaction", "duration":
				return stdslog.Attr{}
			}
			return a
		},
	})
	ctx := context.Background()
	coordinator, err := dtc.Open(newSystem(), dtc.Config{Logger: slog.New(dtc.SlogHandler(standard))})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer coordinator.Close()
	id, _ := coordinator.Begin(ctx, &dtc.TxOptions{Label: "order 4711"})
	_ = coordinator.Rollback(ctx, id)
	// Output: level=INFO msg="transaction decided" label="order 4711" outcome="rolled back" error="dtc: rollback was asked for"
}

// Inspect tells everything about one transaction.
func ExampleCoordinator_Inspect() {
	ctx := context.Background()
	coordinator := open(dtc.Config{})
	defer coordinator.Close()

	id, _ := coordinator.Begin(ctx, nil)
	_ = coordinator.Enlist(ctx, id, &service{name: "inventory"}, nil)
	detail, _ := coordinator.Inspect(ctx, id)
	fmt.Println(detail.State, detail.Branches[0].Participant, detail.Branches[0].Standing)
	_ = coordinator.Rollback(ctx, id)
	// Output:
	// active inventory enlisted
	// inventory releases
}
