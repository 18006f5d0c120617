package postgres_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// beginning is a participant whose application begins each branch before it is
// first prepared or committed, as a coordinator's application does.
type beginning struct {
	*postgres.Participant
	mu    *sync.Mutex
	begun map[uuid.UUID]bool
}

func (p beginning) begin(ctx context.Context, b participant.Branch) error {
	p.mu.Lock()
	again := p.begun[b.Transaction]
	p.begun[b.Transaction] = true
	p.mu.Unlock()
	if again {
		return nil
	}
	tx, err := p.Participant.Begin(ctx, b.Transaction)
	if err != nil {
		return err
	}
	return effect(ctx, tx, b)
}

func (p beginning) Prepare(ctx context.Context, b participant.Branch) error {
	if err := p.begin(ctx, b); err != nil {
		return err
	}
	return p.Participant.Prepare(ctx, b)
}

func (p beginning) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	if err := p.begin(ctx, b); err != nil {
		return err
	}
	return p.Participant.CommitOnePhase(ctx, b)
}

func TestConformance(t *testing.T) {
	w := newWorld(t, nil)
	harness := func(o *postgres.Options, wrap func(*postgres.Participant) participant.Participant) participanttest.Harness {
		return participanttest.Harness{
			Durable: true,
			Open: func(dir string) (*participanttest.Service, error) {
				name := filepath.Base(filepath.Dir(dir)) + filepath.Base(dir)
				p, err := postgres.New(name, w.pool, o)
				if err != nil {
					return nil, err
				}
				return &participanttest.Service{
					Participant: wrap(p),
					Payload:     func() []byte { return slices.Clone([]byte("yes")) },
					Refused:     func() []byte { return slices.Clone([]byte("no")) },
					Effects:     func(b participant.Branch) (int, error) { return w.effects(b), nil },
					Close:       func() error { p.Close(); return nil },
				}, nil
			},
		}
	}
	t.Run("work", func(t *testing.T) {
		participanttest.Run(t, harness(&postgres.Options{Work: effect}, func(p *postgres.Participant) participant.Participant { return p }))
	})
	t.Run("begin", func(t *testing.T) {
		participanttest.Run(t, harness(nil, func(p *postgres.Participant) participant.Participant {
			return beginning{Participant: p, mu: new(sync.Mutex), begun: make(map[uuid.UUID]bool)}
		}))
	})
}
