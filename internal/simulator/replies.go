package simulator

import "github.com/seed-d36415c0/dtc/protocol"

// replying is before an application is answered.
func (w *world) replying(c *coordinator, r *request, a answer) {
	if r.replied {
		w.violated(api, "%d: %s is answered twice", r.tx, r.what)
	}
	truth := w.truths[r.tx]
	if truth == nil {
		return
	}
	if a.enlisted {
		truth.told.add(r.name)
		w.enlistedAs(c, r, truth)
	}
	w.told(c, r.tx, a.outcome)
	if a.outcome == protocol.OutcomeCommitted && !a.late && !truth.contrary {
		for _, name := range r.with {
			if !truth.members.has(name) {
				w.violated(api, "%d: committed, and nobody says that %s came too late", r.tx, letter(name))
			}
		}
	}
}

// enlistedAs: an application is told that a branch is enlisted only if it is; for
// a durable transaction, only if a safe record says so.
func (w *world) enlistedAs(c *coordinator, r *request, truth *truth) {
	switch {
	case !truth.members.has(r.name):
		w.violated(api, "%d: %s is told to be enlisted, and is not", r.tx, letter(r.name))
	case truth.durable && !truth.named(r.name) && !c.log.fenced:
		w.violated(wal, "%d: %s is told to be enlisted, and no safe record names it", r.tx, letter(r.name))
	}
}

// told: an application hears nothing but the truth, and never another one.
func (w *world) told(c *coordinator, x id, o protocol.Outcome) {
	truth := w.truths[x]
	if truth == nil || truth.contrary || o != protocol.OutcomeCommitted && o != protocol.OutcomeRolledBack {
		return
	}
	if !w.matters(truth) {
		return // what commits nothing is not remembered
	}
	switch {
	case truth.firm == protocol.Unknown:
		truth.firm = o
	case truth.firm != o:
		w.violated(ac1, "%d: %s is told, and %s was", x, o, truth.firm)
	}
	switch {
	case o == protocol.OutcomeCommitted && !w.isCommitted(truth):
		w.violated(wal, "%d: committed is told, and could be lost", x)
	case o == protocol.OutcomeRolledBack && w.mayCommit(c, truth):
		w.violated(ac1, "%d: rolled back is told, and it may be committed", x)
	}
}

// matters tells whether some member of the transaction has anything to commit.
func (w *world) matters(t *truth) bool {
	for _, p := range w.parts {
		if t.members.has(p.n) && p.of(t.id).standing != readOnly {
			return true
		}
	}
	return false
}

// isCommitted tells whether a transaction is committed for good.
func (w *world) isCommitted(t *truth) bool { return t.committed || w.delegateCommitted(t) }

// delegateCommitted tells whether the decision was left to a participant, which
// has committed.
func (w *world) delegateCommitted(t *truth) bool {
	for _, p := range w.parts {
		if t.recorded[protocol.DelegationRecord].has(p.n) && p.of(t.id).standing == committed {
			return true
		}
	}
	return false
}

// mayCommit tells whether a commit record is on its way to the disk, is there, or
// was.
func (w *world) mayCommit(c *coordinator, t *truth) bool {
	return w.isCommitted(t) || w.disk.mayHold(t.id, protocol.CommitRecord) ||
		!c.log.fenced && c.log.failure == sound && c.log.holds(t.id, protocol.CommitRecord)
}

// decided is when the protocol says that an outcome stands.
func (w *world) decided(t *transaction) {
	w.told(t.c, t.h.id, t.tx.Outcome())
	if t.silent {
		w.violated(fence, "%d is decided, and has another owner", t.h.id)
	}
	t.c.after(w.config.participantTimeout+1, func() {
		late := w.truths[t.h.id].stray != 0 // who comes late is waited for anew
		if t.h.actor == t && !t.gone() && !late && !t.tx.Answered() && t.forces[protocol.RollbackRecord] == 0 {
			w.violated(inTime, "%d is %s, and nobody has been told in time", t.h.id, t.tx.State())
		}
	})
}

// ending is before a transaction ends: everybody has acknowledged, in truth.
func (w *world) ending(t *transaction) {
	truth := w.truths[t.h.id]
	if truth.contrary {
		return
	}
	yes := t.tx.Outcome() == protocol.OutcomeCommitted
	for i := range t.parts {
		p := w.parts[t.parts[i].name]
		b := p.of(t.h.id)
		switch {
		case truth.settled.has(p.n):
		case b.standing == prepared, b.work && !p.recoverable, b.work && truth.members.has(p.n) && b.standing == unknown:
			w.violated(ac5, "%d ends, and %s is %s", t.h.id, letter(p.n), b.standing)
		case yes && !truth.stray.has(p.n) && b.standing != committed && b.standing != readOnly,
			(!yes || truth.stray.has(p.n)) && b.effects > 0:
			w.violated(ac1, "%d ends as %s, and %s is %s", t.h.id, t.tx.State(), letter(p.n), b.standing)
		}
	}
	if yes {
		w.report.Committed++
	} else {
		w.report.RolledBack++
	}
	w.frugal(t, truth)
}

// frugal: a transaction that went its way undisturbed has forced as much as its
// participants' kinds ask for, and no more.
func (w *world) frugal(t *transaction, truth *truth) {
	if truth.durable || t.waited || truth.stray != 0 || truth.settled != 0 {
		return
	}
	forced, want := 0, w.needs(t)
	for _, n := range t.forces {
		forced += n
	}
	rolledBack := t.tx.Outcome() != protocol.OutcomeCommitted
	switch {
	case rolledBack && t.forces[protocol.RollbackRecord] > 0 && !w.troubled(t):
		w.violated(presumedAbort, "%d: a rollback that all acknowledge forces a record", t.h.id)
	case rolledBack && t.tx.Path() == protocol.NoPath && forced > t.forces[protocol.RollbackRecord]:
		w.violated(presumedAbort, "%d: %d records are forced for a rollback while active", t.h.id, forced)
	case !rolledBack && forced != want:
		w.violated(presumedAbort, "%d: %d records are forced for a commit that needs %d", t.h.id, forced, want)
	}
}

// troubled tells whether a branch had to be told more than once, or hung.
func (w *world) troubled(t *transaction) bool {
	for i := range t.parts {
		if t.parts[i].failures > 0 {
			return true
		}
	}
	return false
}

// needs is how many records a commit has to force.
func (w *world) needs(t *transaction) int {
	intent, left := 0, 0
	for i := range t.parts {
		p := w.parts[t.parts[i].name]
		if !p.twoPhase || !p.recoverable {
			intent = 1
		}
		if p.of(t.h.id).standing == readOnly {
			left++
		}
	}
	switch only := len(t.parts) == 1; {
	case len(t.parts) == 0:
		return 0
	case only && w.parts[t.parts[0].name].twoPhase && w.parts[t.parts[0].name].delegable:
		return 1
	case left == len(t.parts) && intent == 0:
		return 0
	}
	return 1 + intent
}

// parking: nothing leaves memory that a crash could make the journal forget.
func (w *world) parking(t *transaction) {
	truth := w.truths[t.h.id]
	if t.tx.Outcome() != protocol.OutcomeRolledBack || truth.contrary || t.life != nil && t.life.unrecorded {
		return
	}
	for i := range t.parts {
		p := w.parts[t.parts[i].name]
		if b := p.of(t.h.id); t.tx.Unfinished(i) && !truth.named(p.n) && !p.recoverable && b.holds() {
			w.violated(wal, "%d is parked, and no safe record names %s, which is %s", t.h.id, letter(p.n), b.standing)
		}
	}
}

// leaving is when an actor stops: who has finished owes nobody a call.
func (w *world) leaving(t *transaction) {
	if owing := t.unfinished(); t.h.finished() && len(owing) > 0 {
		w.violated(ac5, "%d leaves as %s, and %s is to be told", t.h.id, t.h.state, letter(owing[0]))
	}
}

// settled is before a person's word is taken. The person has put the branch in
// order at the participant.
func (w *world) settled(t *transaction, r *request) {
	truth, p := w.truths[t.h.id], w.parts[r.name]
	b := p.of(t.h.id)
	truth.settled.add(p.n)
	w.report.Settled++
	asking := t.tx.State() == protocol.Asking
	yes := t.tx.Outcome() == protocol.OutcomeCommitted && !truth.stray.has(p.n)
	if asking {
		yes = b.standing == committed
	}
	if r.forget || r.commit != yes || asking && b.standing == unknown && r.commit {
		truth.contrary = true
	}
	if r.forget {
		return
	}
	b.work, b.effects, b.standing = false, 0, rolledBack
	if r.commit {
		b.effects, b.standing = 1, committed
	}
}

// finally: without failures, what all agree to is committed.
func (w *world) finally(a *application, got answer) {
	if w.fair && a.ending == "commit" && got.outcome != protocol.OutcomeCommitted {
		w.violated(ac4, "%d: nothing failed, all voted yes, and the answer is %s", a.tx, got.outcome)
	}
}
