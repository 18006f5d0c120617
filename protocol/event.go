package protocol

import "fmt"

// Branch describes one participant's part of a transaction.
type Branch struct {
	// Name is the participant's name; unique within the transaction.
	Name string
	// TwoPhase: the participant prepares.
	TwoPhase bool
	// Recoverable: the participant can list its own unfinished branches.
	Recoverable bool
	// Delegable: the participant can commit without prepare, and say later what
	// became of it.
	Delegable bool
}

// EventKind says what happened.
type EventKind uint8

// The events, and the fields of [Event] that belong to them.
const (
	// Enlist: the application enlists a branch (Enlist, Posted).
	Enlist EventKind = iota + 1
	// AskCommit: the application asks to commit.
	AskCommit
	// AskRollback: the application asks to roll back, or its coordinator closes.
	AskRollback
	// Deadline: the transaction's time is up.
	Deadline
	// Answered: a branch answered a call (Branch, Attempt, Result), or did not
	// answer in time.
	Answered
	// RetryDue: it is time to tell a branch again (Branch).
	RetryDue
	// WaitOver: acknowledgements have been waited for long enough.
	WaitOver
	// Forced: a record is on stable storage (Record, Branches).
	Forced
	// ForceFailed: forcing a record failed (Record, Fenced).
	ForceFailed
	// Settle: a person has settled a branch by hand (Branch, Committed).
	Settle
	// Resume: recovery, or a parked transaction, goes on. Its calls are numbered
	// from Attempt on.
	Resume
)

var eventNames = [...]string{
	"none", "enlist", "commit", "rollback", "deadline", "answered", "retry due", "wait over",
	"forced", "force failed", "settle", "resume",
}

func (k EventKind) String() string { return name(eventNames[:], k) }

// Event is something that happened.
type Event struct {
	Kind EventKind
	// Branch is the index of a branch, in the order of enlistment.
	Branch int
	// Attempt is the call's number within its branch. An answer to another call
	// than the branch's last one means nothing.
	Attempt uint32
	Result  Result
	Record  Record
	// Branches is how many branches the record names.
	Branches int
	// Enlist is the branch to enlist.
	Enlist Branch
	// Posted: the application has been told already that the branch is enlisted,
	// so that it must not be forgotten even if the transaction takes no more.
	Posted bool
	// Fenced: another owner has taken over. Nothing more may be said.
	Fenced bool
	// Committed: how the branch was settled.
	Committed bool
}

// ActionKind says what to do.
type ActionKind uint8

// The actions, and the fields of [Action] that belong to them.
const (
	// Enlisted: tell the application that a branch is enlisted (Branch).
	Enlisted ActionKind = iota + 1
	// RefuseFull: tell it that there are as many branches as may be.
	RefuseFull
	// RefuseNotActive: tell it that the transaction takes no more branches.
	RefuseNotActive
	// Force a record (Record, Branches), then report Forced or ForceFailed.
	Force
	// Call a branch (Branch, Op, Attempt), then report Answered.
	Call
	// Retry: report RetryDue when it is time to tell a branch again (Branch,
	// Attempt).
	Retry
	// Decide: the outcome stands from now on.
	Decide
	// Wait: report WaitOver when acknowledgements have been waited for long
	// enough.
	Wait
	// Answer whoever waits for the outcome.
	Answer
	// End: every branch is done. Write the end (not forced) if a record was ever
	// written, and leave memory.
	End
	// Park: leave memory; the journal keeps the transaction.
	Park
)

var actionNames = [...]string{
	"none", "enlisted", "refuse: full", "refuse: not active", "force", "call", "retry", "decide", "wait",
	"answer", "end", "park",
}

func (k ActionKind) String() string { return name(actionNames[:], k) }

// Action is something to do.
type Action struct {
	Kind     ActionKind
	Op       Op
	Record   Record
	Attempt  uint32
	Branch   int
	Branches int
}

// String prints an action as the conversations in testdata show it.
func (a Action) String() string {
	switch a.Kind {
	case Call:
		return fmt.Sprintf("call %s: %s (%d)", letter(a.Branch), a.Op, a.Attempt)
	case Retry:
		return fmt.Sprintf("retry %s later", letter(a.Branch))
	case Enlisted:
		return fmt.Sprintf("enlisted %s", letter(a.Branch))
	case Force:
		return fmt.Sprintf("force %s", a.Record)
	default:
		return a.Kind.String()
	}
}

// letter names a branch in print: a, b, c …
func letter(i int) string { return string(rune('a' + i)) }
