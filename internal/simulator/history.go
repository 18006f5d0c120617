package simulator

import (
	"slices"

	"github.com/seed-d36415c0/dtc/protocol"
)

// history is the finished transactions, in the order in which they finished.
type history struct {
	limit     int
	retention int64
	last      int64 // when the last one finished, in parts of a millisecond
	ring      []past
	horizon   id    // the greatest id that has expired
	through   int64 // when the last expired one finished
	unsaved   int   // how many have expired since the journal was told
}

type past struct {
	id id
	at int64
}

// precision is how many instants there are in a millisecond, so that no two
// transactions finish at the same.
const precision = 1000

// retire notes when a transaction finished: after the one before.
func (c *coordinator) retire(h *handle) {
	if h.at == 0 {
		c.history.last = max(c.now()*precision, c.history.last+1)
		h.at = c.history.last
	}
}

// archive takes a transaction whose actor has stopped into the history.
func (c *coordinator) archive(h *handle) {
	y := &c.history
	y.last = max(y.last, h.at)
	if h.at <= y.through {
		c.expire(past{h.id, h.at})
		return
	}
	i := len(y.ring)
	for i > 0 && y.ring[i-1].at > h.at {
		i--
	}
	if i > 0 && y.ring[i-1].at == h.at {
		return
	}
	y.ring = slices.Insert(y.ring, i, past{h.id, h.at})
	for len(y.ring) > y.limit {
		c.dropOldest()
	}
}

func (c *coordinator) dropOldest() {
	y := &c.history
	oldest := y.ring[0]
	y.ring = y.ring[1:]
	y.through = oldest.at
	c.expire(oldest)
}

// expire forgets a transaction that is not in the history any more.
func (c *coordinator) expire(p past) {
	c.history.horizon = max(c.history.horizon, p.id)
	c.history.unsaved++
	if c.parked.find(p.id) == nil { // else a branch of it has turned up late
		delete(c.handles, p.id)
	}
	c.w.report.Expired++
}

// expireSoon forgets what finished longer ago than the retention, now and then.
func (c *coordinator) expireSoon() {
	y := &c.history
	for len(y.ring) > 0 && c.now()*precision-y.ring[0].at >= y.retention*precision {
		c.dropOldest()
	}
	c.saveExpired()
	c.after(y.retention/2, c.expireSoon)
}

// expiry is the writes that drop what has left the history; nil if nothing has.
func (c *coordinator) expiry() []write {
	y := &c.history
	if y.unsaved == 0 {
		return nil
	}
	y.unsaved = 0
	return []write{{horizon: y.horizon}, {expire: y.through}}
}

func (c *coordinator) saveExpired() {
	if writes := c.expiry(); writes != nil {
		c.log.append(appendage{writes: writes})
	}
}

// outcome tells what became of a transaction; known is false if nobody can tell
// whether there ever was one. Aborts are presumed.
func (c *coordinator) outcome(x id) (o protocol.Outcome, known bool) {
	if h := c.handles[x]; h != nil {
		return h.state.Outcome(), true
	}
	if r := c.unlisted(x); r != nil {
		return recordState(r.kind).Outcome(), true
	}
	stale := c.log.fenced && !c.w.fencedReads // another owner may have ended it
	if x < c.incarnation && x > c.history.horizon && !stale {
		return protocol.OutcomeRolledBack, true
	}
	return protocol.Unknown, false
}
