package participant

import (
	"context"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
)

// MessageDriven is a participant that is an actor. The coordinator finds it
// with [As] and sends it the messages of package messages; it calls none of
// its other methods but Name.
type MessageDriven interface {
	Participant
	// PID is where the actor is, in this process or another.
	PID() *actor.PID
}

// Actor makes a participant of the user's own actor, local or remote. It is
// two-phase: the actor is asked to prepare, and is told to commit or to roll
// back. The three promises of the package are the actor's to keep, and a
// message may reach it again, late, or not at all.
//
// The coordinator speaks to the actor directly. To call the participant's own
// Prepare, Commit or Rollback gives a [*MessageDrivenError]; so [Idempotent]
// and other wrappers that stand between caller and participant cannot wrap it.
func Actor(name string, pid *actor.PID) Participant {
	return &actorParticipant{name: name, pid: pid}
}

// MessageDrivenError is the answer to a method call on a participant that is
// driven by messages.
type MessageDrivenError struct {
	Participant string
	Call        string
}

func (e *MessageDrivenError) Error() string {
	return fmt.Sprintf("participant: %q is an actor: %s reaches it as a message from a coordinator, not as a call", e.Participant, e.Call)
}

type actorParticipant struct {
	name string
	pid  *actor.PID
}

func (a *actorParticipant) Name() string    { return a.name }
func (a *actorParticipant) PID() *actor.PID { return a.pid }

func (a *actorParticipant) Prepare(context.Context, Branch) error  { return a.refuse("Prepare") }
func (a *actorParticipant) Commit(context.Context, Branch) error   { return a.refuse("Commit") }
func (a *actorParticipant) Rollback(context.Context, Branch) error { return a.refuse("Rollback") }

func (a *actorParticipant) refuse(call string) error {
	return &MessageDrivenError{Participant: a.name, Call: call}
}
