package protocol

import (
	"fmt"
	"math/bits"
)

// model moves worlds: it plays the driver, the journal and the network.
type model struct {
	setting setting
	mistake mistake
	// wrong is the first broken promise.
	wrong error

	// Room to work in.
	tx       Transaction
	branches [2]branch
	actions  [16]Action
	healing  [8]choice
}

// begin is a world in which the application has begun a transaction, and
// enlisted what is not to be enlisted later.
func (m *model) begin() world {
	w := world{}
	w.save(New(len(m.setting.branches), m.setting.durable))
	n := len(m.setting.branches)
	if m.setting.posted {
		n--
	}
	for i := 0; i < n && !m.setting.durable; i++ {
		m.enlist(&w)
	}
	return w
}

// enlist adds the next branch.
func (m *model) enlist(w *world) {
	n := w.tx.n
	p := &w.parts[n]
	p.state, p.late = active, w.tx.state != Active
	if m.setting.durable {
		p.state = idle
	}
	m.step(w, Event{Kind: Enlist, Enlist: m.setting.branches[n], Posted: m.setting.posted})
}

// apply returns the world after the choice.
func (m *model) apply(w world, c choice) world {
	switch c.act {
	case asksCommit:
		m.step(&w, Event{Kind: AskCommit})
	case asksRollback:
		m.step(&w, Event{Kind: AskRollback})
	case timeIsUp:
		m.step(&w, Event{Kind: Deadline})
	case enlists:
		m.enlist(&w)
	case answers:
		m.answer(&w, c)
	case takesSilently:
		p := &w.parts[c.branch]
		p.state, _, _ = react(m.setting.branches[c.branch], p.state, c.op, c.how)
	case answersTooLate:
		m.answered(&w, c.branch, TimedOut)
	case retries:
		w.parts[c.branch].retry = false
		m.step(&w, Event{Kind: RetryDue, Branch: int(c.branch - w.first)})
	case waitsNoMore:
		m.waitOver(&w)
	case writes, breaks, isFencedOff, reports:
		m.journal(&w, c)
	default:
		m.upAndDown(&w, c)
	}
	for i := range w.parts {
		w.parts[i].settleSent()
	}
	m.checkWorld(&w)
	return w
}

func (m *model) answer(w *world, c choice) {
	p := &w.parts[c.branch]
	to, r, ok := react(m.setting.branches[c.branch], p.state, c.op, c.how)
	if !ok {
		m.broken("%s is asked to %s while it is %s", letter(int(c.branch)), c.op, p.state)
		return
	}
	p.state = to
	m.answered(w, c.branch, r)
}

func (m *model) answered(w *world, p uint8, r Result) {
	before := w.tx.state
	m.step(w, Event{Kind: Answered, Branch: int(p - w.first), Attempt: 1, Result: r})
	if (before == Preparing || before == Working) && r != Done && r != ReadOnly && w.tx.state < Committing {
		m.broken("a branch answered %s, and the others are not told", r)
	}
}

func (m *model) waitOver(w *world) {
	w.waiting = false
	m.step(w, Event{Kind: WaitOver})
}

// journal is what happens at the journal.
func (m *model) journal(w *world, c choice) {
	switch c.act {
	case writes:
		e := w.pop()
		w.disk = e.applied()
		if e.record != endEntry && w.up {
			m.step(w, Event{Kind: Forced, Record: e.record, Branches: bits.OnesCount8(e.named)})
		}
	case breaks, isFencedOff:
		w.write(c.n)
		w.dead, w.fenced = true, c.act == isFencedOff
	case reports:
		e := w.pop()
		if e.record != endEntry && w.up {
			w.taken = w.fenced
			m.step(w, Event{Kind: ForceFailed, Record: e.record, Fenced: w.fenced})
		}
	}
}

// upAndDown is what brings the transaction into memory and out of it.
func (m *model) upAndDown(w *world, c choice) {
	switch c.act {
	case crashes:
		w.write(c.n)
		w.queue, w.queued, w.dead, w.fenced, w.crashed = [6]entry{}, 0, false, false, true
		w.forget()
	case panics:
		m.panic(w)
	case leavesMemory:
		if !w.replied {
			m.broken("the transaction leaves memory without an answer to the application")
		}
		w.forget()
	case resumes:
		m.recover(w, w.disk, false)
	case scans:
		if w.known == OutcomeCommitted {
			m.takeBack(w, uint8(bits.TrailingZeros8(c.n)))
			return
		}
		m.recover(w, entry{named: c.n, pending: c.n}, false)
	}
}

// takeBack rolls back a branch that is in doubt although its transaction ended
// as committed: it came too late to be part of it.
func (m *model) takeBack(w *world, p uint8) {
	w.forget()
	w.first = p
	t := Recovered(CommitRecord, m.setting.branches[p:p+1], []bool{true}, false)
	t.Disown()
	w.save(t)
	m.step(w, Event{Kind: Resume})
}

// panic ends the transaction's actor. Its supervisor knows which branches there
// are, but prefers what the journal says.
func (m *model) panic(w *world) {
	all := uint8(1<<w.tx.n-1) << w.first
	e := w.disk
	if e.record == NoRecord {
		e.named, e.pending = all, all
	}
	if e.named != all {
		w.crashed = true // work that no record names is lost, as in a crash
	}
	m.recover(w, e, true)
}

// recover takes up the transaction that the entry describes.
func (m *model) recover(w *world, e entry, patient bool) {
	w.forget()
	w.first = uint8(bits.TrailingZeros8(e.named))
	var branches []Branch
	var pending []bool
	for i := w.first; e.named&(1<<i) != 0; i++ {
		branches = append(branches, m.setting.branches[i])
		pending = append(pending, e.pending&(1<<i) != 0)
	}
	r := e.record
	if m.mistake.recovers != nil {
		r = m.mistake.recovers(r)
	}
	w.save(Recovered(r, branches, pending, patient))
	m.step(w, Event{Kind: Resume})
}

// step gives the transaction an event and does what it says.
func (m *model) step(w *world, e Event) {
	t := m.load(w)
	if m.mistake.before != nil {
		m.mistake.before(t, &e)
	}
	if m.mistake.hears != nil {
		m.mistake.hears(t, &e)
	}
	actions := t.Step(e)
	w.save(t)
	forgotten := NoRecord
	for _, a := range actions {
		if a.Kind == Force && (a.Record == m.mistake.unforced || a.Record == m.mistake.early) {
			forgotten = a.Record
		}
		m.perform(w, t, a)
	}
	m.checkKnown(w, t)
	if forgotten != NoRecord {
		m.step(w, Event{Kind: Forced, Record: forgotten, Branches: len(t.branches)})
	}
}

// perform does what the transaction says, as a driver does, and checks that it
// may be done.
func (m *model) perform(w *world, t *Transaction, a Action) {
	p := &w.parts[int(w.first)+a.Branch]
	switch a.Kind {
	case Enlisted:
		if p.state == idle {
			p.state = active
		}
	case Force:
		if a.Record == CommitRecord {
			m.checkVotes(w, t)
		}
		if a.Record != m.mistake.unforced {
			w.append(m.record(w, t, a.Record))
		}
	case Call:
		m.checkCall(w, t, a)
		p.sent |= bit(a.Op)
	case Retry:
		p.retry = true
	case Wait:
		w.waiting = true
	case Answer:
		if w.replied {
			m.broken("the application is answered twice")
		}
		w.replied = true
	case End:
		m.checkEnd(w, t)
		if t.Recorded() && !m.mistake.endless {
			w.append(entry{record: endEntry})
		}
	case Park:
		m.checkPark(w, t)
	}
}

// record is what a driver writes down.
func (m *model) record(w *world, t *Transaction, r Record) entry {
	e := entry{record: r}
	for i := range t.Len() {
		e.named |= 1 << (int(w.first) + i)
		if t.Unfinished(i) {
			e.pending |= 1 << (int(w.first) + i)
		}
	}
	return e
}

func (m *model) broken(format string, args ...any) {
	if m.wrong == nil {
		m.wrong = fmt.Errorf(format, args...)
	}
}
