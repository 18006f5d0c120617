package simulator

import "github.com/seed-d36415c0/dtc/protocol"

// The invariants. AC1 to AC5 are those of atomic commitment (Bernstein,
// Hadzilacos, Goodman: Concurrency Control and Recovery in Database Systems, 1987,
// chapter 7).
const (
	ac1 = "AC1" // all that reach a decision reach the same one, and callers are told no other
	ac2 = "AC2" // nobody reverses a decision
	ac3 = "AC3" // commit is decided only if all voted yes
	ac4 = "AC4" // without failures, if all vote yes, it is commit
	ac5 = "AC5" // when the faults stop, everything reaches a decision
	// wal: nobody hears of what losing power could take away.
	wal = "WAL"
	// durability: what was committed is found committed everywhere.
	durability = "DURABILITY"
	// idempotence: a commit takes effect once, a rollback leaves none.
	idempotence = "IDEMPOTENCE"
	// presumedAbort: no more is forced than presumed abort needs.
	presumedAbort = "PRESUMED-ABORT"
	// clean: at rest the journal holds no finished transaction as unfinished.
	clean = "JOURNAL"
	// inTime: a transaction is decided, or being decided, by its deadline.
	inTime = "DEADLINE"
	// prompt: a refusal ends the transaction at once.
	prompt = "PROMPT"
	// bounded: no more transactions and participants than may be, and no slot leaks.
	bounded = "CAP"
	// unique: no id is begun twice.
	unique = "UNIQUE"
	// api: every request is answered once.
	api = "API"
	// fence: who has heard that another owner has the journal says nothing more.
	fence = "FENCE"
	// calls: a branch is not asked again what it has not answered yet.
	calls = "CALLS"
	// ends: a run ends, and nothing in it panics.
	ends = "ENDS"
)

// names is a set of participants.
type names uint32

func (s names) has(name int) bool { return s&(1<<name) != 0 }
func (s *names) add(name int)     { *s |= 1 << name }

// truth is what is so of one transaction, whoever knows it.
type truth struct {
	id      id
	durable bool

	told    names // enlisted, as the application was told
	members names // part of the transaction, as its actor has it
	stray   names // enlisted too late to be part of it
	touched names // all of these
	settled names // by hand
	// contrary: a person settled a branch against the outcome.
	contrary bool

	// recorded is who is named by a record of that kind that is safe.
	recorded [6]names
	// committed: a commit record is, or was, safe.
	committed bool
	// firm is the outcome that somebody was told.
	firm protocol.Outcome
}

// begun notes a new transaction.
func (w *world) begun(t *transaction, durable bool) {
	if w.truths[t.h.id] != nil {
		w.violated(unique, "%d is begun a second time", t.h.id)
		return
	}
	w.report.Transactions++
	w.truths[t.h.id] = &truth{id: t.h.id, durable: durable}
	w.order = append(w.order, t.h.id)
	if c := t.c; c.live > w.config.maxTransactions {
		w.violated(bounded, "%d transactions are live", c.live)
	}
	t.c.at(t.deadline+1, func() {
		if t.h.actor == t && !t.gone() && t.tx.State() < protocol.Delegated {
			w.violated(inTime, "%d is %s after its deadline", t.h.id, t.tx.State())
		}
	})
}

// stepped is after every step of the protocol; owed tells whether it took the
// answer to a call.
func (w *world) stepped(t *transaction, e protocol.Event, before protocol.State, owed bool) {
	if e.Kind == protocol.Enlist {
		w.enlisting(t, before)
	}
	parks := e.Kind == protocol.Forced && e.Record == protocol.RollbackRecord && t.tx.State() == protocol.RollingBack
	if parks && !t.tx.Answered() && w.truths[t.h.id].stray == 0 {
		w.violated(inTime, "%d: a rollback record is safe, and nobody is told", t.h.id)
	}
	refused := owed && e.Result != protocol.Done && e.Result != protocol.ReadOnly
	phaseOne := before == protocol.Preparing || before == protocol.Working
	if refused && phaseOne && t.tx.State() < protocol.Committing && !t.tx.Stray(e.Branch) {
		w.violated(prompt, "%d: %s answered %s, and the others are not told", t.h.id, letter(t.parts[e.Branch].name), e.Result)
	}
}

// enlisting notes what has become of an enlistment.
func (w *world) enlisting(t *transaction, before protocol.State) {
	truth := w.truths[t.h.id]
	i := len(t.parts) - 1
	if t.tx.Len() != len(t.parts) {
		return
	}
	name := t.parts[i].name
	truth.touched.add(name)
	switch {
	case t.tx.Stray(i):
		truth.stray.add(name)
		if before == protocol.Active && i < w.config.maxParticipants {
			w.violated(api, "%d is active, and %s comes too late", t.h.id, letter(name))
		}
	default:
		truth.members.add(name)
		if before != protocol.Active {
			w.violated(api, "%d takes %s while it is %s", t.h.id, letter(name), before)
		}
		if i >= w.config.maxParticipants {
			w.violated(bounded, "%d has %d participants", t.h.id, i+1)
		}
	}
}

// forcing is before a record is given to the writer.
func (w *world) forcing(t *transaction, a protocol.Action, r *record) {
	truth := w.truths[t.h.id]
	w.report.Forced++
	switch a.Record {
	case protocol.CommitRecord:
		w.deciding(t, truth)
	case protocol.RollbackRecord:
		switch {
		case len(t.unfinished()) == 0:
			w.violated(presumedAbort, "%d: a rollback record, and all have acknowledged", r.id)
		case t.isCovered():
			w.violated(presumedAbort, "%d: a rollback record, and there is one that says so", r.id)
		}
	}
}

// deciding: commit may be decided only if everybody is ready for it in truth.
func (w *world) deciding(t *transaction, truth *truth) {
	if truth.contrary || t.c.log.fenced {
		return // what another owner has fenced off will not be written
	}
	if truth.firm == protocol.OutcomeRolledBack {
		w.violated(ac2, "%d: a commit record, and rolled back was told", t.h.id)
	}
	var in names
	for i := range t.parts {
		p := w.parts[t.parts[i].name]
		if t.tx.Stray(i) {
			continue
		}
		in.add(p.n)
		if s := p.of(t.h.id).standing; !truth.settled.has(p.n) && !ready(p, s) {
			w.violated(ac3, "%d: a commit record, and %s is %s", t.h.id, letter(p.n), s)
		}
	}
	if missing := truth.told &^ in; missing != 0 {
		w.violated(ac3, "%d: a commit record without enlisted participants (%b)", t.h.id, missing)
	}
}

// ready tells whether a participant is ready for the decision to commit.
func ready(p *service, s standing) bool {
	switch s {
	case prepared, readOnly:
		return p.twoPhase
	case committed: // by an inquiry or an earlier life, if two-phase
		return true
	}
	return false
}

// calling is before a participant is called.
func (w *world) calling(t *transaction, a protocol.Action) {
	truth, name := w.truths[t.h.id], t.parts[a.Branch].name
	p := w.parts[name]
	asked := &t.parts[a.Branch]
	switch {
	case t.silent:
		w.violated(fence, "%d: %s is called, and the transaction has another owner", t.h.id, letter(name))
	case asked.owes && asked.op == a.Op:
		w.violated(calls, "%d: %s is asked to %s twice at a time", t.h.id, letter(name), a.Op)
	case a.Op == protocol.Commit && t.hasDone(a.Branch):
		w.violated(calls, "%d: %s is told to commit, and has done so", t.h.id, letter(name))
	case truth.contrary:
	case a.Op == protocol.Commit && truth.stray.has(name):
		w.violated(ac1, "%d: %s came too late, and is told to commit", t.h.id, letter(name))
	case a.Op == protocol.Commit && p.twoPhase && !truth.committed:
		w.violated(wal, "%d: %s is told to commit, and no commit record is safe", t.h.id, letter(name))
	case a.Op == protocol.Commit && !p.twoPhase && !truth.named(name):
		w.violated(wal, "%d: %s is to do its work, and no safe record names it", t.h.id, letter(name))
	case a.Op == protocol.CommitOnePhase && !truth.recorded[protocol.DelegationRecord].has(name):
		w.violated(wal, "%d: %s is left to decide, and no safe record says so", t.h.id, letter(name))
	}
}

// enlisted is when the protocol says that a branch counts.
func (w *world) enlisted(t *transaction, i int) {
	truth, name := w.truths[t.h.id], t.parts[i].name
	if truth.durable && !truth.named(name) && !t.c.log.fenced {
		w.violated(wal, "%d: %s is enlisted, and no safe record names it", t.h.id, letter(name))
	}
}

// named tells whether a safe record names the participant.
func (t *truth) named(name int) bool {
	var all names
	for _, n := range t.recorded {
		all |= n
	}
	return all.has(name)
}

// made is when a batch of writes is safe.
func (w *world) made(writes []write) {
	for _, write := range writes {
		if write.put == nil {
			continue
		}
		r, truth := write.put, w.truths[write.put.id]
		for _, b := range r.branches {
			truth.recorded[r.kind].add(b.participant)
		}
		if r.kind == protocol.CommitRecord {
			truth.committed = true
		} else if truth.committed && !truth.contrary {
			w.violated(ac2, "%d: a commit record is followed by one of %s", r.id, r.kind)
		}
	}
}

// persisted is when a participant's standing has changed for good.
func (w *world) persisted(p *service, x id, b *branch, from standing, op protocol.Op) {
	truth := w.truths[x]
	if truth == nil || truth.contrary || truth.settled.has(p.n) {
		return
	}
	switch to := b.standing; {
	case p.twoPhase && from == committed && to == rolledBack:
		w.violated(ac2, "%d: %s is rolled back after it was committed", x, letter(p.n))
	case from == rolledBack && to == committed:
		w.violated(ac2, "%d: %s is committed after it was rolled back", x, letter(p.n))
	case to == committed && p.twoPhase && op == protocol.Commit && from != prepared:
		w.violated(ac3, "%d: %s is committed, and was %s", x, letter(p.n), from)
	case to == committed && p.twoPhase && op == protocol.Commit && !truth.committed:
		w.violated(wal, "%d: %s is committed, and no commit record is safe", x, letter(p.n))
	case b.effects < 0 || b.effects > 1:
		w.violated(idempotence, "%d: %s has taken effect %d times", x, letter(p.n), b.effects)
	case p.twoPhase && (to == committed || to == rolledBack):
		w.agree(x, truth)
	}
}

// agree: no two participants end differently.
func (w *world) agree(x id, truth *truth) {
	yes, no := -1, -1
	for _, p := range w.parts {
		b := p.held[x]
		if b == nil || !p.twoPhase || !truth.members.has(p.n) || truth.settled.has(p.n) {
			continue
		}
		switch b.standing {
		case committed:
			yes = p.n
		case rolledBack:
			no = p.n
		}
	}
	if yes >= 0 && no >= 0 {
		w.violated(ac1, "%d: %s is committed, and %s is rolled back", x, letter(yes), letter(no))
	}
}
