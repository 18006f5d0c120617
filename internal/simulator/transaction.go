package simulator

import (
	"github.com/seed-d36415c0/dtc/protocol"
)

// transaction is the actor of one transaction, as actors.Transaction is: it
// feeds the protocol with what it hears, and does what that says.
type transaction struct {
	c  *coordinator
	h  *handle
	tx *protocol.Transaction

	parts   []part
	waiters []*request
	asking  *request // whoever waits for the answer to what is being handled
	written bool     // the journal holds a record
	life    *life    // nil for one that begins
	base    uint32   // the number that the first call of a resumed transaction follows

	deadline int64 // when it must be decided
	wait     int64 // until when acknowledgements are waited for
	alarm    int64 // what the timer is set for
	deaf     bool  // its timer is stopped for good

	queue []protocol.Event
	busy  bool

	closed  bool  // takes no more messages
	latest  int64 // when the last message that was taken is handled
	stopped bool
	silent  bool // it has heard that another owner has the journal
	failed  bool // panicked; only saves what is in its mailbox
	lives   int
	entry   *entry // whose try it is; nil for one that began here
	late    *request
	forces  [6]int // by record
	waited  bool   // acknowledgements were not all there in time
}

// part is what the actor knows of a branch.
type part struct {
	name     int
	expires  int64 // when an unanswered call is overdue; 0 where none is
	retry    int64
	failures int
	op       protocol.Op // the last call
	owes     bool        // it has not been answered
	replies  []*request
}

// life is what a transaction is taken up from.
type life struct {
	record         *record // nil: the journal's
	unrecorded     bool    // it is not in the journal
	patient, probe bool
	settle         *request
	belated        []int // to be enlisted, too late
}

// take has a message handled soon, behind those that came before; false means that the actor takes no more.
func (t *transaction) take(do func()) bool {
	if t.closed || !t.c.up {
		return false
	}
	t.latest = max(t.latest, t.c.now()+t.c.w.upTo(t.c.w.config.mailbox))
	t.c.at(t.latest, func() { t.handle(do) })
	return true
}

// handle is one turn of the actor.
func (t *transaction) handle(do func()) {
	if t.stopped {
		return
	}
	do()
	t.arm()
}

// gone tells whether the actor performs nothing more.
func (t *transaction) gone() bool { return !t.c.up || t.failed || t.stopped }

// step feeds the protocol, and performs what it says. An event that comes up
// while actions are performed waits for its turn.
func (t *transaction) step(e protocol.Event) {
	if t.gone() {
		return
	}
	t.queue = append(t.queue, e)
	if t.busy {
		return
	}
	t.busy = true
	for len(t.queue) > 0 && !t.gone() {
		e := t.queue[0]
		t.queue = t.queue[1:]
		t.stepOne(e)
	}
	t.queue = t.queue[:0]
	t.busy = false
}

func (t *transaction) stepOne(e protocol.Event) {
	w := t.c.w
	before, owed := t.tx.State(), t.owed(e)
	actions := t.tx.Step(e)
	t.h.state = t.tx.State()
	if w.tracing {
		w.say("%s %d: %s%s: %s → %s", t.c.node, t.h.id, e.Kind, detail(e), before, t.h.state)
	}
	w.stepped(t, e, before, owed)
	for _, a := range actions {
		if t.gone() {
			return
		}
		t.perform(a)
	}
}

// owed tells whether the event is the answer to a call that was not answered yet.
func (t *transaction) owed(e protocol.Event) bool {
	if e.Kind != protocol.Answered || !t.tx.Waiting(e.Branch) {
		return false
	}
	_, attempt := t.tx.Op(e.Branch)
	return attempt == e.Attempt
}

// perform does what the protocol says.
func (t *transaction) perform(a protocol.Action) {
	switch a.Kind {
	case protocol.Enlisted:
		t.c.w.enlisted(t, a.Branch)
		for _, r := range t.parts[a.Branch].replies {
			t.c.reply(r, answer{enlisted: true})
		}
		t.parts[a.Branch].replies = nil
	case protocol.Force:
		t.force(a)
	case protocol.Call:
		t.call(a)
	case protocol.Retry:
		p := &t.parts[a.Branch]
		p.failures++
		p.retry = t.c.now() + t.c.w.backoff(p.failures)
	case protocol.Decide:
		t.c.w.decided(t)
	case protocol.Wait:
		t.wait = t.c.now() + t.c.w.config.participantTimeout
	case protocol.Answer:
		t.answerAll()
	case protocol.End:
		t.end()
	case protocol.Park:
		t.park()
	}
}

// force has a record written that names every branch.
func (t *transaction) force(a protocol.Action) {
	w := t.c.w
	if !w.may(t.c.node, effect{what: "force", tx: t.h.id, record: a.Record}) || t.gone() {
		return
	}
	r := t.record(a.Record)
	w.forcing(t, a, r)
	t.forces[a.Record]++
	t.written = true
	t.c.log.append(appendage{
		writes: []write{{put: r}}, force: true, record: a.Record, branches: a.Branches, from: t,
	})
}

// call asks a branch to do something.
func (t *transaction) call(a protocol.Action) {
	w, p := t.c.w, &t.parts[a.Branch]
	expires := t.c.now() + w.config.participantTimeout
	if t.tx.State() < protocol.Delegated && t.deadline < expires {
		expires = t.deadline
	}
	if p.expires == 0 {
		p.expires = expires
	}
	w.calling(t, a)
	p.retry, p.op, p.owes = 0, a.Op, true
	if !t.mayCall(p.name) {
		p.expires, p.owes = 0, false
		t.step(protocol.Event{Kind: protocol.Answered, Branch: a.Branch, Attempt: a.Attempt})
		return
	}
	if !w.may(t.c.node, effect{what: "call", tx: t.h.id, op: a.Op, n: p.name}) || t.gone() {
		return
	}
	w.call(t.c, t.h, p.name, a.Op, a.Attempt)
}

// hasDone tells whether a branch has committed in phase one, or has acknowledged
// before the transaction was taken up.
func (t *transaction) hasDone(i int) bool {
	if t.tx.State() != protocol.Committing {
		return false
	}
	taken := t.life != nil && t.life.record != nil && i < len(t.life.record.branches)
	return !t.tx.At(i).TwoPhase || taken && !t.life.record.branches[i].pending
}

// isCovered tells whether the record that the transaction was taken up from says
// already that every branch is to be rolled back.
func (t *transaction) isCovered() bool {
	if t.life == nil || t.life.unrecorded || len(t.life.record.branches) < len(t.parts) {
		return false
	}
	switch t.life.record.kind {
	case protocol.EnlistmentRecord, protocol.IntentRecord, protocol.RollbackRecord:
		return true
	}
	return false
}

// mayCall tells whether a participant is to be called. One that is taken up
// leaves those alone that are not well, unless it is to find out.
func (t *transaction) mayCall(name int) bool {
	return t.life == nil || t.life.probe || t.life.patient || !t.c.sick[name]
}

// answered takes a participant's answer.
func (t *transaction) answered(name int, op protocol.Op, attempt uint32, r protocol.Result) {
	i := t.index(name)
	if i < 0 || t.failed {
		return
	}
	p := &t.parts[i]
	lastOp, last := t.tx.Op(i)
	if t.tx.Left() {
		if t.h.parked && r == protocol.Done && op != protocol.Ask && lastOp == op && last == attempt {
			t.h.waiting = without(t.h.waiting, name)
		}
		return
	}
	switch {
	case lastOp == op && last == attempt:
		p.expires, p.owes = 0, false
	case t.tx.Waiting(i):
		p.expires = t.c.now() + t.c.w.config.participantTimeout
	}
	t.step(protocol.Event{Kind: protocol.Answered, Branch: i, Attempt: attempt, Result: r})
}

// appended takes the journal's answer.
func (t *transaction) appended(r protocol.Record, branches int, err failure) {
	if err == sound {
		t.step(protocol.Event{Kind: protocol.Forced, Record: r, Branches: branches})
		return
	}
	t.silent = t.silent || err == fenced
	t.step(protocol.Event{Kind: protocol.ForceFailed, Record: r, Fenced: err == fenced})
	t.failEnlistments()
}

func (t *transaction) failEnlistments() {
	for i := range t.parts {
		for _, r := range t.parts[i].replies {
			t.c.reply(r, answer{refused: true})
		}
		t.parts[i].replies = nil
	}
}

func (t *transaction) index(name int) int {
	for i := range t.parts {
		if t.parts[i].name == name {
			return i
		}
	}
	return -1
}

// record is what the journal is to know of the transaction.
func (t *transaction) record(kind protocol.Record) *record {
	r := &record{id: t.h.id, kind: kind, branches: make([]recorded, len(t.parts))}
	for i := range t.parts {
		r.branches[i] = recorded{t.parts[i].name, t.tx.At(i).TwoPhase, t.tx.Unfinished(i)}
	}
	return r
}

// recordKind is the record that says where the transaction stands.
func (t *transaction) recordKind() protocol.Record {
	switch t.h.state {
	case protocol.Committing, protocol.Committed:
		return protocol.CommitRecord
	case protocol.Delegated, protocol.Asking:
		return protocol.DelegationRecord
	default:
		return protocol.RollbackRecord
	}
}
