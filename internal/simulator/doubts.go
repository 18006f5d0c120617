package simulator

import "github.com/seed-d36415c0/dtc/protocol"

// doubts is what is known of branches that participants list as unfinished and
// that no transaction here accounts for. A branch is resolved when two lists
// name it: one alone may be from before the transaction finished.
type doubts struct {
	next      int64
	running   []bool
	suspected []map[id]bool
}

// scanAll asks every participant that can tell for its branches in doubt.
func (c *coordinator) scanAll() {
	if c.log.failure != sound || c.log.fenced && !c.w.fencedReads {
		return
	}
	for name := range c.w.parts {
		if c.w.parts[name].recoverable {
			c.scan(name)
		}
	}
	c.scanAt(c.now() + c.w.config.recoveryInterval)
}

// scanAt has the next scan happen at an instant, or earlier if that is due.
func (c *coordinator) scanAt(at int64) {
	if c.doubts.next > c.now() && c.doubts.next <= at {
		return
	}
	c.doubts.next = at
	c.at(at, func() {
		if c.doubts.next == at {
			c.doubts.next = 0
			c.scanAll()
		}
	})
}

// scan asks one participant.
func (c *coordinator) scan(name int) {
	if c.doubts.running[name] {
		return
	}
	c.doubts.running[name] = true
	heard := false
	hear := func(ids []id, failed bool) {
		if !heard {
			heard = true
			c.scanned(name, ids, failed)
		}
	}
	c.w.askInDoubt(c, name, func(ids []id) { hear(ids, false) })
	c.after(c.w.config.participantTimeout, func() { hear(nil, true) })
}

// scanned compares a list with what is live, parked, in the journal or finished:
// all of that is read after the list was made.
func (c *coordinator) scanned(name int, ids []id, failed bool) {
	c.doubts.running[name] = false
	if failed {
		c.unwell(name)
		return
	}
	if c.log.failure != sound || c.log.fenced && !c.w.fencedReads {
		return
	}
	suspected := make(map[id]bool)
	for _, x := range ids {
		kind, unaccounted := c.unaccounted(x)
		switch {
		case !unaccounted:
			if c.resolvesAnother(x, name) {
				suspected[x] = true
			}
		case c.doubts.suspected[name][x]:
			c.resolve(name, x, kind)
		default:
			suspected[x] = true
		}
	}
	c.doubts.suspected[name] = suspected
	if len(suspected) > 0 {
		c.scanAt(c.now() + c.w.config.scanAgain)
	}
	c.deliver()
}

// unaccounted tells whether a branch that a participant lists belongs to no
// transaction that will settle it, and what it is to be told then.
func (c *coordinator) unaccounted(x id) (protocol.Record, bool) {
	h := c.handles[x]
	if h == nil {
		return protocol.RollbackRecord, c.unlisted(x) == nil
	}
	open := h.actor != nil && !h.actor.closed || c.parked.find(x) != nil
	switch h.state {
	case protocol.Committed:
		return protocol.CommitRecord, !open
	case protocol.RolledBack:
		return protocol.RollbackRecord, !open
	default:
		return protocol.NoRecord, false
	}
}

// resolvesAnother tells whether a branch of another participant is being
// resolved under this id.
func (c *coordinator) resolvesAnother(x id, name int) bool {
	e := c.parked.find(x)
	return e != nil && e.record != nil && !containsName(e.names, name)
}

func containsName(names []int, name int) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// resolve tells one participant what became of a branch. The id is taken first,
// so that no transaction can begin under it.
func (c *coordinator) resolve(name int, x id, kind protocol.Record) {
	h := c.handles[x]
	if h == nil {
		h = &handle{id: x, state: recordState(kind)}
		c.handles[x] = h
	}
	e := &entry{h: h, names: []int{name}, probing: nobody, record: &record{
		id: x, kind: kind, branches: []recorded{{name, c.w.parts[name].twoPhase, true}},
	}}
	c.parked.entries = append(c.parked.entries, e)
	c.put(e)
	c.w.report.Resolved++
	if c.w.tracing {
		c.w.say("%s %d: %s has a branch in doubt: to be told %s", c.node, x, letter(name), kind)
	}
}
