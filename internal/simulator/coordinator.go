package simulator

import (
	"fmt"
	"slices"

	"github.com/seed-d36415c0/dtc/protocol"
)

// node is who does something: a participant by its number, or below zero a
// coordinator.
type node int

const coordinators node = -1

func (n node) String() string {
	if n < 0 {
		return fmt.Sprintf("coordinator %d", int(coordinators-n)+1)
	}
	return "participant " + letter(int(n))
}

func letter(i int) string { return string(rune('a' + i)) }

// coordinator is one run of a coordinator's process, from its opening of the
// journal to its crash: what package supervisor is.
type coordinator struct {
	w    *world
	node node
	up   bool

	log     writer
	handles map[id]*handle
	live    int // slots taken
	actors  []*transaction
	history history
	parked  parking
	doubts  doubts
	sick    []bool // participants that are not well
	// incarnation is an id from the moment the journal had been read.
	incarnation id
	overflow    bool
}

// handle is what the process holds of one transaction until its outcome expires.
type handle struct {
	id        id
	state     protocol.State
	slot      bool
	actor     *transaction // nil where there is none
	at        int64        // when it finished; 0 if it has not
	heuristic bool
	members   names // who is part of it, as far as this process knows
	parked    bool
	waiting   []int // who has not acknowledged; nil where only the journal knows
}

func (h *handle) finished() bool {
	return h.state == protocol.Committed || h.state == protocol.RolledBack
}

func (c *coordinator) now() int64 { return c.w.now }

// at has something happen in this process, if it still runs then.
func (c *coordinator) at(when int64, do func()) {
	c.w.at(when, func() {
		if c.up {
			do()
		}
	})
}

func (c *coordinator) after(wait int64, do func()) { c.at(c.now()+wait, do) }

// open starts a coordinator: it reads the journal, and forces what it read, so
// that nothing is acted on that losing power could still take away.
func (w *world) open() {
	w.opened++
	c := &coordinator{
		w: w, node: coordinators - node(w.opened-1), up: true,
		handles: make(map[id]*handle), sick: make([]bool, len(w.parts)),
	}
	c.log.c = c
	c.history.limit, c.history.retention = w.config.maxHistory, w.config.retention
	c.parked.slots, c.parked.limit = w.config.recoverySlots, w.config.maxHistory
	c.doubts.suspected = make([]map[id]bool, len(w.parts))
	c.doubts.running = make([]bool, len(w.parts))
	w.owner = c
	w.all = append(w.all, c)
	if w.tracing {
		w.say("%s opens the journal: %d unfinished, %d finished", c.node, len(w.disk.seen.records), len(w.disk.seen.ended))
	}
	c.history.horizon = w.disk.seen.horizon
	for _, e := range w.disk.seen.ended {
		h := &handle{id: e.id, state: protocol.RolledBack, at: e.at, heuristic: e.heuristic}
		if e.committed {
			h.state = protocol.Committed
		}
		c.handles[e.id] = h
		c.archive(h)
	}
	for i := range w.disk.seen.records {
		if len(c.parked.entries) >= c.parked.limit {
			c.overflow = true
			break
		}
		c.list(&w.disk.seen.records[i])
	}
	writes := c.expiry()
	c.incarnation = w.newID()
	c.after(1+w.upTo(w.config.syncTime), func() { c.opened(writes) })
}

// opened is when what was read is safe.
func (c *coordinator) opened(writes []write) {
	w := c.w
	if !w.may(c.node, effect{what: "open"}) {
		return
	}
	w.disk.append(writes)
	if w.chance(w.faults.syncFails) {
		w.report.FailedSyncs++
		w.disk.dropPages(int(w.upTo(int64(len(w.disk.unsynced)))))
		w.crash(c, power{kept: len(w.disk.unsynced), process: true})
		return
	}
	w.disk.sync()
	w.serving = c
	w.lookAround()
	c.deliver()
	c.scanAll()
	c.expireSoon()
}

// spawn starts the actor of a transaction.
func (c *coordinator) spawn(t *transaction) {
	t.h.actor = t
	t.latest = c.now()
	c.actors = append(c.actors, t)
}

// begin admits a transaction, or says why not.
func (c *coordinator) begin(x id, chosen, durable bool) (a answer) {
	if chosen {
		if h := c.handles[x]; h != nil {
			return answer{begun: true, outcome: h.state.Outcome()}
		}
		if r := c.unlisted(x); r != nil {
			return answer{begun: true, outcome: recordState(r.kind).Outcome()}
		}
		if x < c.incarnation || x <= c.history.horizon {
			return answer{refused: true}
		}
	}
	switch {
	case c.log.failure != sound:
		return answer{refused: true}
	case c.live >= c.w.config.maxTransactions:
		return answer{full: true}
	}
	c.live++
	h := &handle{id: x, slot: true}
	c.handles[x] = h
	t := &transaction{c: c, h: h, tx: protocol.New(c.w.config.maxParticipants, durable)}
	t.deadline = c.now() + c.w.config.transactionTimeout
	c.spawn(t)
	t.arm()
	c.w.begun(t, durable)
	return answer{begun: true, outcome: protocol.Undecided}
}

// release gives a slot back; the second time it does nothing.
func (c *coordinator) release(h *handle) {
	if h.slot {
		h.slot = false
		c.live--
	}
}

// stopped takes the end of an actor: its place among those that are tried is
// free.
func (c *coordinator) stopped(t *transaction) {
	c.forget(t)
	if t.entry != nil {
		c.parked.stopped(t.entry)
	}
}

// terminated goes on when what an actor has left behind is in order.
func (c *coordinator) terminated(t *transaction) {
	if t.entry != nil {
		c.deliver()
	}
	if t.h.finished() {
		c.archive(t.h)
		c.saveExpired()
	}
}

// forget drops an actor that has stopped.
func (c *coordinator) forget(t *transaction) {
	if t.h.actor == t {
		t.h.actor = nil
	}
	if i := slices.Index(c.actors, t); i >= 0 {
		c.actors = slices.Delete(c.actors, i, i+1)
	}
}

// unwell notes that a participant does not answer in time, or fails to do what
// it was told.
func (c *coordinator) unwell(name int) { c.sick[name] = true }

// well notes that it answers.
func (c *coordinator) well(name int) {
	if c.sick[name] {
		c.sick[name] = false
		c.after(c.w.upTo(c.w.config.mailbox), func() { c.recovered(name) })
	}
}

// maxLives is how often a transaction's actor is brought back at once.
const maxLives = 3

// comeBack brings a transaction back whose actor failed, once everything that it
// gave to the journal is written.
func (c *coordinator) comeBack(t *transaction) {
	c.log.append(appendage{barrier: func() { c.revive(t) }})
}

func (c *coordinator) revive(t *transaction) {
	c.forget(t)
	r := c.w.disk.record(t.h.id)
	if t.lives < maxLives {
		l := &life{record: r, patient: true, belated: t.belated()}
		if r == nil {
			l.record, l.unrecorded = t.unrecordedAs(), true
		}
		next := &transaction{
			c: c, h: t.h, life: l, tx: protocol.Recovered(protocol.NoRecord, nil, nil, false),
			parts: t.parts, waiters: t.waiters, entry: t.entry, lives: t.lives + 1, forces: t.forces, waited: true,
		}
		if c.w.tracing {
			c.w.say("%s %d: its actor is brought back", c.node, t.h.id)
		}
		c.spawn(next)
		next.handle(next.takeUp)
		return
	}
	t.giveUp()
	c.release(t.h)
	var record *record
	if r == nil {
		record = t.unrecordedAs()
	}
	if t.entry != nil {
		c.parked.stopped(t.entry)
	}
	c.left(t, record, false)
}

// giveUp answers whoever waits for a transaction whose actors keep failing.
func (t *transaction) giveUp() {
	o := t.h.state.Outcome()
	if o == protocol.Undecided {
		o = protocol.Unknown
	}
	for _, r := range t.waiters {
		t.c.reply(r, answer{outcome: o, late: t.h.lacks(r.with)})
	}
	t.waiters = nil
}
