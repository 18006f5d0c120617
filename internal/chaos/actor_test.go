package chaos

import (
	"errors"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
)

// spokesman is the actor of a participant that is driven by messages. It asks its
// clerk. It may be struck where a user's actor would be, and answers nonsense
// before it answers.
type spokesman struct {
	clerk twoStep
	calls int
}

// spawn makes a participant of a clerk, with the spokesman as its actor.
func (s *spokesman) spawn(system *actor.ActorSystem, c *clerk) participant.Participant {
	c.kind = "actor."
	s.clerk = twoStep{c}
	// A user's actor that panics is restarted; what it knows is in the clerk.
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return s }))
	return participant.Actor(c.name, pid)
}

func (s *spokesman) Receive(c actor.Context) {
	if c.Sender() != nil {
		all := nonsense(c.Message())
		c.Send(c.Sender(), all[s.calls%len(all)])
		s.calls++
	}
	switch m := c.Message().(type) {
	case *messages.Prepare:
		c.Respond(s.prepare(m))
	case *messages.Commit:
		if err := s.clerk.Commit(background, branchOf(m.GetBranch())); err != nil {
			c.Respond(m.Failed(err))
			return
		}
		c.Respond(m.Done())
	case *messages.Rollback:
		if err := s.clerk.Rollback(background, branchOf(m.GetBranch())); err != nil {
			c.Respond(m.Failed(err))
			return
		}
		c.Respond(m.Done())
	}
}

func (s *spokesman) prepare(m *messages.Prepare) any {
	switch err := s.clerk.Prepare(background, branchOf(m.GetBranch())); {
	case err == nil:
		return m.Yes()
	case errors.Is(err, participant.ErrReadOnly):
		return m.ReadOnly()
	case errors.Is(err, participant.ErrRolledBack):
		return m.AlreadyRolledBack()
	default:
		return m.No(err)
	}
}

func branchOf(b *messages.Branch) participant.Branch {
	id, _ := b.ID()
	return participant.Branch{
		Coordinator: b.GetCoordinator(), Transaction: id, Participant: b.GetParticipant(), Payload: b.GetPayload(),
	}
}

// nonsense is what an actor could send to a coordinator, whose address it has,
// and should not: messages that are none, are empty, are not for it, or answer
// what was not asked.
func nonsense(call any) []any {
	foreign, answer := uuid.Must(uuid.NewV7()), &messages.Voted{Vote: messages.Vote_VOTE_YES, Attempt: 1}
	answer.Transaction = foreign[:]
	all := []any{
		"nonsense", 7, struct{}{}, errStruck, answer,
		&messages.Voted{}, (*messages.Voted)(nil), &messages.Acked{}, (*messages.Acked)(nil),
		&messages.Inquire{}, (*messages.Inquire)(nil), &messages.Inquire{Transaction: []byte("short")},
		&messages.Prepare{}, &messages.Decided{}, &messages.Branch{},
		&messages.Call{}, (*messages.Call)(nil), &messages.Answer{}, &messages.Begin{}, &messages.AskCommit{},
		&actor.Terminated{}, &actor.Started{}, &actor.Restarting{},
	}
	switch m := call.(type) {
	case *messages.Prepare:
		later, kind := m.Yes(), &messages.Commit{Branch: m.GetBranch(), Attempt: m.GetAttempt()}
		later.Attempt++
		all = append(all, later, kind.Done(), m.GetBranch().Inquire())
	case *messages.Commit:
		kind := &messages.Prepare{Branch: m.GetBranch(), Attempt: m.GetAttempt()}
		all = append(all, kind.Yes(), kind.No(errStruck), m.GetBranch().Inquire())
	}
	return all
}
