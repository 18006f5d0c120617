package simulator

import (
	"slices"

	"github.com/seed-d36415c0/dtc/protocol"
)

// application is what works on one transaction: a caller who takes it from begin
// to an outcome, and others who interfere.
type application struct {
	w       *world
	tx      id
	chosen  bool // the application has made the id
	durable bool
	posts   bool // it does not wait for enlistments
	idle    bool // it works nowhere before the commit
	ending  string
	names   []int // of the participants, in order
	with    []int // of those, the ones that the commit is to count on
	tries   int
}

// launch has an application begin at an instant.
func (w *world) launch(at int64, a *application) {
	a.w = w
	w.at(at, a.begin)
}

// ask gives a request to whoever owns the journal. What is asked of nobody, or
// is lost in a crash, is answered with nothing.
func (w *world) ask(r *request, deliver func(c *coordinator)) {
	c := w.serving
	if !r.chosen {
		c = w.anyCoordinator()
	}
	if c == nil {
		w.after(1, func() { r.answered(answer{}) })
		return
	}
	r.c = c
	r.gone = w.chance(w.faults.requestsGone)
	w.requests = append(w.requests, r)
	c.after(0, func() { deliver(c) })
}

// anyCoordinator returns the one that serves, or one that another has fenced off
// and that does not know; nil if there is none.
func (w *world) anyCoordinator() *coordinator {
	if n := len(w.zombies); n > 0 && w.chance(0.4) {
		return w.zombies[w.upTo(int64(n)-1)]
	}
	return w.serving
}

// askActor gives a request to the actor of its transaction, or answers it where
// there is none.
func (w *world) askActor(r *request, take func(t *transaction)) {
	w.ask(r, func(c *coordinator) {
		h := c.handles[r.tx]
		switch {
		case h == nil:
			o, _ := c.outcome(r.tx)
			c.reply(r, answer{outcome: o, refused: true})
		case h.actor == nil || !h.actor.take(func() { take(h.actor) }):
			o := h.state.Outcome()
			if o == protocol.Undecided {
				o = protocol.Unknown
			}
			c.reply(r, answer{outcome: o, refused: true, late: h.lacks(r.with)})
		}
	})
}

// lacks tells whether some of those that a caller counts on are no part of the
// transaction.
func (h *handle) lacks(with []int) bool {
	return slices.ContainsFunc(with, func(name int) bool { return !h.members.has(name) })
}

func (a *application) begin() {
	w := a.w
	if a.tx == 0 {
		a.tx = w.newID()
	}
	r := &request{what: "begin", tx: a.tx, chosen: a.chosen, answered: a.begun}
	w.ask(r, func(c *coordinator) {
		answer := c.begin(a.tx, a.chosen, a.durable)
		c.reply(r, answer)
	})
}

// begun goes on when the transaction has begun.
func (a *application) begun(got answer) {
	a.tries++
	switch {
	case got.begun && got.outcome == protocol.Undecided:
		a.tries = 0
		a.enlist(0)
	case got.begun || got.refused || a.tries > 20:
		// It is decided already, or cannot begin.
	default:
		if !a.chosen {
			a.tx, a.with = 0, nil
		}
		a.w.after(1+a.w.upTo(20*int64(a.tries)), a.begin)
	}
}

// enlist enlists the participants from the i-th on, one after the other.
func (a *application) enlist(i int) {
	w := a.w
	if i == len(a.names) {
		a.end()
		return
	}
	name := a.names[i]
	next := func() { w.after(w.upTo(w.config.delay), func() { a.enlist(i + 1) }) }
	if a.posts && !a.durable {
		if w.post(a.tx, name) {
			a.with = append(a.with, name)
		}
		next()
		return
	}
	w.askEnlist(a.tx, name, func(got answer) {
		if got.enlisted {
			a.work(name)
			next()
		} else {
			a.end()
		}
	})
}

// work is done before the commit where it would survive the coordinator.
func (a *application) work(name int) {
	if p := a.w.parts[name]; !a.idle && (p.recoverable || a.durable) {
		p.workOn(a.tx)
	}
}

// askEnlist enlists a participant, and waits for the answer.
func (w *world) askEnlist(x id, name int, then func(answer)) {
	r := &request{what: "enlist", tx: x, name: name, answered: then}
	w.askActor(r, func(t *transaction) { t.enlist(name, r) })
}

// post enlists a participant without waiting for an answer.
func (w *world) post(x id, name int) bool {
	c := w.anyCoordinator()
	if c == nil || c.handles[x] == nil || c.handles[x].state != protocol.Active {
		return false
	}
	t := c.handles[x].actor
	if t == nil || !t.take(func() { t.enlist(name, nil) }) {
		return false
	}
	w.report.Posted++
	if w.parts[name].recoverable {
		w.parts[name].workOn(x)
	}
	return true
}

// end asks for what the application wants: to commit, to roll back, or nothing.
func (a *application) end() {
	switch a.ending {
	case "commit":
		a.w.askCommit(a.tx, a.with, a.ended)
	case "rollback":
		a.w.askRollback(a.tx, a.ended)
	}
}

// ended asks again, some time later, when the outcome was not to be had.
func (a *application) ended(got answer) {
	a.w.finally(a, got)
	a.tries++
	if got.outcome != protocol.OutcomeCommitted && got.outcome != protocol.OutcomeRolledBack && a.tries < 6 {
		a.w.after(10+a.w.upTo(100*int64(a.tries)), a.end)
	}
}

func (w *world) askCommit(x id, with []int, then func(answer)) {
	r := &request{what: "commit", tx: x, with: with, answered: then}
	w.askActor(r, func(t *transaction) { t.askCommit(r) })
}

func (w *world) askRollback(x id, then func(answer)) {
	r := &request{what: "rollback", tx: x, answered: then}
	w.askActor(r, func(t *transaction) { t.askRollback(r) })
}

// askOutcome asks for the outcome alone.
func (w *world) askOutcome(x id) {
	r := &request{what: "outcome", tx: x, answered: func(answer) {}}
	w.ask(r, func(c *coordinator) {
		o, known := c.outcome(x)
		if !known || o == protocol.Undecided {
			o = protocol.Unknown
		}
		c.reply(r, answer{outcome: o})
	})
}
