package remote_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// caller makes calls of messages, so that what is served elsewhere can be checked
// like any participant.
type caller struct {
	participant.Participant
	system *actor.ActorSystem
}

func (c caller) ask(ctx context.Context, question any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	driven, _ := participant.As[participant.MessageDriven](c.Participant)
	return c.system.Root.RequestFuture(driven.PID(), question, 10*time.Second).Result()
}

func (c caller) Prepare(ctx context.Context, b participant.Branch) error {
	m, err := c.ask(ctx, prepare(wire(b), 1))
	if err != nil {
		return err
	}
	switch v := m.(*messages.Voted); {
	case v.Vote == messages.Vote_VOTE_YES:
		return nil
	case v.Vote == messages.Vote_VOTE_READ_ONLY:
		return participant.ErrReadOnly
	case v.RolledBack:
		return participant.ErrRolledBack
	default:
		return errors.New(v.Reason)
	}
}

func (c caller) Commit(ctx context.Context, b participant.Branch) error {
	return acked(c.ask(ctx, commit(wire(b), 1)))
}

func (c caller) Rollback(ctx context.Context, b participant.Branch) error {
	return acked(c.ask(ctx, rollback(wire(b), 1)))
}

func acked(m any, err error) error {
	if err != nil {
		return err
	}
	switch k := m.(*messages.Acked); {
	case k.Done:
		return nil
	case k.RolledBack:
		return participant.ErrRolledBack
	default:
		return errors.New(k.Reason)
	}
}

func wire(b participant.Branch) *messages.Branch {
	return &messages.Branch{Coordinator: b.Coordinator, Transaction: b.Transaction[:], Participant: b.Participant, Payload: b.Payload}
}

// TestConformance: a ledger keeps its promises when it is served, across a restart
// of the process that serves it.
func TestConformance(t *testing.T) {
	system := quietSystem()
	client := listen(t, system, remote.Config{Insecure: true})
	var next atomic.Int32
	participanttest.Run(t, participanttest.Harness{Durable: true, Open: func(dir string) (*participanttest.Service, error) {
		stock, err := ledger.Open("stock", filepath.Join(dir, "stock"), nil)
		if err != nil {
			return nil, err
		}
		server, err := remote.Listen(quietSystem(), remote.Config{Insecure: true})
		if err == nil {
			err = server.Serve(stock)
		}
		if err != nil {
			return nil, errors.Join(err, stock.Close())
		}
		accounts := make(map[string]ledger.Account)
		for i := range 100 {
			accounts[fmt.Sprint(i)] = ledger.Account{Balance: 10}
		}
		return &participanttest.Service{
			Participant: caller{client.Participant("stock", server.Address()), system},
			Payload:     func() []byte { return take(next.Add(1), 1) },
			Refused:     func() []byte { return take(0, 11) },
			Effects: func(b participant.Branch) (int, error) {
				p, err := ledger.Decode(b.Payload)
				if err != nil {
					return 0, err
				}
				got, err := stock.Balance(p.Entries[0].Account)
				return int(10 - got), err
			},
			Close: func() error { return errors.Join(server.Close(), stock.Close()) },
		}, stock.Seed(accounts)
	}})
}

// take is the payload that takes so many from an account.
func take(account int32, n int64) []byte {
	return ledger.Payload{Entries: []ledger.Entry{{Account: fmt.Sprint(account), Delta: -n}}}.Encode()
}
