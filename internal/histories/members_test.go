package histories_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// The participants: two-phase ones, one of which refuses everything, and a
// one-phase one. There are more than a transaction may have.
const (
	members         = 5
	maxParticipants = 4
	refuser         = 2
	oneStepper      = 3
)

// member is a participant that remembers what became of each branch, and lets
// others run in the middle of a call.
type member struct {
	name     string
	mu       sync.Mutex
	branches map[uuid.UUID]byte
}

func newMembers() (list [members]participant.Participant) {
	for i := range list {
		m := &member{name: fmt.Sprint("member ", i), branches: make(map[uuid.UUID]byte)}
		switch i {
		case oneStepper:
			list[i] = m
		default:
			list[i] = &voter{m, i == refuser}
		}
	}
	return list
}

// what remembers of a branch: p, c or r; 0 for an untouched one.
func what(p participant.Participant, id uuid.UUID) byte {
	m, ok := p.(*member)
	if !ok {
		m = p.(*voter).member
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.branches[id]
}

func (m *member) Name() string { return m.name }

func (m *member) Commit(_ context.Context, b participant.Branch) error   { return m.becomes(b, 'c') }
func (m *member) Rollback(_ context.Context, b participant.Branch) error { return m.becomes(b, 'r') }

func (m *member) becomes(b participant.Branch, state byte) error {
	runtime.Gosched()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.branches[b.Transaction] = state
	return nil
}

// voter is a two-phase member.
type voter struct {
	*member
	refuses bool
}

var errRefused = errors.New("not with me")

func (v *voter) Prepare(_ context.Context, b participant.Branch) error {
	if v.refuses {
		runtime.Gosched()
		return errRefused
	}
	return v.becomes(b, 'p')
}
