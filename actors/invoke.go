package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
)

// PanicError says that a participant panicked. It counts as a failure of the
// call.
type PanicError struct {
	// Value is what the participant panicked with.
	Value any
	// Stack is where.
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("participant panicked: %v", e.Value) }

// Unwrap returns the panic's value where that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errGoexit says that a participant ended the goroutine it was called on.
var errGoexit = errors.New("participant ended the goroutine of its call")

// errKind says that a participant cannot do what its kind promised; a value
// without the method was enlisted under the name of one with it.
var errKind = errors.New("participant lacks the method")

// invoke makes the call, and turns a panic into an error.
func invoke(ctx context.Context, p participant.Participant, m *messages.Call) (result protocol.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, err = protocol.Failed, &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	switch m.Op {
	case protocol.Prepare:
		if pr, ok := participant.As[participant.Preparer](p); ok {
			return outcome(pr.Prepare(ctx, *m.Branch), true)
		}
	case protocol.Commit:
		return outcome(p.Commit(ctx, *m.Branch), false)
	case protocol.Rollback:
		return outcome(p.Rollback(ctx, *m.Branch), false)
	case protocol.CommitOnePhase:
		if oc, ok := participant.As[participant.OnePhaseCommitter](p); ok {
			return outcome(oc.CommitOnePhase(ctx, *m.Branch), false)
		}
	case protocol.Ask:
		if oc, ok := participant.As[participant.OnePhaseCommitter](p); ok {
			return asked(oc.Committed(ctx, *m.Branch))
		}
	}
	return protocol.Failed, fmt.Errorf("%w: %s", errKind, m.Op)
}

// outcome is what a participant's error means.
func outcome(err error, vote bool) (protocol.Result, error) {
	switch {
	case err == nil:
		return protocol.Done, nil
	case vote && errors.Is(err, participant.ErrReadOnly):
		return protocol.ReadOnly, nil
	case errors.Is(err, participant.ErrRolledBack):
		return protocol.WasRolledBack, err
	default:
		return protocol.Failed, err
	}
}

// asked is what the answer to Committed means.
func asked(committed bool, err error) (protocol.Result, error) {
	switch {
	case err != nil:
		return protocol.Failed, err
	case committed:
		return protocol.Done, nil
	default:
		return protocol.WasRolledBack, nil
	}
}
