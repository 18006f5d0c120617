package actors

import (
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/protocol"
)

// EventKind says which step an [Event] tells of.
type EventKind uint8

// The steps of a transaction, and what else a coordinator tells of. Each names
// the fields of [Event] that it sets beside Kind, Time and Transaction.
const (
	// EventBegan: a transaction began (Label).
	EventBegan EventKind = iota + 1
	// EventEnlisted: a branch was enlisted (Participant).
	EventEnlisted
	// EventCommitAsked: the application asked to commit.
	EventCommitAsked
	// EventForced: a record is on stable storage (Record), or failed to get there
	// (Err).
	EventForced
	// EventCalled: a participant is being called (Participant, Op, Attempt).
	EventCalled
	// EventAnswered: the call ended (Participant, Op, Attempt, Duration), well or
	// not (Err).
	EventAnswered
	// EventRetry: a call in phase two failed and will be made again (Participant,
	// Op, Attempt, Err; Duration until then).
	EventRetry
	// EventDecided: the outcome stands (Outcome, Duration since the begin; for a
	// rollback its reason in Err and the participant it came from, if any).
	EventDecided
	// EventDoubt: nobody can know the outcome before the journal, or the only
	// participant, has been asked again (Err).
	EventDoubt
	// EventParked: branches have not acknowledged; they are told later, from the
	// journal (Outcome, Participant: one of them, Err: its reason).
	EventParked
	// EventResumed: a parked or recovered transaction is being delivered (Record).
	EventResumed
	// EventEnded: every branch is done (Outcome, Duration since the begin).
	EventEnded
	// EventSettled: a person settled a branch by hand (Participant, Reason).
	EventSettled
	// EventBroken: a participant breaks its promise, and a person is needed
	// (Participant, Op, Err).
	EventBroken
	// EventActorFailed: an actor panicked (Reason); its transaction is brought back
	// from the journal.
	EventActorFailed
	// EventHealthy and EventUnhealthy: a participant answers again, or does not
	// (Participant, Err).
	EventHealthy
	EventUnhealthy
	// EventUnregistered: transactions wait for a participant that nobody has
	// registered (Participant).
	EventUnregistered
	// EventInDoubt: a participant lists a branch that no journal knows
	// (Participant); it is rolled back, or only listed where the journal does not
	// last (Reason).
	EventInDoubt
	// EventJournalFailed: the journal failed (Err). No new work is taken.
	EventJournalFailed
)

var eventNames = [...]string{
	"", "transaction began", "participant enlisted", "commit asked", "record forced", "participant called",
	"participant answered", "participant will be told again", "transaction decided", "outcome unknown",
	"transaction parked", "transaction resumed", "transaction ended", "branch settled by hand",
	"participant broke its promise", "actor panicked", "participant answers again", "participant does not answer",
	"participant is not registered", "branch in doubt found", "journal failed",
}

func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown event"
}

// Event tells of one step.
type Event struct {
	Kind        EventKind
	Time        time.Time
	Transaction uuid.UUID
	Label       string
	Participant string
	Op          protocol.Op
	Attempt     uint32
	Record      protocol.Record
	Outcome     protocol.Outcome
	Duration    time.Duration
	Reason      string
	Err         error
}
