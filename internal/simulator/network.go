package simulator

import "github.com/seed-d36415c0/dtc/protocol"

// send is the network: what it carries may be lost, come twice, and overtake
// what was sent before.
func (w *world) send(deliver func()) {
	copies := 1
	switch {
	case w.chance(w.faults.loses):
		w.report.MessagesLost++
		copies = 0
	case w.chance(w.faults.repeats):
		w.report.MessagesRepeated++
		copies = 2
	}
	w.report.Messages++
	for range copies {
		delay := w.upTo(w.config.delay)
		if w.chance(w.faults.delays) {
			delay += w.upTo(2 * w.config.transactionTimeout)
		}
		w.after(delay, deliver)
	}
}

// call is a call on its way to a participant, and back.
type call struct {
	c       *coordinator
	h       *handle // of whose transaction it is
	op      protocol.Op
	attempt uint32
}

// call takes a call to a participant.
func (w *world) call(c *coordinator, h *handle, name int, op protocol.Op, attempt uint32) {
	m := &call{c, h, op, attempt}
	w.send(func() { w.parts[name].receive(m) })
}

// answer takes an answer to a coordinator, or to the one in its place by then.
func (w *world) answer(m *call, name int, r protocol.Result) {
	w.send(func() {
		switch c := w.serving; {
		case m.c.up:
			m.c.hear(m, m.h, name, r)
		case c != nil:
			c.hear(m, c.handles[m.h.id], name, r)
		}
	})
}

// hear takes a participant's answer.
func (c *coordinator) hear(m *call, h *handle, name int, r protocol.Result) {
	switch {
	case r == protocol.Failed && (m.op == protocol.Rollback || m.op == protocol.Ask):
		c.unwell(name)
	case r != protocol.Failed:
		c.well(name)
	}
	if h != nil && h.actor != nil {
		t := h.actor
		t.take(func() { t.answered(name, m.op, m.attempt, r) })
	}
}

// askInDoubt asks a participant for its branches in doubt.
func (w *world) askInDoubt(c *coordinator, name int, hear func([]id)) {
	w.send(func() {
		p := w.parts[name]
		if !p.up {
			return
		}
		ids := p.inDoubt()
		w.send(func() {
			if c.up {
				hear(ids)
			}
		})
	})
}

// inquire asks a coordinator what became of a transaction.
func (w *world) inquire(name int, x id, hear func(protocol.Outcome)) {
	w.send(func() {
		c := w.serving
		if n := len(w.zombies); n > 0 && w.chance(0.5) {
			c = w.zombies[w.upTo(int64(n)-1)]
		}
		if c == nil || !w.may(c.node, effect{what: "tell", tx: x, n: name}) {
			return
		}
		w.report.Inquiries++
		o, known := c.outcome(x)
		if known {
			w.told(c, x, o)
		} else {
			o = protocol.Unknown
		}
		w.send(func() { hear(o) })
	})
}
