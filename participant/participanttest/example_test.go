package participanttest_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

// till remembers what it has sold, but not what it must not sell any more.
type till struct{ sold map[uuid.UUID]int }

func (t till) Name() string { return "till" }

func (t till) Commit(_ context.Context, b participant.Branch) error {
	t.sold[b.Transaction] = 1
	return nil
}

func (t till) Rollback(_ context.Context, b participant.Branch) error {
	delete(t.sold, b.Transaction)
	return nil
}

// NonBlocking: the map needs no lock.
func (till) NonBlocking() {}

// In a test, participanttest.Run(t, harness) reports the same.
func ExampleCheck() {
	harness := participanttest.Harness{Open: func(string) (*participanttest.Service, error) {
		p := till{sold: map[uuid.UUID]int{}}
		return &participanttest.Service{
			Participant: p,
			Effects:     func(b participant.Branch) (int, error) { return p.sold[b.Transaction], nil },
		}, nil
	}}
	broken, err := participanttest.Check(harness)
	if err != nil {
		fmt.Println(err)
	}
	for _, violation := range broken {
		fmt.Println(violation.Promise.Sentence)
	}
	// Output:
	// Rollback of a branch that was never heard of is remembered: a call that overtook it is refused with ErrRolledBack.
	// A Commit that comes after Rollback is refused with ErrRolledBack and has no effect.
}
