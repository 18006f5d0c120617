package remote

import (
	"errors"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
)

// question is what a participant is asked: *messages.Prepare, Commit or Rollback.
type question interface {
	GetBranch() *messages.Branch
	GetAttempt() uint32
}

// isPrepare tells whether the question comes before the decision.
func isPrepare(q question) bool {
	_, ok := q.(*messages.Prepare)
	return ok
}

// sameKind tells whether two questions want the same.
func sameKind(a, b question) bool { return reflect.TypeOf(a) == reflect.TypeOf(b) }

// answer is what a participant's error, or nil, means as an answer.
func answer(q question, err error) any {
	rolledBack := errors.Is(err, participant.ErrRolledBack)
	switch q := q.(type) {
	case *messages.Prepare:
		switch {
		case err == nil:
			return q.Yes()
		case errors.Is(err, participant.ErrReadOnly):
			return q.ReadOnly()
		case rolledBack:
			return q.AlreadyRolledBack()
		}
		return q.No(err)
	case *messages.Commit:
		switch {
		case err == nil:
			return q.Done()
		case rolledBack:
			return q.AlreadyRolledBack()
		}
		return q.Failed(err)
	case *messages.Rollback:
		if err == nil || rolledBack {
			return q.Done()
		}
		return q.Failed(err)
	}
	return nil
}

// Limits of names, in bytes, as package dtc has them.
const (
	maxCoordinatorName = 64
	maxParticipantName = 128
)

// servable refuses a participant that cannot be served.
func (n *Node) servable(p participant.Participant) error {
	if p == nil {
		return &NameError{Reason: "the participant is nil"}
	}
	name := p.Name()
	switch {
	case name == "" || len(name) > maxParticipantName:
		return &NameError{Name: name, Reason: "must have 1 to 128 bytes"}
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return &NameError{Name: name, Reason: "must be UTF-8 without control characters"}
	}
	if driven, ok := participant.As[participant.MessageDriven](p); ok {
		if at := driven.PID().GetAddress(); at != n.Address() && at != unlistened {
			return &KindError{Participant: name, Reason: "its actor is in another process, at " + at}
		}
		return nil
	}
	if _, ok := participant.As[participant.Preparer](p); !ok {
		return &KindError{Participant: name,
			Reason: "it is one-phase; give it a Prepare that makes sure that Commit will succeed, or enlist it in the coordinator's process"}
	}
	return nil
}

// branchOf returns the branch that a question is about; the front has found the
// participant by its name.
func branchOf(q question) (participant.Branch, error) {
	m := q.GetBranch()
	name := m.GetParticipant()
	id, err := m.ID()
	switch {
	case err != nil:
		return participant.Branch{}, errBranch(name, err.Error())
	case len(m.GetCoordinator()) > maxCoordinatorName:
		return participant.Branch{}, errBranch(name, "the coordinator's name is over 64 bytes")
	}
	b := participant.Branch{Coordinator: m.GetCoordinator(), Transaction: id, Participant: name}
	if len(m.GetPayload()) > 0 {
		b.Payload = m.GetPayload()
	}
	return b, nil
}

// expired tells whether the question is a Prepare that has come too late.
func expired(q question) bool {
	p, ok := q.(*messages.Prepare)
	return ok && p.Expired(time.Now())
}
