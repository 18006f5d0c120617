package dtc

import "github.com/seed-d36415c0/dtc/actors"

// Event tells of one step of a transaction, or of something else that a
// coordinator does. Config.OnEvent receives it.
type Event = actors.Event

// EventKind says which step an [Event] tells of.
type EventKind = actors.EventKind

// The kinds of events, and the fields of [Event] they set beside Kind, Time,
// Transaction and Label.
const (
	// EventBegan: a transaction began.
	EventBegan = actors.EventBegan
	// EventEnlisted: a branch was enlisted (Participant).
	EventEnlisted = actors.EventEnlisted
	// EventCommitAsked: the application asked to commit.
	EventCommitAsked = actors.EventCommitAsked
	// EventForced: a record is on stable storage (Record), or failed to get there
	// (Err).
	EventForced = actors.EventForced
	// EventCalled: a participant is being called (Participant, Op, Attempt).
	EventCalled = actors.EventCalled
	// EventAnswered: the call ended (Participant, Op, Attempt, Duration, Err).
	EventAnswered = actors.EventAnswered
	// EventRetry: the participant will be told again (Participant, Op, Attempt, Err;
	// Duration until then).
	EventRetry = actors.EventRetry
	// EventDecided: the outcome stands (Outcome, Duration since the begin; for a
	// rollback Participant, Op, Err and Reason).
	EventDecided = actors.EventDecided
	// EventDoubt: nobody can know the outcome yet (Err).
	EventDoubt = actors.EventDoubt
	// EventParked: participants have not acknowledged and are told later (Outcome;
	// Participant, Err: one of them).
	EventParked = actors.EventParked
	// EventResumed: a parked or recovered transaction is taken up (Record).
	EventResumed = actors.EventResumed
	// EventEnded: every participant is done (Outcome, Duration since the begin).
	EventEnded = actors.EventEnded
	// EventSettled: a person settled a branch by hand (Participant, Reason).
	EventSettled = actors.EventSettled
	// EventBroken: a participant broke its promise; a person is needed (Participant,
	// Op, Err).
	EventBroken = actors.EventBroken
	// EventActorFailed: an actor panicked (Reason).
	EventActorFailed = actors.EventActorFailed
	// EventHealthy: a participant answers again (Participant).
	EventHealthy = actors.EventHealthy
	// EventUnhealthy: a participant does not answer, or does not do what it is told
	// (Participant, Err).
	EventUnhealthy = actors.EventUnhealthy
	// EventUnregistered: transactions wait for a participant that nobody has
	// registered (Participant).
	EventUnregistered = actors.EventUnregistered
	// EventInDoubt: a participant lists a branch that no transaction accounts for
	// (Participant, Reason).
	EventInDoubt = actors.EventInDoubt
	// EventJournalFailed: the journal failed (Err).
	EventJournalFailed = actors.EventJournalFailed
)
