package supervisor

import (
	"maps"
	"sync"
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
	// folded is the finished ones of which nothing is to be told but their
	// outcome: most of what the directory holds.
	folded folded

	history history
}

const shardCount = 32

type shard struct {
	mu   sync.RWMutex
	byID map[uuid.UUID]*actors.Handle
}

// NewDirectory returns an empty directory that keeps so many outcomes, so long.
func NewDirectory(limit int, retention time.Duration) *Directory {
	d := &Directory{history: history{limit: limit, retention: retention}}
	d.folded.room = d.history.chunk()
	for i := range d.shards {
		d.shards[i].byID = make(map[uuid.UUID]*actors.Handle)
	}
	return d
}

// shard spreads by the last bytes of an id, which are random in version 7.
func (d *Directory) shard(id uuid.UUID) *shard { return &d.shards[id[15]%shardCount] }

// Find returns the handle of a transaction; nil if there is none.
func (d *Directory) Find(id uuid.UUID) *actors.Handle {
	if h := d.held(id); h != nil {
		return h
	}
	return d.folded.find(id)
}

// held returns the handle of a transaction that is not folded; nil if there is
// none.
func (d *Directory) held(id uuid.UUID) *actors.Handle {
	s := d.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id]
}

// add adds a handle.
func (d *Directory) add(h *actors.Handle) {
	s := d.shard(h.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[h.ID] = h
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
		d.folded.add(h.ID, ended{at: e.Finished.UnixMicro(), state: state, path: e.Path}, e.Members)
		delete(s.byID, h.ID)
	}
}

// remove removes a handle.
func (d *Directory) remove(id uuid.UUID) {
	s := d.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
}

// removeFinished removes a handle, unless its transaction has been taken up
// again because a branch turned up late.
func (d *Directory) removeFinished(id uuid.UUID) {
	s := d.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.byID[id]; h != nil && h.Finished() && h.PID() == nil && h.Ending().Parked == nil {
		delete(s.byID, id)
	}
}

// All goes through the handles, in no order, until f returns false.
func (d *Directory) All(f func(*actors.Handle) bool) {
	// What is folded meanwhile is in the second list too, and not missed.
	held := make(map[uuid.UUID]*actors.Handle)
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.RLock()
		maps.Copy(held, s.byID)
		s.mu.RUnlock()
	}
	all := d.folded.all()
	maps.Copy(all, held)
	for _, h := range all {
		if !f(h) {
			return
		}
	}
}
