package grpcbranch

import (
	"bytes"
	"fmt"

	"google.golang.org/grpc/status"

	"github.com/seed-d36415c0/dtc/messages"
)

// question is what all calls of a branch have in common.
type question interface {
	GetBranch() *messages.Branch
	GetAttempt() uint32
}

// answer is what it must repeat.
type answer interface {
	GetTransaction() []byte
	GetParticipant() string
	GetAttempt() uint32
}

// check makes sure that the answer is one to the question.
func (c *client) check(call string, q question, a answer) error {
	reason := ""
	switch {
	case !bytes.Equal(a.GetTransaction(), q.GetBranch().GetTransaction()):
		reason = fmt.Sprintf("it is about transaction %x", a.GetTransaction()[:min(16, len(a.GetTransaction()))])
	case a.GetParticipant() != q.GetBranch().GetParticipant():
		reason = fmt.Sprintf("it is about participant %q", oneLine(a.GetParticipant()))
	case a.GetAttempt() != q.GetAttempt():
		reason = fmt.Sprintf("it is about attempt %d, not %d", a.GetAttempt(), q.GetAttempt())
	default:
		return nil
	}
	return &AnswerError{Participant: c.name, Call: call, Reason: reason}
}

// failed is the error of a call that ended with a status.
func (c *client) failed(call string, err error) *CallError {
	s := status.Convert(err)
	return &CallError{Participant: c.name, Call: call, Code: s.Code(), Message: oneLine(s.Message()), err: err}
}

func (c *client) refused(call, reason string, rolledBack bool) error {
	return &RefusedError{Participant: c.name, Call: call, Reason: oneLine(reason), RolledBack: rolledBack}
}
