package participant_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

// counter keeps none of the promises: every call has its effect again.
type counter struct {
	mu      sync.Mutex
	effects map[uuid.UUID]int
}

func (c *counter) Name() string { return "counter" }

func (c *counter) add(b participant.Branch, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if string(b.Payload) == "no" {
		return errors.Join(errors.New("no"), participant.ErrRolledBack)
	}
	c.effects[b.Transaction] += n
	return nil
}

func (c *counter) Commit(_ context.Context, b participant.Branch) error   { return c.add(b, +1) }
func (c *counter) Rollback(_ context.Context, b participant.Branch) error { return c.add(b, -1) }

// reserver is the same in two phases: half an effect in each.
type reserver struct{ *counter }

func (r reserver) Prepare(_ context.Context, b participant.Branch) error { return r.add(b, +1) }
func (r reserver) Commit(_ context.Context, b participant.Branch) error  { return r.add(b, +1) }

func TestConformance(t *testing.T) {
	for _, kind := range []string{"one-phase", "two-phase"} {
		t.Run(kind+" in memory", func(t *testing.T) {
			participanttest.Run(t, idempotentHarness(kind, func(string) (participant.Store, func() error, error) {
				return new(participant.MemoryStore), nil, nil
			}))
		})
		t.Run(kind+" in a file", func(t *testing.T) {
			h := idempotentHarness(kind, func(dir string) (participant.Store, func() error, error) {
				s, err := filestore.Open(filepath.Join(dir, "store"), nil)
				if err != nil {
					return nil, nil, err
				}
				return s, s.Close, nil
			})
			h.Durable = true
			participanttest.Run(t, h)
		})
	}
}

func idempotentHarness(kind string, openStore func(dir string) (participant.Store, func() error, error)) participanttest.Harness {
	counters := map[string]*counter{} // the effects outlive the process
	return participanttest.Harness{Open: func(dir string) (*participanttest.Service, error) {
		c := counters[dir]
		if c == nil {
			c = &counter{effects: map[uuid.UUID]int{}}
			counters[dir] = c
		}
		store, closeStore, err := openStore(dir)
		if err != nil {
			return nil, err
		}
		var p participant.Participant = c
		whole := 1
		if kind == "two-phase" {
			p, whole = reserver{c}, 2
		}
		return &participanttest.Service{
			Participant: participant.Idempotent(p, store),
			Payload:     func() []byte { return []byte("yes") },
			Refused:     func() []byte { return []byte("no") },
			Effects: func(b participant.Branch) (int, error) {
				c.mu.Lock()
				defer c.mu.Unlock()
				n := c.effects[b.Transaction]
				if n%whole != 0 {
					return n, errors.New("half an effect")
				}
				return n / whole, nil
			},
			Close: closeStore,
		}, nil
	}}
}

// TestConformanceWithout shows that the wrapper is needed.
func TestConformanceWithout(t *testing.T) {
	h := idempotentHarness("one-phase", func(string) (participant.Store, func() error, error) {
		return new(participant.MemoryStore), nil, nil
	})
	open := h.Open
	h.Open = func(dir string) (*participanttest.Service, error) {
		s, err := open(dir)
		s.Participant = &counter{effects: map[uuid.UUID]int{}}
		c := s.Participant.(*counter)
		s.Effects = func(b participant.Branch) (int, error) { return c.effects[b.Transaction], nil }
		return s, err
	}
	violations, err := participanttest.Check(h)
	if err != nil || len(violations) < 5 {
		t.Errorf("found only %v, %v", violations, err)
	}
}
