package grpcbranch_test

import (
	"context"
	"errors"
	"io"
	stdslog "log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"golang.org/x/exp/slog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
)

var quietLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// quietSystem is an actor system that does not log.
func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.NewTextHandler(io.Discard, nil))
	}))
}

// coordinate opens a coordinator that is quick to call again.
func coordinate(t testing.TB, config dtc.Config) *dtc.Coordinator {
	t.Helper()
	system := quietSystem()
	t.Cleanup(system.Shutdown)
	config.Name = "shop"
	config.Logger = quietLog
	config.Retry = dtc.Backoff{Initial: 5 * time.Millisecond, Max: 100 * time.Millisecond}
	c, err := dtc.Open(system, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// moody is a service that answers some calls with a status code.
type moody struct {
	stub
	code                                    codes.Code
	commits, rollbacks, onePhases, askings  atomic.Int32
	prepareFails, commitFails, wasCommitted bool
}

func newMoody(code codes.Code) *moody {
	m := &moody{code: code}
	says := func(n int32, fails bool) error {
		if fails && n <= 2 {
			return status.Error(m.code, "so it is")
		}
		return nil
	}
	m.prepare = func(_ context.Context, q *messages.Prepare) (*messages.Voted, error) {
		if m.prepareFails {
			return nil, status.Error(m.code, "so it is")
		}
		return q.Yes(), nil
	}
	m.commit = func(_ context.Context, q *messages.Commit) (*messages.Acked, error) {
		return q.Done(), says(m.commits.Add(1), m.commitFails)
	}
	m.rollback = func(_ context.Context, q *messages.Rollback) (*messages.Acked, error) {
		return q.Done(), says(m.rollbacks.Add(1), m.prepareFails)
	}
	m.onePhase = func(context.Context, *messages.Commit) (*messages.Acked, error) {
		m.onePhases.Add(1)
		return nil, status.Error(m.code, "so it is")
	}
	m.committed = func(_ context.Context, q *participantpb.CommittedRequest) (*participantpb.CommittedResponse, error) {
		a := &participantpb.CommittedResponse{Transaction: q.Branch.Transaction, Participant: q.Branch.Participant, Attempt: q.Attempt,
			Outcome: messages.Outcome_OUTCOME_ROLLED_BACK}
		if m.wasCommitted {
			a.Outcome = messages.Outcome_OUTCOME_COMMITTED
		}
		return a, says(m.askings.Add(1), true)
	}
	return m
}

// What every status code comes to with a coordinator: a refusal in Prepare, another
// call in phase two, a question after CommitOnePhase.
func TestStatusCodes(t *testing.T) {
	stock := newLedger(t, "stock", 20)
	final := map[codes.Code]bool{
		codes.InvalidArgument: true, codes.FailedPrecondition: true, codes.OutOfRange: true, codes.NotFound: true,
		codes.AlreadyExists: true, codes.Unimplemented: true, codes.PermissionDenied: true, codes.Unauthenticated: true,
	}
	c := coordinate(t, dtc.Config{})
	for code := codes.Canceled; code <= codes.Unauthenticated+1; code++ {
		t.Run(code.String(), func(t *testing.T) {
			m := newMoody(code)
			o := &grpcbranch.Options{Kind: grpcbranch.OnePhaseCommitter}
			remote := newClient(t, code.String(), serveStub(t, m, grpc.WithDisableRetry()), o)
			account := int(code)
			together := []dtc.Enlistment{{Participant: remote}, {Participant: stock, Payload: take(account)}}

			m.prepareFails = true
			err := c.Execute(ctx, nil, together...)
			var call *grpcbranch.CallError
			if !errors.Is(err, dtc.ErrRolledBack) || !errors.As(err, &call) || call.Code != code ||
				call.Final() != final[code] || m.rollbacks.Load() < 3 {
				t.Errorf("in Prepare, and after %d Rollbacks: %v", m.rollbacks.Load(), err)
			}
			balance(t, stock, account, 10)

			m.prepareFails, m.commitFails = false, true
			if err := c.Execute(ctx, nil, together...); err != nil || m.commits.Load() < 3 {
				t.Errorf("in Commit, after %d of them: %v", m.commits.Load(), err)
			}
			balance(t, stock, account, 9)

			alone := dtc.Enlistment{Participant: remote}
			if err := c.Execute(ctx, nil, alone); !errors.Is(err, dtc.ErrRolledBack) || m.askings.Load() < 3 {
				t.Errorf("in CommitOnePhase without effect, after %d questions: %v", m.askings.Load(), err)
			}
			m.wasCommitted = true
			if err := c.Execute(ctx, nil, alone); err != nil {
				t.Errorf("in CommitOnePhase with effect: %v", err)
			}
		})
	}
}

// Many transactions at a time over one connection, half of which one of two
// participants refuses.
func TestManyBranches(t *testing.T) {
	const n = 200
	stock, money := newLedger(t, "stock", n), newLedger(t, "money", n)
	conn := serve(t, stock, money)
	remotes := []participant.Participant{newClient(t, "stock", conn, whole()), newClient(t, "money", conn, whole())}
	c := coordinate(t, dtc.Config{
		Participants: remotes, MaxTransactions: n, MaxCalls: n, TransactionTimeout: time.Minute, ParticipantTimeout: time.Minute,
	})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			payload := take(i)
			if i%2 != 0 {
				payload = tooMuch()
			}
			err := c.Execute(ctx, nil,
				dtc.Enlistment{Participant: remotes[0], Payload: take(i)},
				dtc.Enlistment{Participant: remotes[1], Payload: payload})
			var refused *grpcbranch.RefusedError
			if i%2 == 0 && err != nil || i%2 != 0 && (!errors.Is(err, dtc.ErrRolledBack) || !errors.As(err, &refused)) {
				t.Errorf("transaction %d: %v", i, err)
			}
		})
	}
	all.Wait()
	for i := range n {
		balance(t, stock, i, 9+i%2)
	}
	for _, r := range remotes {
		if ids, err := as[participant.Recoverer](t, r).InDoubt(ctx, "shop"); err != nil || len(ids) != 0 {
			t.Errorf("%s has %d branches in doubt, %v", r.Name(), len(ids), err)
		}
	}
}
