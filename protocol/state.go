package protocol

import "fmt"

// State is where a transaction stands. Undecided states come before the
// decided ones.
type State uint8

// The states, in the order in which a transaction can go through them.
const (
	// Active: branches may enlist.
	Active State = iota
	// Intending: the intent record is being forced.
	Intending
	// Preparing: two-phase branches have been asked to prepare.
	Preparing
	// Working: one-phase branches are being committed, one after the other.
	Working
	// Delegating: the delegation record is being forced.
	Delegating
	// Delegated: the only branch has been asked to commit in one phase.
	Delegated
	// Asking: it did not say what became of that, and is being asked.
	Asking
	// Deciding: the commit record is being forced. Nothing can stop it now.
	Deciding
	// InDoubt: forcing the commit record failed; it may be on disk or not.
	InDoubt
	// Committing: decided; the prepared branches are being told.
	Committing
	// RollingBack: decided; the branches are being told.
	RollingBack
	// Committed: every branch has acknowledged.
	Committed
	// RolledBack: every branch has acknowledged.
	RolledBack
)

var stateNames = [...]string{
	"active", "intending", "preparing", "working", "delegating", "delegated", "asking",
	"deciding", "in doubt", "committing", "rolling back", "committed", "rolled back",
}

func (s State) String() string { return name(stateNames[:], s) }

// Outcome is what the application is told.
type Outcome uint8

// The outcomes. The zero value claims nothing.
const (
	// Unknown: nobody can know yet.
	Unknown Outcome = iota
	// Undecided, and not in doubt.
	Undecided
	// OutcomeCommitted: from the moment the decision is durable.
	OutcomeCommitted
	// OutcomeRolledBack: from the moment it is decided.
	OutcomeRolledBack
)

var outcomeNames = [...]string{"unknown", "active", "committed", "rolled back"}

func (o Outcome) String() string { return name(outcomeNames[:], o) }

// Path is how a transaction is committed: the cheapest way that is safe for its
// branches.
type Path uint8

// The paths.
const (
	// NoPath: not asked to commit yet.
	NoPath Path = iota
	// Empty: no branch, nothing to do.
	Empty
	// AllReadOnly: no branch had anything to commit; nothing is forced.
	AllReadOnly
	// OnePhase: left to the only branch; one forced record, one call.
	OnePhase
	// PresumedAbort: one forced record, two calls per branch.
	PresumedAbort
	// WithIntent: two forced records.
	WithIntent
)

var pathNames = [...]string{"", "empty", "read-only", "one-phase", "presumed abort", "with intent"}

func (p Path) String() string { return name(pathNames[:], p) }

// Record is a kind of journal record.
type Record uint8

// The records, see the package comment.
const (
	NoRecord Record = iota
	// EnlistmentRecord names the branches of a durable transaction while it is
	// active.
	EnlistmentRecord
	// IntentRecord names them before phase one.
	IntentRecord
	// DelegationRecord names the branch that decides.
	DelegationRecord
	// CommitRecord is the decision to commit.
	CommitRecord
	// RollbackRecord names the branches that a rollback has still to reach.
	RollbackRecord
)

var recordNames = [...]string{"none", "enlistment", "intent", "delegation", "commit", "rollback"}

func (r Record) String() string { return name(recordNames[:], r) }

// Op is what a branch is asked to do.
type Op uint8

// The operations.
const (
	NoOp Op = iota
	// Prepare asks for a vote.
	Prepare
	// Commit makes a branch permanent: a prepared one in phase two, a one-phase one
	// in phase one.
	Commit
	// CommitOnePhase leaves the decision to the branch.
	CommitOnePhase
	// Ask asks what became of CommitOnePhase.
	Ask
	// Rollback undoes a branch.
	Rollback
)

var opNames = [...]string{"none", "prepare", "commit", "commit-one-phase", "ask", "rollback"}

func (o Op) String() string { return name(opNames[:], o) }

// Result is how a call ended.
type Result uint8

// The results. The zero value is the safe one: it promises nothing.
const (
	// Failed: an error, a refusal or a panic.
	Failed Result = iota
	// Done: a vote yes, an acknowledgement, or for Ask: it was committed.
	Done
	// ReadOnly: a vote; there is nothing to commit or roll back.
	ReadOnly
	// WasRolledBack: the branch had been rolled back before, or for Ask: it was
	// not committed and never will be.
	WasRolledBack
	// TimedOut: no answer in time; the call may still be running.
	TimedOut
)

var resultNames = [...]string{"failed", "done", "read-only", "was rolled back", "timed out"}

func (r Result) String() string { return name(resultNames[:], r) }

// name prints the word for a value of an enumeration.
func name[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%T(%d)", v, uint8(v))
}
