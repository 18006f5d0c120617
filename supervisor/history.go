package supervisor

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/journal"
)

// history is the finished transactions, in the order in which they finished.
// Only the supervisor changes it.
type history struct {
	limit     int
	retention time.Duration
	last      atomic.Int64 // when the last one finished, in microseconds since 1970

	mu      sync.Mutex
	ring    []finished
	head    int
	horizon uuid.UUID // the greatest id, of version 7, that has expired
	through int64     // when the last expired one finished
	unsaved int       // how many have expired since the journal was told
	size    atomic.Int64
}

type finished struct {
	id uuid.UUID
	at int64 // microseconds since 1970
}

// Finished returns how many finished transactions are kept.
func (d *Directory) Finished() int { return int(d.history.size.Load()) }

// Retire returns when a transaction that has finished did so: a microsecond
// after the one before, at the least, so that expiring by that instant hits
// exactly those that have left the history. A transaction that finishes again,
// because a branch turned up late, finished then.
func (d *Directory) Retire(h *actors.Handle) time.Time {
	if before := h.Ending().Finished; !before.IsZero() {
		return before
	}
	at := time.Now().UnixMicro()
	for {
		last := d.history.last.Load()
		at = max(at, last+1)
		if d.history.last.CompareAndSwap(last, at) {
			return time.UnixMicro(at)
		}
	}
}

// archive takes a transaction whose actor has stopped into the history. It tells
// whether the history wants something done: it is the next outcome to expire, or
// many have left that the journal still keeps.
func (d *Directory) archive(h *actors.Handle) (due bool) {
	y := &d.history
	y.mu.Lock()
	defer y.mu.Unlock()
	at := h.Ending().Finished.UnixMicro()
	if at <= y.through {
		d.expire(finished{h.ID, at})
		return y.unsaved >= y.chunk()
	}
	if !y.insert(finished{h.ID, at}) {
		d.fold(h)
		return false
	}
	for len(y.ring)-y.head > y.limit {
		d.dropOldest()
	}
	d.fold(h)
	y.size.Store(int64(len(y.ring) - y.head))
	return y.ring[y.head].at == at || y.unsaved >= y.chunk()
}

// insert finds the place of a transaction, which is near the end: actors stop in
// nearly the order in which their transactions finish. False if it is there.
func (y *history) insert(f finished) bool {
	y.last.Store(max(y.last.Load(), f.at))
	i := len(y.ring)
	for i > y.head && y.ring[i-1].at > f.at {
		i--
	}
	if i > y.head && y.ring[i-1].at == f.at {
		return false
	}
	y.ring = slices.Insert(y.ring, i, f)
	return true
}

// chunk is how many outcomes leave the journal at a time: dropping them by range
// costs the same for many as for one.
func (y *history) chunk() int { return max(1, y.limit/16) }

// dropOldest forgets the transaction that finished first. The caller holds the
// history's lock.
func (d *Directory) dropOldest() {
	y := &d.history
	oldest := y.ring[y.head]
	y.head++
	if y.head >= 1024 && y.head*2 >= len(y.ring) {
		y.ring = y.ring[:copy(y.ring, y.ring[y.head:])]
		y.head = 0
	}
	y.through = oldest.at
	d.folded.forget(oldest.at)
	d.expire(oldest)
}

// expire forgets a transaction that is not in the history any more. The caller
// holds the history's lock.
func (d *Directory) expire(f finished) {
	y := &d.history
	if f.id.Version() == 7 && bytes.Compare(f.id[:], y.horizon[:]) > 0 {
		y.horizon = f.id
	}
	y.unsaved++
	d.removeFinished(f.id)
}

// horizonOf is the horizon that a journal's header gives. One that is no version
// 7 UUID is above them all: participants may list what they like.
func horizonOf(h *journal.Header) uuid.UUID {
	if h.Horizon.Version() != 7 {
		return uuid.Nil
	}
	return h.Horizon
}

// expireOld forgets what finished longer ago than the retention.
func (d *Directory) expireOld(now time.Time) {
	y := &d.history
	y.mu.Lock()
	defer y.mu.Unlock()
	for y.head < len(y.ring) && now.Sub(time.UnixMicro(y.ring[y.head].at)) >= y.retention {
		d.dropOldest()
	}
	y.size.Store(int64(len(y.ring) - y.head))
}

// nextExpiry returns when to look for outcomes that have expired by age: a little
// after the next one has, so that many expire at a time. Zero if there is none.
func (d *Directory) nextExpiry() time.Time {
	y := &d.history
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.head == len(y.ring) {
		return time.Time{}
	}
	return time.UnixMicro(y.ring[y.head].at).Add(y.retention + min(y.retention/8, time.Second))
}

// takeUnsaved returns up to where the journal is to drop outcomes; ok is false if
// it need not.
func (d *Directory) takeUnsaved() (through time.Time, horizon uuid.UUID, ok bool) {
	y := &d.history
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.unsaved == 0 {
		return through, horizon, false
	}
	y.unsaved = 0
	return time.UnixMicro(y.through), y.horizon, true
}

// Horizon returns the greatest id whose outcome has expired.
func (d *Directory) Horizon() uuid.UUID {
	d.history.mu.Lock()
	defer d.history.mu.Unlock()
	return d.history.horizon
}
