package participant_test

import (
	"errors"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d36415c0/dtc/participant"
)

func TestActor(t *testing.T) {
	pid := actor.NewPID("host:1", "stock")
	p := participant.Actor("stock", pid)
	driven, ok := participant.As[participant.MessageDriven](p)
	if !ok || driven.PID() != pid || p.Name() != "stock" {
		t.Errorf("found %v", driven)
	}
	two, ok := participant.As[participant.Preparer](p)
	if !ok {
		t.Fatal("an actor is not two-phase")
	}
	b := newBranch()
	for call, err := range map[string]error{
		"Prepare": two.Prepare(ctx, b), "Commit": p.Commit(ctx, b), "Rollback": p.Rollback(ctx, b),
	} {
		var refused *participant.MessageDrivenError
		if !errors.As(err, &refused) || refused.Call != call || refused.Participant != "stock" {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// TestActorCannotBeWrapped: messages would go past the tracking.
func TestActorCannotBeWrapped(t *testing.T) {
	p := participant.Idempotent(participant.Actor("stock", actor.NewPID("host:1", "stock")), nil)
	if _, ok := participant.As[participant.MessageDriven](p); ok {
		t.Error("the actor can be reached past the tracking")
	}
	two, _ := participant.As[participant.Preparer](p)
	var refused *participant.MessageDrivenError
	if err := two.Prepare(ctx, newBranch()); !errors.As(err, &refused) {
		t.Errorf("Prepare: %v", err)
	}
}
