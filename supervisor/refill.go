package supervisor

import (
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

// rest is the parked transactions that the journal holds and the list does not,
// because there are so many. They are read in the order of their ids, round and
// round.
type rest struct {
	// more: there may be such.
	more bool
	// after is the id that was read last.
	after uuid.UUID
	// next is when to read again, or to make room: zero for at once.
	next time.Time
}

// refill lists more parked transactions, when half of the list is done. When it
// is not, because participants stay away, some of those that wait for them leave
// the list for others, after a while.
func (r *root) refill() {
	p := &r.parked
	now := time.Now()
	if !p.more || now.Before(p.next) {
		return
	}
	if len(p.byID) > p.limit/2 {
		if p.next.IsZero() {
			p.next = now.Add(r.config.Limits.Retry.Max)
			return
		}
		r.makeRoom()
	}
	full, from := false, p.after
	err := r.Log.Records(from, func(record *journal.Record) bool {
		if full = len(p.byID) >= p.limit; full {
			return false
		}
		if r.Directory.Find(record.Transaction) == nil {
			r.listRecovered(record)
		}
		p.after = record.Transaction
		return true
	})
	p.next = time.Time{}
	switch {
	case err != nil:
		p.next = now.Add(r.config.Limits.Retry.Max)
	case !full: // that was the end; what is before the first one read may be left
		p.more, p.after = from != uuid.Nil, uuid.Nil
	}
}

// makeRoom drops from the list half of what it may hold, of those that have been
// tried in vain. The journal has them.
func (r *root) makeRoom() {
	p := &r.parked
	for _, q := range p.queues {
		for i := len(q.entries) - 1; i >= 0 && len(p.byID) > p.limit/2; i-- {
			if e := q.entries[i]; e.tries > 0 && e.record == nil && !e.now {
				p.take(e)
				delete(p.byID, e.handle.ID)
				r.remove(e.handle.ID)
			}
		}
	}
}
