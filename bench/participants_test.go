package bench

import (
	"context"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// memo is a two-phase participant that does what a participant of the floor
// does: it notes a branch that is prepared, and forgets it when it is decided.
type memo struct {
	name     string
	prepared map[uuid.UUID]struct{}
	refuses  error
}

func newMemo(name string) *memo { return &memo{name: name, prepared: make(map[uuid.UUID]struct{})} }

func (m *memo) Name() string { return m.name }

func (m *memo) Prepare(_ context.Context, b participant.Branch) error {
	if m.refuses != nil {
		return m.refuses
	}
	m.prepared[b.Transaction] = struct{}{}
	return nil
}

func (m *memo) Commit(_ context.Context, b participant.Branch) error {
	delete(m.prepared, b.Transaction)
	return nil
}

func (m *memo) Rollback(_ context.Context, b participant.Branch) error {
	delete(m.prepared, b.Transaction)
	return nil
}

func (m *memo) NonBlocking() {}

// recoverable is a memo that lists its own branches in doubt, so that no intent
// record is needed. There are none to list: nothing of a memo survives.
type recoverable struct{ *memo }

func newRecoverable(name string) *recoverable { return &recoverable{newMemo(name)} }

func (recoverable) InDoubt(context.Context, string) ([]uuid.UUID, error) { return nil, nil }

// three returns a participant for each of the names that all benchmarks use.
func three[P participant.Participant](make func(name string) P) []participant.Participant {
	return []participant.Participant{make("inventory"), make("payment"), make("shipping")}
}
