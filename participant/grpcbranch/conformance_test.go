package grpcbranch_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
	"github.com/seed-d36415c0/dtc/participant/ledger"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

func TestConformance(t *testing.T) {
	for name, o := range map[string]grpcbranch.Options{
		"one-phase committer, recoverer": *whole(),
		"two-phase, recoverer":           {Recoverer: true},
		"two-phase":                      {},
	} {
		t.Run(name, func(t *testing.T) { participanttest.Run(t, ledgerHarness(o)) })
	}
	t.Run("one-phase", func(t *testing.T) { participanttest.Run(t, counterHarness(false)) })
	t.Run("one-phase, non-blocking", func(t *testing.T) { participanttest.Run(t, counterHarness(true)) })
}

// loopback serves p over TCP, and returns the client of it and how to end both.
func loopback(p participant.Participant, o grpcbranch.Options) (participant.Participant, func() error, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := grpc.NewServer(grpcbranch.ServerOptions()...)
	if err := grpcbranch.Register(server, nil, p); err != nil {
		return nil, nil, err
	}
	done := serveOn(server, listener)
	conn, err := grpc.NewClient(listener.Addr().String(),
		append(grpcbranch.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		return nil, nil, err
	}
	c, err := grpcbranch.New(p.Name(), conn, &o)
	return c, func() error {
		err := conn.Close()
		server.Stop()
		return errors.Join(err, <-done)
	}, err
}

func ledgerHarness(o grpcbranch.Options) participanttest.Harness {
	return participanttest.Harness{Durable: true, Open: func(dir string) (*participanttest.Service, error) {
		l, err := openLedger(dir, "stock", 64)
		if err != nil {
			return nil, err
		}
		c, end, err := loopback(l, o)
		next := 0 // every branch has an account of its own, so that its effect shows
		return &participanttest.Service{
			Participant: c,
			Payload: func() []byte {
				next++
				return take(next)
			},
			Refused: tooMuch,
			Effects: func(b participant.Branch) (int, error) {
				var p ledger.Payload
				if err := json.Unmarshal(b.Payload, &p); err != nil {
					return 0, err
				}
				got, err := l.Balance(p.Entries[0].Account)
				return int(10 - got), err
			},
			Close: func() error { return errors.Join(end(), l.Close()) },
		}, err
	}}
}

// counter is one-phase, and keeps none of the promises: every call has its effect
// again.
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

type quickCounter struct{ *counter }

func (quickCounter) NonBlocking() {}

func counterHarness(nonBlocking bool) participanttest.Harness {
	counters := make(map[string]*counter) // the effects outlive the process
	return participanttest.Harness{Durable: !nonBlocking, Open: func(dir string) (*participanttest.Service, error) {
		c := counters[dir]
		if c == nil {
			c = &counter{effects: make(map[uuid.UUID]int)}
			counters[dir] = c
		}
		closeStore := func() error { return nil }
		p := participant.Idempotent(quickCounter{c}, nil)
		if !nonBlocking {
			store, err := filestore.Open(filepath.Join(dir, "store"), nil)
			if err != nil {
				return nil, err
			}
			p, closeStore = participant.Idempotent(c, store), store.Close
		}
		remote, end, err := loopback(p, grpcbranch.Options{Kind: grpcbranch.OnePhase})
		return &participanttest.Service{
			Participant: remote,
			Refused:     func() []byte { return []byte("no") },
			Effects: func(b participant.Branch) (int, error) {
				c.mu.Lock()
				defer c.mu.Unlock()
				return c.effects[b.Transaction], nil
			},
			Close: func() error { return errors.Join(end(), closeStore()) },
		}, err
	}}
}
