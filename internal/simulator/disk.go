package simulator

import (
	"slices"

	"github.com/seed-d36415c0/dtc/protocol"
)

// id names a transaction. Like a version 7 UUID it sorts by time.
type id int64

// record is a journal.Record: what the journal knows of an unfinished
// transaction.
type record struct {
	id       id
	kind     protocol.Record
	branches []recorded
}

// recorded is a branch in a record.
type recorded struct {
	participant       int
	twoPhase, pending bool
}

// ended is a journal.Ended: what the journal knows of a finished transaction.
type ended struct {
	id        id
	committed bool
	at        int64
	heuristic bool
}

// write is a journal.Write: one field is set.
type write struct {
	put     *record
	end     *ended
	expire  int64 // instants start at 1
	horizon id
}

// contents is what a journal holds.
type contents struct {
	records []record // by id
	ended   []ended  // in the order in which they finished
	horizon id
}

func (c *contents) find(x id) (int, bool) {
	return slices.BinarySearchFunc(c.records, x, func(r record, x id) int { return int(r.id - x) })
}

func (c *contents) apply(writes []write) {
	for _, w := range writes {
		switch {
		case w.put != nil:
			i, found := c.find(w.put.id)
			if found {
				c.records[i] = *w.put
			} else {
				c.records = slices.Insert(c.records, i, *w.put)
			}
		case w.end != nil:
			if i, found := c.find(w.end.id); found {
				c.records = slices.Delete(c.records, i, i+1)
			}
			c.finish(*w.end)
		case w.expire > 0:
			c.ended = slices.DeleteFunc(c.ended, func(e ended) bool { return e.at <= w.expire })
		default:
			c.horizon = w.horizon
		}
	}
}

func (c *contents) finish(e ended) {
	i := len(c.ended)
	for i > 0 && c.ended[i-1].at > e.at {
		i--
	}
	c.ended = slices.Insert(c.ended, i, e)
}

func (c *contents) copyFrom(d *contents) {
	c.records = append(c.records[:0], d.records...)
	c.ended = append(c.ended[:0], d.ended...)
	c.horizon = d.horizon
}

// disk is the place of one journal. What was appended is seen at once, and is
// safe when it has been synced; what is in between, losing power can take away
// from any batch on.
type disk struct {
	w        *world
	seen     contents
	safe     contents
	unsynced [][]write
}

// append writes a batch, which is not safe yet.
func (d *disk) append(writes []write) {
	if len(writes) > 0 {
		d.seen.apply(writes)
		d.unsynced = append(d.unsynced, writes)
	}
}

// sync makes everything safe.
func (d *disk) sync() { d.keep(len(d.unsynced)) }

// keep makes the first so many batches safe, and loses the others.
func (d *disk) keep(batches int) {
	for i, batch := range d.unsynced {
		if i < batches {
			d.safe.apply(batch)
			d.w.made(batch)
		} else {
			d.w.report.RecordsLost += uint64(len(batch))
		}
	}
	if batches < len(d.unsynced) {
		d.seen.copyFrom(&d.safe)
	}
	d.unsynced = d.unsynced[:0]
}

// dropPages is what a failed sync can do: pages that were not written are
// marked clean. What is left is seen still, and unsafe.
func (d *disk) dropPages(kept int) {
	d.w.report.RecordsLost += uint64(len(d.unsynced) - kept)
	d.unsynced = d.unsynced[:kept]
	d.seen.copyFrom(&d.safe)
	for _, batch := range d.unsynced {
		d.seen.apply(batch)
	}
}

// record returns the record of a transaction; nil if there is none.
func (d *disk) record(x id) *record {
	if i, found := d.seen.find(x); found {
		r := d.seen.records[i]
		return &r
	}
	return nil
}

// mayHold tells whether the disk has such a record, seen or safe or both.
func (d *disk) mayHold(x id, kind protocol.Record) bool {
	for _, c := range [...]*contents{&d.seen, &d.safe} {
		if i, found := c.find(x); found && c.records[i].kind == kind {
			return true
		}
	}
	return false
}
