package participant_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

var ctx = context.Background()

func newBranch() participant.Branch {
	return participant.Branch{Coordinator: "c", Transaction: uuid.Must(uuid.NewV7()), Participant: "p"}
}

// naive does what it is told, as often as it is told. It notes its calls.
type naive struct {
	mu    sync.Mutex
	calls []string
	// on, if set, is called in each call.
	on func(call string, b participant.Branch) error
}

func (n *naive) Name() string { return "p" }

func (n *naive) call(name string, b participant.Branch) error {
	n.mu.Lock()
	n.calls = append(n.calls, name)
	on := n.on
	n.mu.Unlock()
	if on != nil {
		return on(name, b)
	}
	return nil
}

func (n *naive) Commit(_ context.Context, b participant.Branch) error   { return n.call("commit", b) }
func (n *naive) Rollback(_ context.Context, b participant.Branch) error { return n.call("rollback", b) }

// called says whether these were the calls, and forgets them.
func (n *naive) called(want ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	got := n.calls
	n.calls = nil
	if !slices.Equal(got, want) {
		return fmt.Errorf("the participant's calls were %q, not %q", got, want)
	}
	return nil
}

type naivePreparer struct{ *naive }

func (n naivePreparer) Prepare(_ context.Context, b participant.Branch) error {
	return n.call("prepare", b)
}

type naiveOnePhaseCommitter struct {
	naivePreparer
	committed bool
}

func (n *naiveOnePhaseCommitter) CommitOnePhase(_ context.Context, b participant.Branch) error {
	return n.call("one-phase", b)
}

func (n *naiveOnePhaseCommitter) Committed(_ context.Context, b participant.Branch) (bool, error) {
	return n.committed, n.call("committed", b)
}

type naiveRecoverer struct {
	naivePreparer
	doubt []uuid.UUID
}

func (n *naiveRecoverer) InDoubt(_ context.Context, coordinator string) ([]uuid.UUID, error) {
	return n.doubt, n.call("in doubt of "+coordinator, participant.Branch{})
}

type naiveNonBlocking struct{ *naive }

func (naiveNonBlocking) NonBlocking() {}

// wrapped is a wrapper of the user's own.
type wrapped struct{ participant.Participant }

func (w wrapped) Unwrap() participant.Participant { return w.Participant }
