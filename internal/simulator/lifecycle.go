package simulator

import (
	"slices"

	"github.com/seed-d36415c0/dtc/protocol"
)

// takeUp goes on from the record.
func (t *transaction) takeUp() {
	l := t.life
	if l.record == nil {
		if l.record = t.c.w.disk.record(t.h.id); l.record == nil {
			t.cannotTakeUp()
			return
		}
	}
	t.written = !l.unrecorded
	t.recall()
	t.base = t.c.w.rng.Uint32() >> 1
	if r := l.settle; r != nil {
		l.settle = nil
		t.settle(r)
	}
	if !t.tx.Left() {
		t.step(protocol.Event{Kind: protocol.Resume, Attempt: t.base})
	}
	for _, name := range l.belated {
		t.tryEnlist(name, true)
	}
}

// recall makes the protocol's transaction from the record.
func (t *transaction) recall() {
	l := t.life
	branches := make([]protocol.Branch, len(l.record.branches))
	pending := make([]bool, len(branches))
	t.parts = nil
	for i, b := range l.record.branches {
		pending[i] = b.pending && (t.h.waiting == nil || slices.Contains(t.h.waiting, b.participant))
		branches[i] = t.c.w.parts[b.participant].branch()
		t.parts = append(t.parts, part{name: b.participant})
		t.h.members.add(b.participant)
	}
	kind := l.record.kind
	if l.unrecorded && kind == protocol.RollbackRecord {
		kind = protocol.NoRecord
	}
	t.tx = protocol.Recovered(kind, branches, pending, l.patient)
	t.h.state = t.tx.State()
}

// cannotTakeUp stops an actor whose transaction has finished meanwhile.
func (t *transaction) cannotTakeUp() {
	t.closed = true
	if r := t.life.settle; r != nil {
		t.life.settle = nil
		t.c.reply(r, answer{refused: true})
	}
	t.c.left(t, nil, true)
	t.lastCall()
}

// end writes the end, if there is anything to end, and leaves.
func (t *transaction) end() {
	w := t.c.w
	if !w.may(t.c.node, effect{what: "end", tx: t.h.id}) || t.gone() {
		return
	}
	w.ending(t)
	t.c.retire(t.h)
	t.h.parked, t.h.waiting = false, nil
	if t.written {
		e := &ended{t.h.id, t.tx.Outcome() == protocol.OutcomeCommitted, t.h.at, t.h.heuristic}
		t.c.log.append(appendage{writes: []write{{end: e}}})
	}
	t.closeMailbox()
}

// park leaves a decided transaction to the journal.
func (t *transaction) park() {
	t.c.w.parking(t)
	t.h.parked, t.h.waiting = true, t.unfinished()
	t.closeMailbox()
}

// unfinished names the branches that have not acknowledged; never nil.
func (t *transaction) unfinished() []int {
	names := make([]int, 0, len(t.parts))
	for i := range t.parts {
		if t.tx.Unfinished(i) {
			names = append(names, t.parts[i].name)
		}
	}
	return names
}

// closeMailbox lets no more messages in.
func (t *transaction) closeMailbox() {
	t.c.release(t.h)
	t.closed, t.deaf = true, true
	t.lastCall()
}

// lastCall comes behind every message that was let in.
func (t *transaction) lastCall() { t.c.at(t.latest, t.stop) }

// stop ends the actor, unless something that came before the last call has
// given it new work.
func (t *transaction) stop() {
	switch {
	case t.stopped:
	case t.failed:
		t.stopFailed()
	case t.life != nil && len(t.parts) == 0 || t.tx.Left():
		t.stopped = true
		t.c.w.leaving(t)
		t.c.stopped(t)
		settle := t.late
		t.late = nil
		if t.tx.Len() > 0 && !t.h.finished() {
			var r *record
			if !t.written {
				r = t.record(t.recordKind())
			}
			t.c.left(t, r, false)
			if settle != nil {
				t.c.settle(settle)
				settle = nil
			}
		}
		if settle != nil {
			t.c.reply(settle, answer{refused: true})
		}
		t.failEnlistments()
		t.c.terminated(t)
	default: // there is new work
		t.closed, t.deaf = false, false
		t.arm()
	}
}

// fail is a panic: whatever was being done is left where it is. The actor does
// nothing more but save what its successor needs from its mailbox.
func (t *transaction) fail() {
	t.failed, t.deaf, t.closed = true, true, true
	t.c.w.report.Panics++
	t.lastCall()
}

func (t *transaction) stopFailed() {
	t.stopped = true
	if r := t.asking; r != nil {
		t.asking = nil
		t.c.reply(r, answer{refused: true})
	}
	if r := t.late; r != nil {
		t.late = nil
		t.c.reply(r, answer{refused: true})
	}
	if t.life != nil && t.life.settle != nil {
		t.c.reply(t.life.settle, answer{refused: true})
	}
	t.failEnlistments()
	t.c.comeBack(t)
}

// belated names the branches that came too late to be part of a transaction that
// is committed. No record may name them: who takes the transaction up enlists them
// late again.
func (t *transaction) belated() (names []int) {
	for i := range t.parts {
		if t.isBelated(i) {
			names = append(names, t.parts[i].name)
		}
	}
	return names
}

func (t *transaction) isBelated(i int) bool {
	return t.recordKind() == protocol.CommitRecord && (i >= t.tx.Len() || t.tx.Stray(i))
}

// unrecordedAs is what a journal would hold of a transaction that has no record.
func (t *transaction) unrecordedAs() *record {
	kind := t.recordKind()
	r := &record{id: t.h.id, kind: kind}
	for i := range t.parts {
		if t.isBelated(i) {
			continue
		}
		r.branches = append(r.branches, recorded{
			participant: t.parts[i].name,
			twoPhase:    t.c.w.parts[t.parts[i].name].twoPhase,
			pending:     kind == protocol.RollbackRecord || i >= t.tx.Len() || t.tx.Unfinished(i),
		})
	}
	return r
}

func without(names []int, name int) []int {
	return slices.DeleteFunc(slices.Clone(names), func(n int) bool { return n == name })
}
