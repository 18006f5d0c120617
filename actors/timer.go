package actors

import (
	"time"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
)

// timer is the deadlines of a transaction, and the one timer that is set for
// the earliest of them. All are instants: nothing that happens pushes one back.
type timer struct {
	// deadline is when the transaction must be decided.
	deadline time.Time
	// wait is when acknowledgements have been waited for long enough; zero while
	// none are waited for.
	wait time.Time

	timer      *time.Timer
	set        time.Time // what it is set for; zero if it is not
	generation uint32
	stopped    bool
}

// stop is for when the transaction takes no more messages.
func (r *timer) stop() {
	r.stopped = true
	if r.timer != nil {
		r.timer.Stop()
	}
}

// restart is for when it takes them again.
func (r *timer) restart() { r.stopped, r.set = false, time.Time{} }

// arm sets the timer for the earliest deadline. A timer that is set for an
// earlier instant is left: it then finds nothing due, and is set again.
func (t *Transaction) arm() {
	r := &t.timer
	next := t.nextDue()
	if r.stopped || next.IsZero() || t.tx.Left() {
		return
	}
	if !r.set.IsZero() && !next.Before(r.set) {
		return
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	r.generation++
	r.set = next
	m, to := &messages.ReceiveTimeout{Generation: r.generation}, t.handle
	r.timer = time.AfterFunc(time.Until(next), func() { to.Send(m) })
}

// nextDue returns the earliest deadline; zero if there is none.
func (t *Transaction) nextDue() (next time.Time) {
	consider := func(at time.Time) {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if t.deadlineCounts() {
		consider(t.timer.deadline)
	}
	consider(t.timer.wait)
	for i := range t.parts {
		consider(t.parts[i].expires)
		consider(t.parts[i].retry)
	}
	return next
}

// deadlineCounts tells whether the transaction's deadline can still decide.
func (t *Transaction) deadlineCounts() bool { return t.tx.State() < protocol.Delegated }

// receiveTimeout does what is due.
func (t *Transaction) receiveTimeout(m *messages.ReceiveTimeout) {
	if m.Generation != t.timer.generation {
		return
	}
	t.timer.set = time.Time{}
	now := time.Now()
	t.overdueCalls(now)
	if t.pastDeadline(now) {
		t.step(protocol.Event{Kind: protocol.Deadline}, t.deadlineCause(t.tx.State()))
	}
	for i := range t.parts {
		if due(now, &t.parts[i].retry) {
			t.step(protocol.Event{Kind: protocol.RetryDue, Branch: i}, messages.Cause{})
		}
	}
	if due(now, &t.timer.wait) {
		t.step(protocol.Event{Kind: protocol.WaitOver}, messages.Cause{})
	}
}

// due tells whether an instant has come, and clears it if so.
func due(now time.Time, at *time.Time) bool {
	if at.IsZero() || now.Before(*at) {
		return false
	}
	*at = time.Time{}
	return true
}

// pastDeadline tells whether the transaction's deadline decides by now.
func (t *Transaction) pastDeadline(now time.Time) bool {
	return t.deadlineCounts() && !now.Before(t.timer.deadline)
}

func (t *Transaction) deadlineCause(s protocol.State) messages.Cause {
	return messages.Cause{Timeout: t.timeout, State: s}
}

// callTimeout is how long a call had that is overdue now, at the most.
func (t *Transaction) callTimeout(now time.Time) time.Duration {
	if t.pastDeadline(now) {
		return min(t.env.Limits.ParticipantTimeout, t.timeout)
	}
	return t.env.Limits.ParticipantTimeout
}

// overdueCalls tells the protocol which branches have not answered in time. In
// phase one each is a reason to roll back, and so is the transaction's own
// deadline where that is what cut the call short.
func (t *Transaction) overdueCalls(now time.Time) {
	phaseOne := t.tx.State() < protocol.Deciding
	var overdue []int
	for i := range t.parts {
		if due(now, &t.parts[i].expires) {
			overdue = append(overdue, i)
		}
	}
	if len(overdue) == 0 {
		return
	}
	pastDeadline, timeout := t.pastDeadline(now), t.callTimeout(now)
	state := t.tx.State()
	for _, i := range overdue {
		p := &t.parts[i]
		op, _ := t.tx.Op(i)
		why := messages.Cause{
			Participant: p.branch.Participant, Op: op, State: state, Timeout: timeout,
		}
		if p.gateway != nil {
			p.gateway.health.fail(t.env, errOverdue, true)
		}
		_, attempt := t.tx.Op(i)
		t.step(protocol.Event{
			Kind: protocol.Answered, Branch: i, Attempt: attempt, Result: protocol.TimedOut,
		}, why)
		if phaseOne {
			t.addCause(why)
		}
	}
	if pastDeadline {
		t.addCause(t.deadlineCause(state))
	}
}
