package simulator

import "github.com/seed-d36415c0/dtc/protocol"

// interfere has others meddle with a transaction: they commit it, roll it back,
// ask for its outcome, enlist late, and settle branches by hand.
func (w *world) interfere(a *application, from int64) {
	span := w.config.transactionTimeout + 2*w.config.participantTimeout
	ignore := func(answer) {}
	acts := []struct {
		chance float64
		act    func()
	}{
		{0.5, func() { w.askOutcome(a.tx) }},
		{0.15, func() { w.askRollback(a.tx, ignore) }},
		{0.1, func() { w.askCommit(a.tx, nil, ignore) }},
		{0.15, func() { w.askEnlist(a.tx, w.anyPart(), ignore) }},
		{0.15, func() { w.postLate(a) }},
		{0.15, func() { w.settleOne(a.tx) }},
		{0.1, func() { w.settleOne(a.tx) }},
		{0.1, func() { w.inquire(w.anyPart(), a.tx, func(protocol.Outcome) {}) }},
		{0.2, func() { w.expedite() }},
	}
	for _, m := range acts {
		if w.chance(m.chance) {
			w.at(from+w.upTo(span), func() {
				if a.tx != 0 {
					m.act()
				}
			})
		}
	}
}

func (w *world) anyPart() int { return int(w.upTo(int64(len(w.parts)) - 1)) }

// postLate has another goroutine of the same application enlist, while it
// commits already.
func (w *world) postLate(a *application) {
	name := w.anyPart()
	if a.posts && !a.durable && w.post(a.tx, name) {
		a.with = append(a.with, name)
	}
}

// expedite has everything that is parked tried now.
func (w *world) expedite() {
	c := w.serving
	if c == nil {
		return
	}
	for _, e := range c.parked.entries {
		if !e.trying {
			e.now, e.due = true, 0
		}
	}
	c.after(0, c.deliver)
}

// settleOne has a person settle a branch that has not acknowledged.
func (w *world) settleOne(x id) {
	name := w.anyPart()
	if t := w.truths[x]; t != nil && t.touched.has(name) {
		w.settleBy(x, name, w.chance(0.5), w.chance(0.2))
	}
}

func (w *world) settleBy(x id, name int, commit, forget bool) {
	r := &request{what: "settle", tx: x, name: name, commit: commit, forget: forget, answered: func(answer) {}}
	w.ask(r, func(c *coordinator) { c.settle(r) })
}
