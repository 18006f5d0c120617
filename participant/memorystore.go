package participant

import (
	"bytes"
	"container/heap"
	"context"
	"iter"
	"sync"

	"github.com/google/uuid"
)

// DefaultLimit is how many settled branches are remembered where nothing else
// is said.
const DefaultLimit = 100_000

// MemoryStore is a [Store] in the memory of the process: right for a
// participant whose effects live there too, or that is a [Recoverer]. The zero
// value is ready. It is safe for concurrent use and must not be copied.
//
// It is bounded. When more than Limit branches are settled, it drops those of
// the oldest transactions, by the time in their version 7 ids, and the id of the
// newest one dropped becomes the horizon. From then on it answers [Forgotten]
// for every branch at or before the horizon that it holds nothing for. Branches
// that are not settled are never dropped and do not count.
//
// It also serves as the index of a store that writes its states elsewhere: see
// [MemoryStore.All] and [MemoryStore.Forget].
type MemoryStore struct {
	// Limit is how many settled branches are kept; zero or less means
	// [DefaultLimit]. It should cover what settles in the time in which a call
	// can come late. It must not change while the store is in use.
	Limit int

	mu      sync.Mutex
	states  map[Key]State
	settled oldestFirst // holds at least the keys of all settled states
	horizon uuid.UUID
}

// Load implements [Store]. It never fails.
func (m *MemoryStore) Load(_ context.Context, k Key) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.states[k]
	if s == Unknown && bytes.Compare(k.Transaction[:], m.horizon[:]) <= 0 && m.horizon != uuid.Nil {
		return Forgotten, nil
	}
	return s, nil
}

// Save implements [Store]. It never fails.
func (m *MemoryStore) Save(_ context.Context, k Key, s State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.states == nil {
		m.states = make(map[Key]State)
	}
	if s.Settled() && !m.states[k].Settled() {
		heap.Push(&m.settled, k)
	}
	m.states[k] = s
	limit := m.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	for len(m.settled) > limit {
		m.drop(heap.Pop(&m.settled).(Key))
	}
	return nil
}

func (m *MemoryStore) drop(k Key) {
	if !m.states[k].Settled() {
		return // taken up again since
	}
	delete(m.states, k)
	if bytes.Compare(k.Transaction[:], m.horizon[:]) > 0 {
		m.horizon = k.Transaction
	}
}

// All goes through a copy of what is held, in no particular order.
func (m *MemoryStore) All() iter.Seq2[Key, State] {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]Key, 0, len(m.states))
	states := make([]State, 0, len(m.states))
	for k, s := range m.states {
		keys, states = append(keys, k), append(states, s)
	}
	return func(yield func(Key, State) bool) {
		for i, k := range keys {
			if !yield(k, states[i]) {
				return
			}
		}
	}
}

// Horizon is the newest transaction of which a branch was dropped; uuid.Nil if
// none was.
func (m *MemoryStore) Horizon() uuid.UUID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.horizon
}

// Forget moves the horizon forward, as if a branch of this transaction had been
// dropped. A store that has read its states back tells so what it no longer has.
func (m *MemoryStore) Forget(horizon uuid.UUID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if bytes.Compare(horizon[:], m.horizon[:]) > 0 {
		m.horizon = horizon
	}
}

// NonBlocking says that a participant stays [NonBlocking] with this store.
func (m *MemoryStore) NonBlocking() {}

// oldestFirst is a heap of keys; version 7 ids sort by time.
type oldestFirst []Key

func (o oldestFirst) Len() int { return len(o) }
func (o oldestFirst) Less(i, j int) bool {
	return bytes.Compare(o[i].Transaction[:], o[j].Transaction[:]) < 0
}
func (o oldestFirst) Swap(i, j int) { o[i], o[j] = o[j], o[i] }
func (o *oldestFirst) Push(k any)   { *o = append(*o, k.(Key)) }
func (o *oldestFirst) Pop() any {
	last := len(*o) - 1
	k := (*o)[last]
	(*o)[last] = Key{}
	*o = (*o)[:last]
	return k
}
