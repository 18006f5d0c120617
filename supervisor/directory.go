package supervisor

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/protocol"
)

// Directory finds transactions: those in memory, those that are parked, and
// those that have finished, until their outcome expires. It may be used from
// everywhere.
type Directory struct {
	shards [shardCount]shard

	history history
	// changed tells the supervisor that the history wants something done: there is
	// a first outcome to expire, or many have left that the journal still keeps.
	changed func()
}

const shardCount = 32

type shard struct {
	mu   sync.RWMutex
	byID map[uuid.UUID]*actors.Handle
	// ended is the finished ones of which nothing is to be told but their outcome.
	// They are most of what the directory holds, and free of pointers.
	ended map[uuid.UUID]ended
}

// ended is how and when a transaction finished.
type ended struct {
	at    int64 // microseconds since 1970
	state protocol.State
	path  protocol.Path
}

// handle returns it as the handle of a transaction that has no actor.
func (e ended) handle(id uuid.UUID) *actors.Handle {
	h := actors.NewHandle(id, nil)
	h.SetState(e.state)
	h.SetEnding(actors.Ending{Finished: time.UnixMicro(e.at), Path: e.path})
	return h
}

// history is the finished transactions, in the order in which they finished.
type history struct {
	limit     int
	retention time.Duration

	mu      sync.Mutex
	ring    []finished
	head    int
	last    time.Time // when the last one finished
	horizon uuid.UUID // the greatest id that has expired
	through time.Time // when the last expired one finished
	unsaved int       // how many have expired since the journal was told
	size    atomic.Int64
}

type finished struct {
	id uuid.UUID
	at int64 // microseconds since 1970
}

// NewDirectory returns an empty directory that keeps so many outcomes, so long.
func NewDirectory(limit int, retention time.Duration, changed func()) *Directory {
	d := &Directory{history: history{limit: limit, retention: retention}, changed: changed}
	for i := range d.shards {
		d.shards[i].byID = make(map[uuid.UUID]*actors.Handle)
		d.shards[i].ended = make(map[uuid.UUID]ended)
	}
	return d
}

// shard spreads by the last bytes of an id, which are random in version 7.
func (d *Directory) shard(id uuid.UUID) *shard { return &d.shards[id[15]%shardCount] }

// Find returns the handle of a transaction; nil if there is none.
func (d *Directory) Find(id uuid.UUID) *actors.Handle {
	s := d.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if h := s.byID[id]; h != nil {
		return h
	}
	if e, ok := s.ended[id]; ok {
		return e.handle(id)
	}
	return nil
}

// add adds a handle.
func (d *Directory) add(h *actors.Handle) {
	s := d.shard(h.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[h.ID] = h
	delete(s.ended, h.ID)
}

// fold keeps of a transaction that has finished, and whose actor has stopped,
// no more than there is to tell of it.
func (d *Directory) fold(h *actors.Handle) {
	e, state := h.Ending(), h.State()
	if state != protocol.Committed && state != protocol.RolledBack || e.Heuristic != "" || e.Cause != nil {
		return
	}
	s := d.shard(h.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[h.ID] == h { // else it has expired
		delete(s.byID, h.ID)
		s.ended[h.ID] = ended{e.Finished.UnixMicro(), state, e.Path}
	}
}

// remove removes a handle.
func (d *Directory) remove(id uuid.UUID) {
	s := d.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
	delete(s.ended, id)
}

// All goes through the handles, in no order, until f returns false.
func (d *Directory) All(f func(*actors.Handle) bool) {
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.RLock()
		handles := make([]*actors.Handle, 0, len(s.byID)+len(s.ended))
		for _, h := range s.byID {
			handles = append(handles, h)
		}
		for id, e := range s.ended {
			handles = append(handles, e.handle(id))
		}
		s.mu.RUnlock()
		for _, h := range handles {
			if !f(h) {
				return
			}
		}
	}
}

// Finished returns how many finished transactions are kept.
func (d *Directory) Finished() int { return int(d.history.size.Load()) }

// Retire takes a finished transaction into the history and returns when it
// finished: a microsecond after the one before, at the least, so that expiring
// by that instant hits exactly those that have left the history. A transaction
// that finishes again, because a branch turned up late, finished then.
func (d *Directory) Retire(h *actors.Handle) time.Time {
	if before := h.Ending().Finished; !before.IsZero() {
		return before
	}
	y := &d.history
	y.mu.Lock()
	at := time.Now().Truncate(time.Microsecond)
	if next := y.last.Add(time.Microsecond); at.Before(next) {
		at = next
	}
	first := y.head == len(y.ring)
	d.retireAt(h.ID, at)
	unsaved := y.unsaved
	y.mu.Unlock()
	if first || unsaved >= y.chunk() {
		d.changed()
	}
	return at
}

// retireAt takes a transaction into the history whose instant is known. The
// caller holds the history's lock.
func (d *Directory) retireAt(id uuid.UUID, at time.Time) {
	y := &d.history
	y.last = at
	y.ring = append(y.ring, finished{id, at.UnixMicro()})
	for len(y.ring)-y.head > y.limit {
		d.dropOldest()
	}
	y.size.Store(int64(len(y.ring) - y.head))
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
	if bytes.Compare(oldest.id[:], y.horizon[:]) > 0 {
		y.horizon = oldest.id
	}
	y.through = time.UnixMicro(oldest.at)
	y.unsaved++
	d.remove(oldest.id)
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
	return y.through, y.horizon, true
}

// Horizon returns the greatest id whose outcome has expired.
func (d *Directory) Horizon() uuid.UUID {
	d.history.mu.Lock()
	defer d.history.mu.Unlock()
	return d.history.horizon
}
