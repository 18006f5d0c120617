package simulator

import (
	"slices"

	"github.com/seed-d36415c0/dtc/protocol"
)

// parking is the transactions that are decided, not finished and not in memory.
// A participant that fails is probed by one of them at a time.
type parking struct {
	slots, limit, running int
	entries               []*entry // in no order that matters
	probed                []int    // participants of which a probe is under way
	alarm                 int64
}

// entry is one parked transaction.
type entry struct {
	h         *handle
	record    *record // set where the journal holds none
	names     []int   // who has not acknowledged
	queue     int     // for whom it waits
	tries     int
	last, due int64
	trying    bool // it has an actor
	probing   int  // the participant that it is the probe of, or nobody
	now       bool // a person wants it tried now
}

// nobody stands for a participant where only the end is to be written.
const nobody = -1

// find returns the last entry of a transaction; nil if there is none.
func (p *parking) find(x id) *entry {
	for _, e := range slices.Backward(p.entries) {
		if e.h.id == x {
			return e
		}
	}
	return nil
}

func (p *parking) drop(e *entry) {
	p.entries = slices.DeleteFunc(p.entries, func(o *entry) bool { return o == e })
}

// list lists a transaction that the journal holds, to be taken up.
func (c *coordinator) list(r *record) {
	h := &handle{id: r.id, state: recordState(r.kind), parked: true}
	e := &entry{h: h, probing: nobody}
	for _, b := range r.branches {
		if b.pending {
			e.names = append(e.names, b.participant)
		}
	}
	c.handles[r.id] = h
	c.parked.entries = append(c.parked.entries, e)
	c.put(e)
}

// recordState is where a transaction stands of which the journal holds such a
// record.
func recordState(k protocol.Record) protocol.State {
	switch k {
	case protocol.CommitRecord:
		return protocol.Committing
	case protocol.DelegationRecord:
		return protocol.Asking
	default:
		return protocol.RollingBack
	}
}

// put chooses for whom an entry waits: one that is well if it can be.
func (c *coordinator) put(e *entry) {
	if len(e.names) == 0 {
		e.queue = nobody
		return
	}
	e.queue = e.names[0]
	for _, n := range e.names {
		e.queue = n
		if !c.sick[n] {
			return
		}
	}
}

// left takes a transaction that has left memory unfinished; gone if the journal
// holds nothing to take up, as it has finished before.
func (c *coordinator) left(t *transaction, r *record, gone bool) {
	if gone {
		c.parked.drop(t.entry)
		delete(c.handles, t.h.id)
		return
	}
	e := t.entry
	if e == nil || !slices.Contains(c.parked.entries, e) {
		e = c.parked.find(t.h.id)
	}
	if e == nil {
		if len(c.parked.entries) >= c.parked.limit && r == nil {
			c.overflow = true
			delete(c.handles, t.h.id)
			return
		}
		e = &entry{h: t.h, tries: -1, probing: nobody}
		c.parked.entries = append(c.parked.entries, e)
	}
	c.w.report.Parked++
	e.tries++
	e.record, e.now, e.trying = r, false, false
	if t.h.waiting != nil {
		e.names = t.h.waiting
	}
	e.last = c.now()
	e.due = e.last
	if e.tries > 0 || t.h.waiting == nil || len(e.names) > 0 {
		e.due += c.w.backoff(e.tries + 1)
	}
	c.put(e)
	c.after(0, c.deliver)
}

// stopped notes that the actor of a try has stopped.
func (p *parking) stopped(e *entry) {
	p.running--
	if e.probing != nobody {
		p.probed = without(p.probed, e.probing)
		e.probing = nobody
	}
	if e.h.finished() {
		p.drop(e)
	}
}

// deliver takes parked transactions up, as many as there are slots and as the
// participants bear.
func (c *coordinator) deliver() {
	if c.log.failure != sound || c.w.serving != c {
		return
	}
	for again := true; again; again = c.refill() {
		for c.parked.running < c.parked.slots {
			e := c.pick()
			if e == nil {
				break
			}
			c.try(e, nil)
		}
	}
	c.deliverLater()
}

// pick returns the entry that has been due for longest and may be tried.
func (c *coordinator) pick() (first *entry) {
	for _, e := range c.parked.entries {
		if e.trying || !e.now && (e.due > c.now() || !c.mayTry(e)) {
			continue
		}
		if first == nil || e.due < first.due {
			first = e
		}
	}
	return first
}

// mayTry tells whether an entry may be tried: if its participant is well, or if
// this is the one probe of it, or if others are to be told for the first time.
func (c *coordinator) mayTry(e *entry) bool {
	return e.queue == nobody || !c.sick[e.queue] ||
		!slices.Contains(c.parked.probed, e.queue) || e.last == 0 && len(e.names) > 1
}

// try spawns an actor for a parked transaction.
func (c *coordinator) try(e *entry, settle *request) {
	probe := e.queue != nobody && c.sick[e.queue] && !slices.Contains(c.parked.probed, e.queue)
	if probe {
		c.parked.probed = append(c.parked.probed, e.queue)
		e.probing = e.queue
	}
	e.trying, e.now = true, false
	e.last = c.now()
	c.parked.running++
	c.w.report.TakenUp++
	t := &transaction{
		c: c, h: e.h, entry: e, tx: protocol.Recovered(protocol.NoRecord, nil, nil, false), waited: true,
		life: &life{settle: settle, probe: probe, record: e.record, unrecorded: e.record != nil},
	}
	c.spawn(t)
	t.take(t.takeUp)
}

// recovered has all that waits for a participant tried soon.
func (c *coordinator) recovered(name int) {
	for _, e := range c.parked.entries {
		if e.queue == name && !e.trying {
			e.due = min(e.due, max(c.now(), e.last+c.w.config.retryInitial))
		}
	}
	c.deliver()
}

// deliverLater sets the timer for the next entry that is due.
func (c *coordinator) deliverLater() {
	var next int64
	if c.parked.running < c.parked.slots {
		for _, e := range c.parked.entries {
			if !e.trying && (e.queue == nobody || !slices.Contains(c.parked.probed, e.queue)) && (next == 0 || e.due < next) {
				next = e.due
			}
		}
	}
	if next == 0 || c.parked.alarm > c.now() && c.parked.alarm <= next {
		return
	}
	next = max(next, c.now()+1)
	c.parked.alarm = next
	c.at(next, func() {
		if c.parked.alarm == next {
			c.parked.alarm = 0
			c.deliver()
		}
	})
}

// refill reads more parked transactions from the journal, when there are more
// than the list holds and half of that is done. It tells whether there are new
// ones.
func (c *coordinator) refill() (more bool) {
	if !c.overflow || len(c.parked.entries) > c.parked.limit/2 {
		return false
	}
	c.overflow = false
	for i := range c.w.disk.seen.records {
		r := &c.w.disk.seen.records[i]
		if c.handles[r.id] != nil {
			continue
		}
		if len(c.parked.entries) >= c.parked.limit {
			c.overflow = true
			break
		}
		c.list(r)
		more = true
	}
	return more
}

// unlisted looks in the journal for a transaction that is parked but not listed,
// because there are so many.
func (c *coordinator) unlisted(x id) *record {
	if !c.overflow {
		return nil
	}
	return c.w.disk.record(x)
}

// settle asks for a branch to be settled by hand.
func (c *coordinator) settle(r *request) {
	h := c.handles[r.tx]
	e := c.parked.find(r.tx)
	switch {
	case e != nil && !e.trying:
		c.try(e, r)
	case h != nil && h.actor != nil && h.actor.take(func() { h.actor.settle(r) }):
	case h != nil && !h.finished():
		c.after(1, func() { c.settle(r) }) // its actor is about to stop, or to come back
	default:
		c.reply(r, answer{refused: true})
	}
}
