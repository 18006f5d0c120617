package messages

import (
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
)

// Address is where messages for an actor go. Send tells whether the actor
// still takes them: it either handles the message, or Send returns false.
type Address interface {
	Send(message any) bool
}

// What the application asks of the supervisor.
type (
	// Begin asks for a new transaction, and with Execute for all of its life.
	Begin struct {
		ID      uuid.UUID
		Chosen  bool // the application chose the ID
		Timeout time.Duration
		Label   string
		Durable bool
		// Execute holds the branches of a transaction that is to be committed at
		// once; the answer is then sent to Outcome instead of Reply.
		Execute []Enlistment
		Reply   *Reply[Begun]
		Outcome *Reply[Result]
	}

	// Begun answers Begin: the transaction is there, or an error.
	Begun struct {
		Err error
		// Ended is the outcome of a transaction of that ID that is decided already.
		Ended *Result
	}
)

// What the application asks of a transaction.
type (
	// Enlistment is a branch to enlist.
	Enlistment struct {
		Branch protocol.Branch
		// Gateway is the address of the participant's gateway.
		Gateway Address
		// Participant is the very value the application enlisted.
		Participant participant.Participant
		// Payload is nobody else's.
		Payload []byte
	}

	// Enlist asks for a branch. With no Reply it is posted: the application has
	// been told that it is enlisted.
	Enlist struct {
		Enlistment
		Reply *Reply[Result]
	}

	// AskCommit asks to commit. The enlistments are those the application counts
	// on; any that is missing is enlisted first.
	AskCommit struct {
		Enlistments []Enlistment
		Reply       *Reply[Result]
	}

	// AskRollback asks to roll back.
	AskRollback struct {
		Reply *Reply[Result]
	}

	// Inspect asks where the transaction stands.
	Inspect struct {
		Reply *Reply[Detail]
	}

	// Settle takes a person's word for it that a branch is done.
	Settle struct {
		Participant string
		Committed   bool
		Forget      bool
		Reason      string
		Reply       *Reply[Result]
	}

	// Closing tells a transaction that its coordinator closes.
	Closing struct{}

	// Leave tells a transaction to answer whoever waits and to leave memory, as
	// its coordinator waits no longer. With Now it leaves whatever is under way:
	// the journal, when it is read again, says what is to be done.
	Leave struct{ Now bool }
)

// Refusal says why an enlistment was refused.
type Refusal uint8

// The refusals.
const (
	NotRefused Refusal = iota
	// RefusedNotActive: the transaction takes no more branches.
	RefusedNotActive
	// RefusedFull: it has as many as may be.
	RefusedFull
	// RefusedConflict: the name is enlisted with another payload.
	RefusedConflict
	// RefusedUnsettled: there is no such branch to settle by hand, or not yet.
	RefusedUnsettled
	// RefusedUnforced: it is settled, but the journal failed before it had that.
	RefusedUnforced
	// RefusedBegin: the transaction did not begin.
	RefusedBegin
)

// Result is the answer to Enlist, AskCommit, AskRollback and Settle.
type Result struct {
	Transaction uuid.UUID
	Outcome     protocol.Outcome
	// Refused is why an enlistment took no effect.
	Refused     Refusal
	Participant string
	// Causes is why the transaction was rolled back, or why nobody can know.
	Causes []Cause
	// Unacknowledged names the branches that have not acknowledged the rollback.
	Unacknowledged []Cause
}

// Cause is one reason for a rollback.
type Cause struct {
	// Participant is empty where it is the transaction's own.
	Participant string
	Op          protocol.Op
	// State is where the transaction stood.
	State protocol.State
	// Timeout is how long the participant, or the transaction, had; 0 where it was
	// not a matter of time.
	Timeout time.Duration
	// Err is what the participant said; nil where it is a matter of time.
	Err error
}

// Detail is everything about one transaction that is in memory.
type Detail struct {
	ID       uuid.UUID
	Label    string
	State    protocol.State
	Path     protocol.Path
	Began    time.Time
	Deadline time.Time
	Branches []BranchDetail
	// Parked, with the number of tries since, and the next one.
	Parked   bool
	Tries    int
	NextTry  time.Time
	Finished time.Time
	// Heuristic says what a person settled by hand, how and why.
	Heuristic string
}

// BranchDetail is one branch of a [Detail].
type BranchDetail struct {
	Participant string
	TwoPhase    bool
	Standing    string
	Calls       int
	Finished    bool
	// Err is what the participant last said.
	Err error
}

// What a transaction and a participant's gateway say to each other.
type (
	// Call asks a gateway to call its participant.
	Call struct {
		// Answer says which call it is; the gateway fills in how it ended, once, and
		// sends that.
		Answer
		// Branch is shared by all calls of the branch.
		Branch *participant.Branch
		// Participant is the value the application enlisted; nil: the one that is
		// registered.
		Participant participant.Participant
		// Expires is when the transaction stops waiting. A Prepare is not begun after
		// that.
		Expires time.Time
		From    Address
	}

	// Answer says how a call ended.
	Answer struct {
		Op      protocol.Op
		Index   int
		Attempt uint32
		Result  protocol.Result
		Err     error
		// Took is how long the participant needed; 0 for a NonBlocking one.
		Took time.Duration
	}
)

// What is said to the journal writer.
type (
	// Append asks for writes. The writer answers From with Appended.
	Append struct {
		Writes []journal.Write
		Force  bool
		// Record and Branches say what is written; they come back in the answer.
		Record   protocol.Record
		Branches int
		From     Address
	}

	// Appended says that everything up to the Append is written, and forced where
	// it asked for it, or that nobody can know.
	Appended struct {
		Record   protocol.Record
		Branches int
		Err      error
	}
)

// ReceiveTimeout tells a transaction that it is time to look at its deadlines.
type ReceiveTimeout struct {
	// Generation is the timer's number; one from before the last setting means
	// nothing.
	Generation uint32
}
