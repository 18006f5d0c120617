package protocol

import "fmt"

// Transaction is the coordinator's side of one transaction. The zero value is
// an active transaction that takes no branch; see [New].
//
// It belongs to one goroutine.
type Transaction struct {
	state State
	path  Path
	// limit is how many branches may enlist.
	limit int
	// durable: an enlistment counts only when its record is forced.
	durable bool
	// resumed: taken up from the journal. Who has not acknowledged after one call
	// is left to the next time, so that a dead participant holds nothing up.
	resumed bool
	// recorded: a record may be on disk, so the end must be written.
	recorded bool
	// covered is the number of branches, in order of enlistment, that a record on
	// stable storage names so that recovery rolls them back.
	covered int
	// delegated: the delegation record has taken the place of that record.
	delegated bool
	// leaving: acknowledgements are not waited for any longer; the rollback record
	// is being forced.
	leaving bool
	// held: the journal has failed, so the transaction cannot be parked.
	held bool
	// silent: another owner speaks for the transaction.
	silent bool
	// disowned: its branches are no part of the transaction; see [Transaction.Disown].
	disowned bool
	// answered: whoever asked has been told the outcome.
	answered bool
	parked   bool
	branches []branch
	actions  []Action
}

// branch is a Branch and where it stands.
type branch struct {
	Branch
	op      Op     // the last call
	attempt uint32 // its number; 0 before the first
	pending bool   // it has not been answered
	vote    vote
	// done: needs no further call.
	done bool
	// stuck: a call was not answered in time, and may still be running. Nobody
	// waits for the branch.
	stuck bool
	// stray: enlisted too late to be part of a transaction that can still commit,
	// although the application had been told otherwise. It is rolled back.
	stray bool
	// settled by hand.
	settled bool
}

// vote is what a branch did in phase one.
type vote uint8

const (
	none     vote = iota
	yes           // prepared
	readOnly      // has left
	worked        // one-phase, and committed
)

// New returns an active transaction that takes up to limit branches. If it is
// durable, a branch is enlisted only when a record that names it is forced.
func New(limit int, durable bool) *Transaction {
	return &Transaction{
		limit: limit, durable: durable,
		// Room for a few branches from the start, as most transactions have.
		branches: make([]branch, 0, min(limit, 3)), actions: make([]Action, 0, 6),
	}
}

// Recovered returns a transaction as its journal record describes it. Branches
// that are not pending need no further call. The first event is [Resume].
// With patient, it waits for acknowledgements like one that was never away.
func Recovered(record Record, branches []Branch, pending []bool, patient bool) *Transaction {
	t := &Transaction{
		limit:    len(branches),
		resumed:  !patient,
		recorded: record != NoRecord,
		state:    RollingBack,
	}
	switch record {
	case CommitRecord:
		t.state = Committing
	case DelegationRecord:
		t.state = Asking
	case NoRecord:
	default:
		t.covered = len(branches)
	}
	for i, b := range branches {
		t.branches = append(t.branches, branch{Branch: b, vote: yes, done: !pending[i]})
	}
	return t
}

// Disown says, before the first event, that the branches of a committed
// transaction are none of it: their participants hold work of it that it never
// knew of, and list it. They are rolled back, and it stays committed. It may leave
// memory before they are, as they stay on those lists.
func (t *Transaction) Disown() {
	t.disowned = true
	for i := range t.branches {
		t.branches[i].vote = none
	}
}

// Step takes one event and returns what to do, in order. Events that mean
// nothing any more, such as duplicates and late answers, return nothing. The
// returned slice is valid until the next Step.
func (t *Transaction) Step(e Event) []Action {
	t.actions = t.actions[:0]
	switch {
	case e.Kind == ForceFailed && e.Fenced:
		t.fenced()
	case t.parked && e.Kind != Enlist:
		// It is for whoever takes the transaction up again.
	case e.Kind == Enlist && t.state != Active:
		t.enlistLate(e)
	case e.Kind == Forced && e.Record != CommitRecord && e.Record != DelegationRecord:
		t.cover(e)
	case t.ofStray(e):
		t.stepPhaseTwo(e)
	default:
		t.step(e)
	}
	return t.actions
}

func (t *Transaction) step(e Event) {
	switch t.state {
	case Active:
		t.stepActive(e)
	case Intending:
		t.stepIntending(e)
	case Preparing, Working:
		t.stepPhaseOne(e)
	case Delegating, Delegated, Asking:
		t.stepDelegation(e)
	case Deciding:
		t.stepDeciding(e)
	case Committing, RollingBack:
		t.stepPhaseTwo(e)
	case InDoubt, Committed, RolledBack:
		// Nothing that happens changes it any more.
	default:
		panic(fmt.Sprintf("protocol: impossible state %d", t.state))
	}
}

// ofStray tells whether the event belongs to a stray branch, which is rolled
// back whatever else the transaction is doing.
func (t *Transaction) ofStray(e Event) bool {
	switch e.Kind {
	case Answered, RetryDue, Settle:
		return t.has(e.Branch) && t.branches[e.Branch].stray && !t.silent
	}
	return false
}

// do appends an action.
func (t *Transaction) do(k ActionKind) { t.actions = append(t.actions, Action{Kind: k}) }

// force asks for a record that names all branches.
func (t *Transaction) force(r Record) {
	t.recorded = true
	t.actions = append(t.actions, Action{Kind: Force, Record: r, Branches: len(t.branches)})
}

// call asks a branch to do something. It supersedes the branch's last call:
// whatever that one answers means nothing any more.
func (t *Transaction) call(i int, op Op) {
	b := &t.branches[i]
	b.op, b.pending = op, true
	b.attempt++
	t.actions = append(t.actions, Action{Kind: Call, Branch: i, Op: op, Attempt: b.attempt})
}

// has tells whether there is such a branch.
func (t *Transaction) has(i int) bool { return i >= 0 && i < len(t.branches) }

// number numbers the calls to come from n on, so that the answer to a call of an
// earlier life is never taken for an answer to one of this.
func (t *Transaction) number(n uint32) {
	for i := range t.branches {
		t.branches[i].attempt = n
	}
}

// answer takes an answer for the call it belongs to; ok is false for any other.
func (t *Transaction) answer(e Event) (b *branch, ok bool) {
	if e.Kind != Answered || !t.has(e.Branch) {
		return nil, false
	}
	b = &t.branches[e.Branch]
	if !b.pending || b.attempt != e.Attempt {
		return nil, false
	}
	b.pending = false
	b.stuck = e.Result == TimedOut
	return b, true
}
