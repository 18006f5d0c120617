package journal

import (
	"bytes"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Memory returns a journal that keeps everything in the process and forgets it
// with the process: Lasts is false, and Force asks for nothing.
//
// It is [Immediate]: Append may be called concurrently. It copies what it is
// given and hands out copies. It holds the unfinished records and the outcomes
// that have not expired, about 50 bytes per outcome (more where it has members), and nothing else.
func Memory() Journal {
	return &memory{records: make(map[uuid.UUID]Record)}
}

// memory is a journal behind one lock. Records are copied before the lock is
// taken, so that it is held for a map write and little more.
type memory struct {
	mu       sync.RWMutex
	failed   error
	closed   bool
	header   Header
	records  map[uuid.UUID]Record // never changed in place: a reader may clone one after unlocking
	outcomes outcomes
}

func (*memory) Immediate() {}

func (*memory) Lasts() bool { return false }

func (m *memory) Append(b Batch) error {
	if err := b.Check(); err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.failed = err
		return err
	}
	var one [1]Record // most batches put one record: no memory for the slice
	clones := cloneRecords(one[:0], b.Writes)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	for i := range b.Writes {
		if b.Writes[i].Put == nil {
			m.apply(&b.Writes[i])
			continue
		}
		m.records[clones[0].Transaction] = clones[0]
		clones = clones[1:]
	}
	return nil
}

// apply performs any write but a Put; m.mu is held.
func (m *memory) apply(w *Write) {
	switch {
	case w.End != nil:
		delete(m.records, w.End.Transaction)
		m.outcomes.add(w.End)
	case w.Expire != nil:
		m.outcomes.expire(*w.Expire)
	case w.Header != nil:
		m.header = *w.Header
	}
}

// usable says why the journal takes no batch; m.mu is held.
func (m *memory) usable() error {
	if m.closed {
		return ErrClosed
	}
	if m.failed != nil {
		return ErrFailed
	}
	return nil
}

func (m *memory) Header() (Header, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return Header{}, ErrClosed
	}
	return m.header, nil
}

func (m *memory) Record(id uuid.UUID) (Record, bool, error) {
	m.mu.RLock()
	r, ok := m.records[id]
	closed := m.closed
	m.mu.RUnlock()
	if closed {
		return Record{}, false, ErrClosed
	}
	return r.clone(), ok, nil
}

// Records yields what is there when the sequence starts, as it was then.
func (m *memory) Records(after uuid.UUID) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		m.mu.RLock()
		closed := m.closed
		var found []Record
		for id, r := range m.records {
			if bytes.Compare(id[:], after[:]) > 0 {
				found = append(found, r)
			}
		}
		m.mu.RUnlock()
		if closed {
			yield(Record{}, ErrClosed)
			return
		}
		slices.SortFunc(found, func(a, b Record) int { return bytes.Compare(a.Transaction[:], b.Transaction[:]) })
		for i := range found {
			if !yield(found[i].clone(), nil) {
				return
			}
		}
	}
}

// Outcomes yields what is there when the sequence starts.
func (m *memory) Outcomes() iter.Seq2[Ended, error] {
	return func(yield func(Ended, error) bool) {
		m.mu.RLock()
		closed := m.closed
		found := m.outcomes.sorted()
		m.mu.RUnlock()
		if closed {
			yield(Ended{}, ErrClosed)
			return
		}
		for i := range found {
			if !yield(found[i], nil) {
				return
			}
		}
	}
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.records, m.outcomes = nil, outcomes{}
	return nil
}

// cloneRecords appends copies of the records that are put, in their order.
func cloneRecords(clones []Record, writes []Write) []Record {
	for i := range writes {
		if writes[i].Put != nil {
			clones = append(clones, writes[i].Put.clone())
		}
	}
	return clones
}

// clone copies the record with everything it refers to; all payloads go into
// one piece of memory.
func (r *Record) clone() Record {
	c := *r
	c.Began = time.UnixMicro(r.Began.UnixMicro()).UTC()
	size := 0
	for i := range r.Branches {
		size += len(r.Branches[i].Payload)
	}
	c.Branches = slices.Clone(r.Branches)
	payloads := make([]byte, 0, size)
	for i := range c.Branches {
		b := &c.Branches[i]
		if len(b.Payload) == 0 {
			b.Payload = nil
			continue
		}
		start := len(payloads)
		payloads = append(payloads, b.Payload...)
		b.Payload = payloads[start:len(payloads):len(payloads)]
	}
	return c
}
