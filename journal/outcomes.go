package journal

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"
)

// outcomes keeps finished transactions. They come almost in the order in which
// they finished: those that come in order form a queue, and the others, which
// finished before one that is there already, a heap with the earliest on top.
// So adding and expiring touch nothing that stays, and a clock that jumps back
// costs a logarithm.
type outcomes struct {
	queue   []entry // in order
	expired int     // that many of the queue are gone
	late    ended
	// details holds those that there are, so that entries are free of pointers.
	details map[uuid.UUID]detail
}

type entry struct {
	finished int64 // microseconds since 1970
	id       uuid.UUID
	outcome  Outcome
}

// detail is what most entries do not have.
type detail struct {
	heuristic string
	members   []string
}

// ended is a heap of entries, by finish time and then by id.
type ended []entry

func (o *outcomes) add(e *Ended) {
	added := entry{e.Finished.UnixMicro(), e.Transaction, e.Outcome}
	if n := len(o.queue); n == o.expired || o.queue[n-1].compare(added) <= 0 {
		o.queue = append(o.queue, added)
	} else {
		o.late = append(o.late, added)
		o.late.up()
	}
	if e.Heuristic != "" || len(e.Members) > 0 {
		if o.details == nil {
			o.details = make(map[uuid.UUID]detail)
		}
		o.details[e.Transaction] = detail{e.Heuristic, slices.Clone(e.Members)}
	}
}

// expire drops those that finished at or before t.
func (o *outcomes) expire(t time.Time) {
	limit := t.UnixMicro()
	for o.expired < len(o.queue) && o.queue[o.expired].finished <= limit {
		delete(o.details, o.queue[o.expired].id)
		o.expired++
	}
	for len(o.late) > 0 && o.late[0].finished <= limit {
		delete(o.details, o.late[0].id)
		o.late = o.late.withoutFirst()
	}
	if left := o.queue[o.expired:]; o.expired > len(left)/4 {
		o.queue = append(o.queue[:0], left...) // an entry is moved four times at most, on average
		o.expired = 0
	}
	o.queue, o.late = shrunk(o.queue), shrunk(o.late)
	if len(o.details) == 0 {
		o.details = nil // a map gives nothing back
	}
}

// shrunk gives memory back when three quarters of it are unused.
func shrunk[S ~[]entry](s S) S {
	const small = 1024
	if c := cap(s); c > small && len(s) < c/4 {
		return slices.Clone(s)
	}
	return s
}

// sorted copies all, in the order in which they finished.
func (o *outcomes) sorted() []Ended {
	entries := slices.Concat(o.queue[o.expired:], o.late)
	slices.SortFunc(entries, entry.compare)
	found := make([]Ended, len(entries))
	for i, e := range entries {
		detail := o.details[e.id]
		found[i] = Ended{
			Transaction: e.id,
			Outcome:     e.outcome,
			Finished:    time.UnixMicro(e.finished).UTC(),
			Heuristic:   detail.heuristic,
			Members:     slices.Clone(detail.members),
		}
	}
	return found
}

func (e entry) compare(f entry) int {
	if c := cmp.Compare(e.finished, f.finished); c != 0 {
		return c
	}
	return bytes.Compare(e.id[:], f.id[:])
}

// up moves the last entry to its place.
func (h ended) up() {
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if h[parent].compare(h[i]) <= 0 {
			return
		}
		h[parent], h[i] = h[i], h[parent]
		i = parent
	}
}

// withoutFirst removes the first entry.
func (h ended) withoutFirst() ended {
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		least := 2*i + 1
		if least >= len(h) {
			return h
		}
		if right := least + 1; right < len(h) && h[right].compare(h[least]) < 0 {
			least = right
		}
		if h[i].compare(h[least]) <= 0 {
			return h
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
