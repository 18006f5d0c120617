package protocol

import "slices"

func (t *Transaction) stepActive(e Event) {
	switch e.Kind {
	case Enlist:
		t.enlist(e)
	case AskCommit:
		t.begin()
	case AskRollback, Deadline, ForceFailed:
		t.rollback()
	}
}

// enlist adds a branch. Enlisting a name again has no effect.
func (t *Transaction) enlist(e Event) {
	i := t.Index(e.Enlist.Name)
	switch {
	case i < 0 && len(t.branches) >= t.limit && !e.Posted:
		t.do(RefuseFull)
		return
	case i < 0 && len(t.branches) >= t.limit:
		t.enlistLate(e)
		return
	case i < 0:
		i = len(t.branches)
		t.branches = append(t.branches, branch{Branch: e.Enlist})
		if t.durable {
			t.force(EnlistmentRecord)
		}
	}
	if !t.durable || i < t.covered {
		t.actions = append(t.actions, Action{Kind: Enlisted, Branch: i})
	}
}

// enlistLate refuses a branch, unless the application has been told already
// that it is enlisted: then the branch must be rolled back, and with it the
// transaction if it can still be.
func (t *Transaction) enlistLate(e Event) {
	if !e.Posted {
		t.do(RefuseNotActive)
		return
	}
	if t.silent || t.Index(e.Enlist.Name) >= 0 {
		return
	}
	t.branches = append(t.branches, branch{Branch: e.Enlist, stray: true})
	switch t.state {
	case Active, Intending, Preparing, Working, Delegating:
		t.rollback()
		return
	case Committed:
		t.state = Committing
	case RolledBack:
		t.state = RollingBack
	}
	t.parked, t.leaving = false, false
	t.do(Wait)
	t.call(len(t.branches)-1, Rollback)
}

// cover notes that a record on stable storage names the first branches.
func (t *Transaction) cover(e Event) {
	from := t.covered
	t.covered = max(t.covered, e.Branches)
	switch e.Record {
	case EnlistmentRecord:
		for i := from; i < e.Branches; i++ {
			t.actions = append(t.actions, Action{Kind: Enlisted, Branch: i})
		}
	case IntentRecord:
		if t.state == Intending {
			t.prepare()
		}
	case RollbackRecord:
		t.delegated = false
		if t.leaving && t.state == RollingBack {
			t.leave()
		}
	}
}

// begin starts to commit, the cheapest way that is safe for the branches.
func (t *Transaction) begin() {
	switch {
	case len(t.branches) == 0:
		t.path = Empty
		t.committed()
	case len(t.branches) == 1 && t.branches[0].TwoPhase && t.branches[0].Delegable:
		t.path, t.state, t.delegated = OnePhase, Delegating, true
		t.force(DelegationRecord)
	case t.covered < len(t.branches) && slices.ContainsFunc(t.branches, forgettable):
		t.path, t.state = WithIntent, Intending
		t.force(IntentRecord)
	default:
		t.path = PresumedAbort
		t.prepare()
	}
}

// forgettable tells whether recovery could not find the branch without a
// record.
func forgettable(b branch) bool { return !b.TwoPhase || !b.Recoverable }

func (t *Transaction) stepIntending(e Event) {
	switch e.Kind {
	case AskRollback, Deadline, ForceFailed:
		t.rollback()
	}
}
