package simulator

import "github.com/seed-d36415c0/dtc/protocol"

// arm sets the timer for the earliest deadline. A timer that is set for an
// earlier instant is left: it then finds nothing due, and is set again.
func (t *transaction) arm() {
	next := t.nextDue()
	if next == 0 || t.deaf || t.gone() || t.tx.Left() || t.alarm != 0 && next >= t.alarm {
		return
	}
	t.alarm = next
	t.c.at(next, func() {
		if t.alarm == next && !t.deaf {
			t.handle(t.ring)
		}
	})
}

// nextDue returns the earliest deadline; 0 if there is none.
func (t *transaction) nextDue() (next int64) {
	consider := func(at int64) {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	if t.tx.State() < protocol.Delegated {
		consider(t.deadline)
	}
	consider(t.wait)
	for i := range t.parts {
		consider(t.parts[i].expires)
		consider(t.parts[i].retry)
	}
	return next
}

// ring does what is due.
func (t *transaction) ring() {
	t.alarm = 0
	if t.gone() {
		return
	}
	now := t.c.now()
	var overdue []int
	for i := range t.parts {
		if due(now, &t.parts[i].expires) {
			overdue = append(overdue, i)
		}
	}
	for _, i := range overdue {
		t.c.unwell(t.parts[i].name)
		t.waited, t.parts[i].owes = true, false
		_, attempt := t.tx.Op(i)
		t.step(protocol.Event{Kind: protocol.Answered, Branch: i, Attempt: attempt, Result: protocol.TimedOut})
	}
	if t.tx.State() < protocol.Delegated && now >= t.deadline {
		t.step(protocol.Event{Kind: protocol.Deadline})
	}
	for i := range t.parts {
		if due(now, &t.parts[i].retry) {
			t.step(protocol.Event{Kind: protocol.RetryDue, Branch: i})
		}
	}
	if due(now, &t.wait) {
		t.waited = true
		t.step(protocol.Event{Kind: protocol.WaitOver})
	}
}

// due tells whether an instant has come, and clears it if so.
func due(now int64, at *int64) bool {
	if *at == 0 || now < *at {
		return false
	}
	*at = 0
	return true
}
