package protocol

// State returns where the transaction stands.
func (t *Transaction) State() State { return t.state }

// Path returns how the transaction is committed.
func (t *Transaction) Path() Path { return t.path }

// Outcome returns what the application may be told.
func (t *Transaction) Outcome() Outcome { return t.state.Outcome() }

// Outcome returns what the application may be told of a transaction in this
// state.
func (s State) Outcome() Outcome {
	switch s {
	case Committing, Committed:
		return OutcomeCommitted
	case RollingBack, RolledBack:
		return OutcomeRolledBack
	case InDoubt, Asking:
		return Unknown
	default:
		return Undecided
	}
}

// Recorded tells whether a record of the transaction may be on disk.
func (t *Transaction) Recorded() bool { return t.recorded }

// Left tells whether the transaction has nothing more to do in memory.
func (t *Transaction) Left() bool {
	return t.parked || t.state == Committed || t.state == RolledBack
}

// Len returns the number of branches.
func (t *Transaction) Len() int { return len(t.branches) }

// Index returns the index of the branch with this name, or -1.
func (t *Transaction) Index(name string) int {
	for i := range t.branches {
		if t.branches[i].Name == name {
			return i
		}
	}
	return -1
}

// At returns the i-th branch.
func (t *Transaction) At(i int) Branch { return t.branches[i].Branch }

// Op returns the last call of the i-th branch, and its number.
func (t *Transaction) Op(i int) (Op, uint32) { return t.branches[i].op, t.branches[i].attempt }

// Waiting tells whether the i-th branch owes an answer.
func (t *Transaction) Waiting(i int) bool { return t.branches[i].pending }

// Unfinished tells whether the i-th branch still needs a call.
func (t *Transaction) Unfinished(i int) bool { return !t.branches[i].done }

// Settled tells whether a person has settled the i-th branch by hand.
func (t *Transaction) Settled(i int) bool { return t.branches[i].settled }

// Stray tells whether the i-th branch came too late to be part of the
// transaction.
func (t *Transaction) Stray(i int) bool { return t.branches[i].stray }

// Member tells whether the i-th branch is told to commit when the transaction is
// committed. It is not known any more of a transaction that was taken up which of
// its branches had voted read-only.
func (t *Transaction) Member(i int) bool {
	b := &t.branches[i]
	return !b.stray && !t.disowned && b.vote != readOnly
}

// Standing says in a word where the i-th branch stands.
func (t *Transaction) Standing(i int) string {
	b := &t.branches[i]
	switch {
	case b.settled:
		return "settled by hand"
	case b.vote == readOnly:
		return "read-only"
	case b.pending:
		return "asked to " + b.op.String()
	case b.done && (t.state == RollingBack || t.state == RolledBack || b.stray || t.disowned):
		return "rolled back"
	case b.done || b.vote == worked:
		return "committed"
	case b.attempt > 0 && b.vote == none || b.stuck:
		return "failed to " + b.op.String()
	case b.vote == yes:
		return "prepared"
	default:
		return "enlisted"
	}
}

// Pending tells whether the enlistment of the i-th branch counts only when its
// record is forced.
func (t *Transaction) Pending(i int) bool { return t.durable && i >= t.covered }

// Answered tells whether whoever waited for the outcome has been told, so that
// later callers need not wait.
func (t *Transaction) Answered() bool { return t.answered || t.state == InDoubt }
