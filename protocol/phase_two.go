package protocol

// rollback decides to roll back. Every branch is told, whatever it did, but
// read-only voters, who have left.
func (t *Transaction) rollback() {
	t.state = RollingBack
	for i := range t.branches {
		if b := &t.branches[i]; !b.settled {
			b.done = b.vote == readOnly
		}
	}
	t.tell(Rollback)
}

// tell makes the outcome stand and tells it to every branch that is not done.
func (t *Transaction) tell(op Op) {
	t.do(Decide)
	if t.allDone() {
		t.progress()
		return
	}
	t.do(Wait)
	for i := range t.branches {
		if b := &t.branches[i]; !b.done {
			t.call(i, b.told(op))
		}
	}
	t.progress()
}

// told is what a branch is told when the others are told op.
func (b *branch) told(op Op) Op {
	if b.stray {
		return Rollback
	}
	return op
}

// phaseTwoOp is what the decision says to do.
func (t *Transaction) phaseTwoOp() Op {
	if t.state == Committing && !t.disowned {
		return Commit
	}
	return Rollback
}

func (t *Transaction) stepPhaseTwo(e Event) {
	switch e.Kind {
	case Answered:
		t.acknowledged(e)
	case RetryDue:
		t.tellAgain(e.Branch)
	case WaitOver:
		t.leave()
	case Settle:
		t.settle(e.Branch)
	case Resume:
		t.number(e.Attempt)
		t.tell(t.phaseTwoOp())
	case ForceFailed:
		// A rollback record that cannot be written: the transaction stays in
		// memory, and goes on telling.
		t.held = true
		if t.leaving {
			t.tellApplication()
		}
	}
}

func (t *Transaction) tellAgain(i int) {
	if !t.has(i) {
		return
	}
	if b := &t.branches[i]; !b.done && !b.pending {
		t.call(i, b.told(t.phaseTwoOp()))
	}
}

func (t *Transaction) acknowledged(e Event) {
	b, ok := t.answer(e)
	if !ok {
		return
	}
	if e.Result == Done || b.op == Rollback && e.Result == WasRolledBack {
		b.done = true
	} else if !t.resumed || b.stray {
		t.retry(e.Branch)
	}
	t.progress()
}

// retry asks for another call later, unless one is under way.
func (t *Transaction) retry(i int) {
	t.actions = append(t.actions, Action{Kind: Retry, Branch: i, Attempt: t.branches[i].attempt})
}

// settle takes a person's word for it that a branch is done.
func (t *Transaction) settle(i int) {
	if !t.has(i) || t.branches[i].done {
		return
	}
	b := &t.branches[i]
	b.done, b.pending, b.settled = true, false, true
	t.progress()
}

// progress ends the transaction when every branch is done, and stops waiting
// when only those are left for which waiting is no use, or when the application
// has been answered already.
func (t *Transaction) progress() {
	switch t.state {
	case Asking:
		if t.answered {
			t.leave()
		}
	case Committing, RollingBack:
		if t.allDone() {
			t.end()
		} else if t.answered || t.onlyStuckLeft() {
			t.leave()
		}
	}
}

func (t *Transaction) allDone() bool {
	for i := range t.branches {
		if !t.branches[i].done {
			return false
		}
	}
	return true
}

// onlyStuckLeft tells whether every branch that is not done either hangs in a
// call, or has had its one call of a resumed transaction.
func (t *Transaction) onlyStuckLeft() bool {
	for i := range t.branches {
		b := &t.branches[i]
		if !b.done && !b.stuck && (!t.resumed || b.pending) {
			return false
		}
	}
	return true
}

func (t *Transaction) end() {
	if t.state == Committing {
		t.state = Committed
	} else {
		t.state = RolledBack
	}
	t.tellApplication()
	t.do(End)
}

// leave stops waiting: the application is answered and the transaction leaves
// memory, once the journal cannot forget who is still to be told.
func (t *Transaction) leave() {
	switch {
	case t.held, t.state != RollingBack && t.strayLeft():
		t.tellApplication()
	case t.state == RollingBack && (t.covered < len(t.branches) || t.delegated):
		if !t.leaving {
			t.leaving = true
			t.force(RollbackRecord)
		}
	case !t.parked:
		t.parked = true
		t.tellApplication()
		t.do(Park)
	}
}

// strayLeft tells whether a stray branch is to be rolled back still. No record
// but a rollback record can say so, and without one the transaction must not
// leave memory.
func (t *Transaction) strayLeft() bool {
	for i := range t.branches {
		if b := &t.branches[i]; b.stray && !b.done {
			return true
		}
	}
	return false
}

func (t *Transaction) tellApplication() {
	if !t.answered {
		t.answered = true
		t.do(Answer)
	}
}

// fenced: another owner speaks for the transaction now. What has been said
// stands.
func (t *Transaction) fenced() {
	t.silent = true
	if !t.Left() {
		t.state = InDoubt
		t.tellApplication()
	}
}
