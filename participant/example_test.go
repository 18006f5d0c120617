package participant_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// printer does its work again each time it is asked.
type printer struct{}

func (printer) Name() string { return "printer" }

func (printer) Commit(_ context.Context, b participant.Branch) error {
	fmt.Printf("printing %s\n", b.Payload)
	return nil
}

func (printer) Rollback(_ context.Context, b participant.Branch) error {
	fmt.Printf("shredding %s\n", b.Payload)
	return nil
}

func ExampleIdempotent() {
	p := participant.Idempotent(printer{}, new(participant.MemoryStore))
	ctx := context.Background()
	label := participant.Branch{Transaction: uuid.Must(uuid.NewV7()), Participant: p.Name(), Payload: []byte("label")}

	fmt.Println(p.Commit(ctx, label))
	fmt.Println(p.Commit(ctx, label)) // comes again
	fmt.Println(p.Rollback(ctx, label))
	fmt.Println(errors.Is(p.Commit(ctx, label), participant.ErrRolledBack)) // comes late

	unknown := participant.Branch{Transaction: uuid.Must(uuid.NewV7()), Participant: p.Name(), Payload: []byte("invoice")}
	fmt.Println(p.Rollback(ctx, unknown))
	// Output:
	// printing label
	// <nil>
	// <nil>
	// shredding label
	// <nil>
	// true
	// <nil>
}
