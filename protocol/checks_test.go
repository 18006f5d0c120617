package protocol

import "slices"

// checkVotes: the decision is commit only if every branch of the transaction
// is ready for it in truth.
func (m *model) checkVotes(w *world, t *Transaction) {
	for i := range t.Len() {
		p := &w.parts[int(w.first)+i]
		if !p.late && p.state != prepared && p.state != left && p.state != performed {
			m.broken("the decision is commit, and %s is %s", letter(i), p.state)
		}
	}
}

// checkCall: nobody hears of a decision that could be lost.
func (m *model) checkCall(w *world, t *Transaction, a Action) {
	b, p := &t.branches[a.Branch], &w.parts[int(w.first)+a.Branch]
	named := w.disk.named&(1<<(int(w.first)+a.Branch)) != 0
	switch {
	case w.taken:
		m.broken("a transaction that has another owner by now calls %s", b.Name)
	case a.Attempt != b.attempt || !b.pending:
		m.broken("%s's call has number %d, and the transaction waits for %d", b.Name, a.Attempt, b.attempt)
	case b.vote == readOnly:
		m.broken("%s has left, and is called", b.Name)
	case a.Op == Commit && p.late:
		m.broken("%s came too late, and is told to commit", b.Name)
	case a.Op == Commit && b.TwoPhase && w.disk.record != CommitRecord:
		m.broken("%s is told to commit before the commit record is on disk", b.Name)
	case a.Op == Commit && !b.TwoPhase && (!named || w.disk.record == NoRecord):
		m.broken("%s does its work before a record on disk names it", b.Name)
	case a.Op == CommitOnePhase && w.disk.record != DelegationRecord:
		m.broken("%s is left to decide before a record on disk says so", b.Name)
	}
}

// checkKnown: what the application can be told for sure is true, and stays so.
func (m *model) checkKnown(w *world, t *Transaction) {
	o := t.Outcome()
	if o != OutcomeCommitted && o != OutcomeRolledBack {
		return
	}
	if w.known != Unknown && w.known != o {
		m.broken("the outcome was %s, and is %s now", w.known, o)
	}
	w.known = o
	if o == OutcomeRolledBack || w.disk.record == CommitRecord {
		return
	}
	for i := range t.Len() {
		p := &w.parts[int(w.first)+i]
		if !p.late && p.state != left && p.state != committed && p.state != performed {
			m.broken("the application can hear of a commit that is not on disk, and %s is %s", letter(i), p.state)
		}
	}
}

// checkEnd: the transaction ends when every branch is done in truth, and its
// record is removed.
func (m *model) checkEnd(w *world, t *Transaction) {
	for i := range t.Len() {
		p := &w.parts[int(w.first)+i]
		done := p.state == rolledBack
		if t.State() == Committed && !p.late {
			done = p.state == committed || p.state == performed
		}
		if !done && p.state != left {
			m.broken("the transaction ends as %s, and %s is %s", t.State(), letter(i), p.state)
		}
	}
	if !t.Recorded() && (w.queued > 0 || w.disk.record != NoRecord) {
		m.broken("the transaction ends and its record stays")
	}
}

// checkPark: the journal cannot forget what is still to be told; who listed a branch
// that was no part of the transaction lists it again.
func (m *model) checkPark(w *world, t *Transaction) {
	if t.disowned {
		return
	}
	var kind bool
	switch t.State() {
	case Committing:
		kind = w.disk.record == CommitRecord
	case Asking:
		kind = w.disk.record == DelegationRecord
	case RollingBack:
		kind = w.disk.record == RollbackRecord || w.disk.record == IntentRecord || w.disk.record == EnlistmentRecord
	}
	if !kind {
		m.broken("parked while %s; on disk is %v", t.State(), w.disk)
	}
	for i := range t.Len() {
		if t.Unfinished(i) && w.disk.pending&(1<<(int(w.first)+i)) == 0 {
			m.broken("parked, and no record says that %s is still to be told", letter(i))
		}
	}
}

// checkWorld is what holds in every world.
func (m *model) checkWorld(w *world) {
	commit := w.known == OutcomeCommitted
	for i := range w.parts {
		p := &w.parts[i]
		if p.state == committed && (w.known == OutcomeRolledBack || p.late || p.sent&bit(Rollback) != 0) {
			m.broken("%s is committed, and should not be", letter(i))
		}
		commit = commit || p.state == committed
	}
	for i := range w.parts {
		p := &w.parts[i]
		if ready := p.state >= prepared && p.state <= performed; commit && !p.late && p.state != out && !ready {
			m.broken("the transaction is committed, and %s is %s", letter(i), p.state)
		}
		if !w.up && !m.remembered(w, i) {
			m.broken("%s is forgotten", letter(i))
		}
	}
	if w.up {
		m.checkPatience(w)
	}
}

// remembered tells whether recovery will find the branch if it must.
func (m *model) remembered(w *world, i int) bool {
	e, p := &w.disk, &w.parts[i]
	pending := e.record != NoRecord && e.pending&(1<<i) != 0
	switch p.state {
	case prepared:
		return pending || m.setting.branches[i].Recoverable
	case performed:
		return pending || e.record == CommitRecord || w.known == OutcomeCommitted
	default:
		return true
	}
}

// checkPatience: past the decision the wait is bounded.
func (m *model) checkPatience(w *world) {
	s := &w.tx
	if s.state != Committing && s.state != RollingBack && s.state != Asking || s.left() {
		return
	}
	if !w.waiting && !s.leaving && !s.held && !strayLeft(s) {
		m.broken("%s, and nothing bounds the wait", s.state)
	}
}

func strayLeft(s *memory) bool {
	return slices.ContainsFunc(s.branches[:s.n], func(b memoryBranch) bool { return b.stray && !b.done })
}

// checkRest is what holds when nothing is left to happen.
func (m *model) checkRest(w *world) {
	commit := w.known == OutcomeCommitted || w.parts[0].state == committed || w.parts[1].state == committed
	for i, b := range m.setting.branches {
		p := &w.parts[i]
		good := p.state == rolledBack || p.state == left
		if commit && !p.late {
			good = p.state == committed || p.state == performed || p.state == left
		}
		// A crash loses work that was never prepared, where it was not promised
		// otherwise.
		unprepared := p.state == idle || p.state == active && !b.Recoverable && !m.setting.durable
		lost := w.crashed && unprepared && (!commit || p.late)
		if !good && !lost && p.state != out {
			m.broken("at the end %s is %s, and the application knows %s", letter(i), p.state, w.known)
		}
	}
	if w.disk.record != NoRecord {
		m.broken("at the end the journal still has %v", w.disk)
	}
}

// checkNoise: what means nothing changes nothing.
func (m *model) checkNoise(w *world) {
	for _, e := range m.noise(w) {
		again := *w
		t := m.load(&again)
		heard := e
		if m.mistake.hears != nil {
			m.mistake.hears(t, &heard)
		}
		if actions := t.Step(heard); len(actions) > 0 {
			m.broken("%s %+v means nothing, and is answered with %v", e.Kind, e, actions)
		}
		if again.save(t); again.tx != w.tx {
			m.broken("%s %+v means nothing, and changes the transaction to %+v", e.Kind, e, again.tx)
		}
	}
}

// noise is what means nothing in this world: answers to other calls than the
// last, duplicates, and what comes too late.
func (m *model) noise(w *world) (es []Event) {
	es = append(es, Event{Kind: Answered, Branch: -1}, Event{Kind: Answered, Branch: int(w.tx.n), Result: Done},
		Event{Kind: RetryDue, Branch: -1}, Event{Kind: RetryDue, Branch: int(w.tx.n)})
	for i := range int(w.tx.n) {
		b := &w.tx.branches[i]
		for _, r := range []Result{Done, Failed} {
			es = append(es, Event{Kind: Answered, Branch: i, Attempt: 0, Result: r},
				Event{Kind: Answered, Branch: i, Attempt: 2, Result: r})
			if !b.pending {
				es = append(es, Event{Kind: Answered, Branch: i, Attempt: 1, Result: r})
			}
		}
		if b.pending || w.tx.left() {
			es = append(es, Event{Kind: RetryDue, Branch: i})
		}
	}
	if w.tx.state > Active {
		es = append(es, Event{Kind: AskCommit})
	}
	if w.tx.state > Delegating {
		es = append(es, Event{Kind: AskRollback}, Event{Kind: Deadline})
	}
	if w.tx.state != Deciding {
		es = append(es, Event{Kind: Forced, Record: CommitRecord, Branches: int(w.tx.n)})
	}
	if w.tx.left() {
		es = append(es, Event{Kind: WaitOver})
	}
	return es
}
