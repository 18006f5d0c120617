package httpbranch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
	"github.com/seed-d36415c0/dtc/participant/ledger"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

// TestConformance holds the participant that the coordinator gets against the
// contract: a ledger behind a real connection.
func TestConformance(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { participanttest.Run(t, ledgerHarness(w, ledgerOptions)) })
	}
	t.Run("two-phase", func(t *testing.T) { participanttest.Run(t, ledgerHarness(ways[0], httpbranch.Options{})) })
	t.Run("one-phase", func(t *testing.T) { participanttest.Run(t, counterHarness(ways[0])) })
}

func ledgerHarness(w way, o httpbranch.Options) participanttest.Harness {
	return participanttest.Harness{Durable: true, Open: func(dir string) (*participanttest.Service, error) {
		l, err := ledger.Open("stock", filepath.Join(dir, "ledger"), nil)
		if err != nil {
			return nil, err
		}
		next, accounts := 0, map[string]ledger.Account{}
		for i := range 64 {
			accounts[fmt.Sprint(i)] = ledger.Account{Balance: 10}
		}
		p, closeIt := w.open(httpbranch.Handler(l, nil), o)
		return &participanttest.Service{
			Participant: p,
			Payload: func() []byte {
				next++
				return ledger.Payload{Entries: []ledger.Entry{{Account: fmt.Sprint(next), Delta: -1}}}.Encode()
			},
			Refused: func() []byte {
				return ledger.Payload{Entries: []ledger.Entry{{Account: "0", Delta: -11}}}.Encode()
			},
			Effects: func(b participant.Branch) (int, error) {
				var p ledger.Payload
				if err := json.Unmarshal(b.Payload, &p); err != nil {
					return 0, err
				}
				got, err := l.Balance(p.Entries[0].Account)
				return int(10 - got), err
			},
			Close: func() error {
				closeIt()
				return l.Close()
			},
		}, l.Seed(accounts)
	}}
}

// counter is a one-phase participant that keeps none of the promises by itself.
type counter struct {
	mu      sync.Mutex
	effects map[uuid.UUID]int
}

func (c *counter) Name() string { return "stock" }

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

func counterHarness(w way) participanttest.Harness {
	counters := map[string]*counter{} // the database of the service
	return participanttest.Harness{Durable: true, Open: func(dir string) (*participanttest.Service, error) {
		if counters[dir] == nil {
			counters[dir] = &counter{effects: map[uuid.UUID]int{}}
		}
		c := counters[dir]
		store, err := filestore.Open(filepath.Join(dir, "store"), nil)
		if err != nil {
			return nil, err
		}
		p, closeIt := w.open(httpbranch.Handler(participant.Idempotent(c, store), nil), httpbranch.Options{OnePhase: true})
		return &participanttest.Service{
			Participant: p,
			Payload:     func() []byte { return []byte("yes") },
			Refused:     func() []byte { return []byte("no") },
			Effects: func(b participant.Branch) (int, error) {
				c.mu.Lock()
				defer c.mu.Unlock()
				return c.effects[b.Transaction], nil
			},
			Close: func() error {
				closeIt()
				return store.Close()
			},
		}, nil
	}}
}

// TestKinds: an optional interface that Options do not name is not there, whichever
// way it is looked for.
func TestKinds(t *testing.T) {
	for _, want := range []httpbranch.Options{
		{OnePhase: true}, {}, {OnePhaseCommitter: true}, {Recoverer: true}, {OnePhaseCommitter: true, Recoverer: true},
	} {
		p, err := httpbranch.New("stock", "http://localhost", &want)
		must(t, err)
		_, prepares := p.(participant.Preparer)
		_, onePhase := p.(participant.OnePhaseCommitter)
		_, recovers := p.(participant.Recoverer)
		_, wraps := p.(participant.Wrapper)
		_, nonBlocking := p.(participant.NonBlocking)
		got := httpbranch.Options{OnePhase: !prepares, OnePhaseCommitter: onePhase, Recoverer: recovers}
		if fmt.Sprint(got) != fmt.Sprint(want) || wraps || nonBlocking {
			t.Errorf("asked for %+v, got %+v (a wrapper: %t, non-blocking: %t)", want, got, wraps, nonBlocking)
		}
	}
}
