package supervisor

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/protocol"
)

// folded holds transactions that have finished, and of which nothing is to be
// told but their outcome. It holds them by generation, and drops a generation
// when its last one has expired: looking up each one that expires, in a map that
// is long out of the processor's cache, would cost more than finishing it did.
type folded struct {
	room int // transactions per generation

	mu          sync.RWMutex
	generations []generation // the oldest first
	through     int64        // what finished by then has expired
	spare       map[uuid.UUID]ended
}

// generation is transactions that were folded one after the other. There are no
// pointers in what it holds of each.
type generation struct {
	byID    map[uuid.UUID]ended
	members memberships
	last    int64 // when the last of them finished
}

// ended is how and when a transaction finished.
type ended struct {
	at    int64 // microseconds since 1970
	state protocol.State
	path  protocol.Path
	// members is the number of the set of its members in its generation.
	members uint32
}

// handle returns a transaction as the handle of one that has no actor.
func (g *generation) handle(id uuid.UUID, e ended) *actors.Handle {
	h := actors.NewHandle(id, nil)
	h.SetState(e.state)
	h.SetEnding(actors.Ending{Finished: time.UnixMicro(e.at), Path: e.path, Members: g.members.set(e.members)})
	return h
}

// add takes a transaction in.
func (f *folded) add(id uuid.UUID, e ended, members []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.generations)
	if n == 0 || len(f.generations[n-1].byID) >= f.room {
		f.generations = append(f.generations, generation{byID: f.empty()})
		n++
	}
	g := &f.generations[n-1]
	e.members = g.members.number(members)
	g.byID[id] = e
	g.last = max(g.last, e.at)
}

// empty returns a map for a new generation. The caller holds the lock.
func (f *folded) empty() map[uuid.UUID]ended {
	m := f.spare
	f.spare = nil
	if m == nil {
		m = make(map[uuid.UUID]ended)
	}
	return m
}

// forget has everything expire that finished at that instant or before.
func (f *folded) forget(through int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.through = through
	for len(f.generations) > 0 && f.generations[0].last <= through {
		f.spare = f.generations[0].byID
		clear(f.spare)
		f.generations = append(f.generations[:0], f.generations[1:]...)
	}
}

// find returns the handle of a transaction; nil if it is not here, or has
// expired. The newest entry counts: a transaction whose branch turned up late was
// folded again.
func (f *folded) find(id uuid.UUID) *actors.Handle {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i := len(f.generations) - 1; i >= 0; i-- {
		g := &f.generations[i]
		if e, ok := g.byID[id]; ok && e.at > f.through {
			return g.handle(id, e)
		}
	}
	return nil
}

// all returns the handles of those that have not expired.
func (f *folded) all() map[uuid.UUID]*actors.Handle {
	f.mu.RLock()
	defer f.mu.RUnlock()
	handles := make(map[uuid.UUID]*actors.Handle)
	for i := range f.generations {
		g := &f.generations[i]
		for id, e := range g.byID {
			if e.at > f.through {
				handles[id] = g.handle(id, e)
			}
		}
	}
	return handles
}
