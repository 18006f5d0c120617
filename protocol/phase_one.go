package protocol

// prepare asks all two-phase branches for their vote.
func (t *Transaction) prepare() {
	t.state = Preparing
	for i := range t.branches {
		if t.branches[i].TwoPhase {
			t.call(i, Prepare)
		}
	}
	t.work()
}

func (t *Transaction) stepPhaseOne(e Event) {
	switch e.Kind {
	case AskRollback, Deadline, ForceFailed:
		t.rollback()
		return
	}
	b, ok := t.answer(e)
	switch {
	case !ok:
	case b.op == Prepare && e.Result == Done:
		b.vote = yes
		t.work()
	case b.op == Prepare && e.Result == ReadOnly:
		b.vote, b.done = readOnly, true
		t.work()
	case b.op == Commit && e.Result == Done:
		b.vote, b.done = worked, true
		t.work()
	default:
		t.rollback()
	}
}

// work commits the next one-phase branch, once all two-phase branches have
// voted, and decides when there is none left.
func (t *Transaction) work() {
	for i := range t.branches {
		if b := &t.branches[i]; b.TwoPhase && b.vote == none {
			return
		}
	}
	for i := range t.branches {
		if t.branches[i].vote == none {
			t.state = Working
			t.call(i, Commit)
			return
		}
	}
	t.decide()
}

// decide forces the commit record. When no branch has anything to commit there
// is nothing to remember, unless a record says by now that the transaction is to
// be rolled back.
func (t *Transaction) decide() {
	if t.allReadOnly() && !t.recorded {
		t.path = AllReadOnly
		t.committed()
		return
	}
	t.state = Deciding
	t.force(CommitRecord)
}

func (t *Transaction) allReadOnly() bool {
	for i := range t.branches {
		if t.branches[i].vote != readOnly {
			return false
		}
	}
	return true
}

func (t *Transaction) stepDeciding(e Event) {
	switch {
	case e.Kind == Forced && e.Record == CommitRecord:
		t.state = Committing
		t.tell(Commit)
	case e.Kind == ForceFailed && e.Record == CommitRecord:
		t.state = InDoubt
		t.tellApplication()
	}
}

// stepDelegation leaves the decision to the only branch. Once it has been
// asked to commit, only the branch knows.
func (t *Transaction) stepDelegation(e Event) {
	switch {
	case t.state == Delegating && e.Kind == Forced && e.Record == DelegationRecord:
		t.state = Delegated
		t.call(0, CommitOnePhase)
	case t.state == Delegating:
		switch e.Kind {
		case AskRollback, Deadline, ForceFailed:
			t.rollback()
		}
	case e.Kind == Resume:
		t.number(e.Attempt)
		t.ask()
	case e.Kind == RetryDue && e.Branch == 0 && !t.branches[0].pending && t.state == Asking:
		t.call(0, Ask)
	case e.Kind == WaitOver && t.state == Asking:
		t.leave()
	case e.Kind == Settle && t.state == Asking && e.Branch == 0:
		t.settleDelegate(e.Committed)
	default:
		t.delegateAnswered(e)
	}
}

func (t *Transaction) delegateAnswered(e Event) {
	b, ok := t.answer(e)
	switch {
	case !ok:
	case e.Result == Done:
		b.done = true
		t.committed()
	case e.Result == WasRolledBack:
		t.rollback()
	case t.state == Delegated:
		t.ask()
	case t.resumed:
		t.leave()
	default:
		t.retry(0)
	}
}

// ask asks the delegate what became of the branch.
func (t *Transaction) ask() {
	t.state = Asking
	t.do(Wait)
	t.call(0, Ask)
}

func (t *Transaction) settleDelegate(committed bool) {
	b := &t.branches[0]
	b.done, b.pending, b.settled = true, false, true
	if committed {
		t.committed()
		return
	}
	t.rollback()
}

// committed is the end of a transaction that has nobody to tell.
func (t *Transaction) committed() {
	t.state = Committing
	t.tell(Commit)
}
