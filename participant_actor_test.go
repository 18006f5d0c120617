package dtc_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
)

// clerk is a participant that is an actor of its own, and speaks the protobuf
// messages. What it does to the next message a test can say.
type clerk struct {
	heard   chan string
	answers chan func(actor.Context) // nil: the answer of one who is well
	asked   chan *messages.Decided
}

func newClerk() *clerk {
	return &clerk{
		heard:   make(chan string, 100),
		answers: make(chan func(actor.Context), 100),
		asked:   make(chan *messages.Decided, 1),
	}
}

func (k *clerk) Receive(c actor.Context) {
	var well any
	switch m := c.Message().(type) {
	case *messages.Prepare:
		k.heard <- "prepare " + string(m.GetBranch().GetPayload())
		well = m.Yes()
	case *messages.Commit:
		k.heard <- "commit"
		well = m.Done()
	case *messages.Rollback:
		k.heard <- "rollback"
		well = m.Done()
	case *messages.Decided:
		k.asked <- m
		return
	default:
		return
	}
	select {
	case answer := <-k.answers:
		answer(c)
	default:
		c.Respond(well)
	}
}

func (k *clerk) heardSo(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := <-k.heard; got != w {
			t.Fatalf("the participant heard %q, want %q", got, w)
		}
	}
	select {
	case more := <-k.heard:
		t.Fatalf("the participant heard %q too", more)
	default:
	}
}

// withClerk runs a test with a coordinator and a participant actor, in virtual
// time.
func withClerk(t *testing.T, test func(t *testing.T, c *dtc.Coordinator, k *clerk, p participant.Participant)) {
	synctest.Test(t, func(t *testing.T) {
		k := newClerk()
		system := quietSystem()
		pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return k }))
		c, err := dtc.Open(system, dtc.Config{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer time.Sleep(2 * time.Second) // the library's throttle of dead letters ends by itself
		defer c.Close()
		test(t, c, k, participant.Actor("clerk", pid))
	})
}

func silence(actor.Context) {}

func TestParticipantActor_Commits(t *testing.T) {
	withClerk(t, func(t *testing.T, c *dtc.Coordinator, k *clerk, p participant.Participant) {
		ok(t, c.Execute(background, nil, dtc.Enlistment{Participant: p, Payload: []byte("2 apples")}))
		k.heardSo(t, "prepare 2 apples", "commit")
	})
}

func TestParticipantActor_Refuses(t *testing.T) {
	withClerk(t, func(t *testing.T, c *dtc.Coordinator, k *clerk, p participant.Participant) {
		k.answers <- func(a actor.Context) { a.Respond(a.Message().(*messages.Prepare).No(errors.New("no apples"))) }
		err := c.Execute(background, nil, dtc.Enlistment{Participant: p})
		is(t, err, dtc.ErrRolledBack, dtc.ErrParticipantFailedToCommit)
		if failed := as[*dtc.ParticipantFailedToCommitError](t, err); failed.Err.Error() != "no apples" {
			t.Errorf("the participant's reason is %q", failed.Err)
		}
		k.heardSo(t, "prepare ", "rollback")
	})
}

func TestParticipantActor_IsReadOnly(t *testing.T) {
	withClerk(t, func(t *testing.T, c *dtc.Coordinator, k *clerk, p participant.Participant) {
		k.answers <- func(a actor.Context) { a.Respond(a.Message().(*messages.Prepare).ReadOnly()) }
		ok(t, c.Execute(background, nil, dtc.Enlistment{Participant: p}))
		k.heardSo(t, "prepare ")
	})
}

// A vote that is lost is a refusal at the deadline; a lost acknowledgement only
// has the decision told again.
func TestParticipantActor_LosesAnswers(t *testing.T) {
	withClerk(t, func(t *testing.T, c *dtc.Coordinator, k *clerk, p participant.Participant) {
		k.answers <- silence
		start := time.Now()
		is(t, c.Execute(background, nil, dtc.Enlistment{Participant: p}), dtc.ErrRolledBack, dtc.ErrTimeout)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it took %v, want the ParticipantTimeout", took)
		}
		synctest.Wait()
		k.heardSo(t, "prepare ", "rollback")

		k.answers <- func(a actor.Context) { a.Respond(a.Message().(*messages.Prepare).Yes()) }
		k.answers <- silence
		ok(t, c.Execute(background, nil, dtc.Enlistment{Participant: p}))
		pass(time.Minute)
		k.heardSo(t, "prepare ", "commit", "commit")
	})
}

// Answers to another attempt, another transaction, of another participant, or of
// another kind mean nothing.
func TestParticipantActor_AnswersSomethingElse(t *testing.T) {
	withClerk(t, func(t *testing.T, c *dtc.Coordinator, k *clerk, p participant.Participant) {
		k.answers <- func(a actor.Context) {
			m := a.Message().(*messages.Prepare)
			earlier, other, another, kind := m.Yes(), m.Yes(), m.Yes(), m.GetBranch()
			earlier.Attempt++
			foreign := uuid.Must(uuid.NewV7())
			other.Transaction = foreign[:]
			another.Participant = "another"
			a.Respond(earlier)
			a.Respond(other)
			a.Respond(another)
			a.Respond((&messages.Commit{Branch: kind, Attempt: m.GetAttempt()}).Done())
			a.Respond(&messages.Voted{})
		}
		is(t, c.Execute(background, nil, dtc.Enlistment{Participant: p}), dtc.ErrRolledBack, dtc.ErrTimeout)
	})
}

// A participant in doubt asks the sender of its Prepare.
func TestParticipantActor_Inquires(t *testing.T) {
	withClerk(t, func(t *testing.T, c *dtc.Coordinator, k *clerk, p participant.Participant) {
		var branch *messages.Branch
		var coordinator *actor.PID
		var ask func(*actor.PID, any)
		k.answers <- func(a actor.Context) {
			m := a.Message().(*messages.Prepare)
			branch, coordinator, ask = m.GetBranch(), a.Sender(), a.Request
			a.Respond(m.Yes())
		}
		k.answers <- func(a actor.Context) {
			ask(coordinator, branch.Inquire())
			a.Respond(a.Message().(*messages.Commit).Done())
		}
		ok(t, c.Execute(background, nil, dtc.Enlistment{Participant: p}))
		if d := <-k.asked; d.GetOutcome() != messages.Outcome_OUTCOME_COMMITTED {
			t.Errorf("the answer is %v", d.GetOutcome())
		}
	})
}
