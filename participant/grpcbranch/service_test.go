package grpcbranch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// script is a two-phase participant that does what a test says.
type script struct {
	name                      string
	prepare, commit, rollback func(context.Context, participant.Branch) error
}

func (s *script) Name() string                                             { return s.name }
func (s *script) Prepare(ctx context.Context, b participant.Branch) error  { return s.prepare(ctx, b) }
func (s *script) Commit(ctx context.Context, b participant.Branch) error   { return s.commit(ctx, b) }
func (s *script) Rollback(ctx context.Context, b participant.Branch) error { return s.rollback(ctx, b) }

func fine(context.Context, participant.Branch) error { return nil }

func TestRegister_Refuses(t *testing.T) {
	stock := newLedger(t, "stock", 1)
	for name, ps := range map[string][]participant.Participant{
		"nil":           {stock, nil},
		"no name":       {&script{}},
		"control":       {&script{name: "a\x00"}},
		"same name":     {stock, &script{name: "stock"}},
		"an actor":      {participant.Actor("actor", actor.NewPID("nowhere", "actor"))},
		"wrapped actor": {held{participant.Actor("actor", actor.NewPID("nowhere", "actor"))}},
	} {
		server := grpc.NewServer()
		var config *grpcbranch.ConfigError
		if err := grpcbranch.Register(server, nil, ps...); !errors.As(err, &config) {
			t.Errorf("%s: %v", name, err)
		}
		if len(server.GetServiceInfo()) != 0 {
			t.Errorf("%s: registered all the same", name)
		}
	}
	server := grpc.NewServer()
	must(t, grpcbranch.Register(server, nil, stock))
	var config *grpcbranch.ConfigError
	if err := grpcbranch.Register(server, nil, &script{name: "money"}); !errors.As(err, &config) {
		t.Errorf("a second time: %v", err)
	}
}

type held struct{ participant.Participant }

func (h held) Unwrap() participant.Participant { return h.Participant }

func TestService_BadCalls(t *testing.T) {
	stock := newLedger(t, "stock", 1)
	s := participantpb.NewParticipantServiceClient(serve(t, stock, &counter{}))
	good := newBranch("stock", take(0))
	id := good.Transaction[:]
	for name, c := range map[string]struct {
		branch *messages.Branch
		want   codes.Code
	}{
		"no branch":           {nil, codes.NotFound},
		"unknown name":        {&messages.Branch{Transaction: id, Participant: "money"}, codes.NotFound},
		"endless name":        {&messages.Branch{Transaction: id, Participant: strings.Repeat("x", 1<<20)}, codes.NotFound},
		"no transaction":      {&messages.Branch{Participant: "stock"}, codes.InvalidArgument},
		"long transaction":    {&messages.Branch{Transaction: append(id[:16:16], 1), Participant: "stock"}, codes.InvalidArgument},
		"counter has no such": {&messages.Branch{Transaction: id, Participant: "counter"}, codes.Unimplemented},
	} {
		_, prepare := s.Prepare(ctx, &messages.Prepare{Branch: c.branch, ExpiresUnixMs: time.Now().Add(time.Hour).UnixMilli()})
		_, onePhase := s.CommitOnePhase(ctx, &messages.Commit{Branch: c.branch})
		_, committed := s.Committed(ctx, &participantpb.CommittedRequest{Branch: c.branch})
		for call, err := range map[string]error{"Prepare": prepare, "CommitOnePhase": onePhase, "Committed": committed} {
			if status.Code(err) != c.want || len(err.Error()) > 1024 {
				t.Errorf("%s: %s: %v", name, call, err)
			}
		}
		if c.want == codes.Unimplemented {
			continue // it has Commit and Rollback
		}
		if _, err := s.Commit(ctx, &messages.Commit{Branch: c.branch}); status.Code(err) != c.want {
			t.Errorf("%s: Commit: %v", name, err)
		}
		if _, err := s.Rollback(ctx, &messages.Rollback{Branch: c.branch}); status.Code(err) != c.want {
			t.Errorf("%s: Rollback: %v", name, err)
		}
	}
	_, describe := s.Describe(ctx, &participantpb.DescribeRequest{Participant: "money"})
	_, unknown := s.InDoubt(ctx, &participantpb.InDoubtRequest{Participant: "money"})
	_, lacking := s.InDoubt(ctx, &participantpb.InDoubtRequest{Participant: "counter"})
	if status.Code(describe) != codes.NotFound || status.Code(unknown) != codes.NotFound || status.Code(lacking) != codes.Unimplemented {
		t.Errorf("%v, %v, %v", describe, unknown, lacking)
	}
	balance(t, stock, 0, 10)
}

func TestService_LatePrepare(t *testing.T) {
	stock := newLedger(t, "stock", 1)
	s := participantpb.NewParticipantServiceClient(serve(t, stock))
	b := newBranch("stock", take(0))
	branch := &messages.Branch{Coordinator: b.Coordinator, Transaction: b.Transaction[:], Participant: "stock", Payload: b.Payload}
	for name, expires := range map[string]int64{"never set": 0, "over": time.Now().Add(-3 * time.Second).UnixMilli()} {
		voted, err := s.Prepare(ctx, &messages.Prepare{Branch: branch, Attempt: 3, ExpiresUnixMs: expires})
		if err != nil || voted.Vote != messages.Vote_VOTE_NO || voted.RolledBack || !strings.Contains(voted.Reason, "after its time") || voted.Attempt != 3 {
			t.Errorf("%s: %v, %v", name, voted, err)
		}
	}
	if ids, err := stock.InDoubt(ctx, b.Coordinator); err != nil || len(ids) != 0 {
		t.Errorf("prepared all the same: %v, %v", ids, err)
	}
	// Rolled back, and then a Prepare that was under way, in time but late.
	must(t, stock.Rollback(ctx, b))
	voted, err := s.Prepare(ctx, &messages.Prepare{Branch: branch, ExpiresUnixMs: time.Now().Add(time.Hour).UnixMilli()})
	if err != nil || voted.Vote != messages.Vote_VOTE_NO || !voted.RolledBack {
		t.Errorf("after Rollback: %v, %v", voted, err)
	}
}

func TestService_Panic(t *testing.T) {
	var log bytes.Buffer
	options := &grpcbranch.ServiceOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	explode := func(context.Context, participant.Branch) error { panic("secret " + "payload") }
	addr, stop := listen(t, func(s *grpc.Server) error {
		return grpcbranch.Register(s, options, &script{name: "stock", prepare: explode, commit: explode, rollback: fine})
	})
	p := newClient(t, "stock", dial(t, addr), nil)
	b := newBranch("stock", nil)
	for call, err := range map[string]error{"Prepare": as[participant.Preparer](t, p).Prepare(ctx, b), "Commit": p.Commit(ctx, b)} {
		if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") || errors.Is(err, participant.ErrRolledBack) {
			t.Errorf("%s: %v", call, err)
		}
	}
	must(t, p.Rollback(ctx, b))
	stop()
	if text := log.String(); strings.Count(text, "level=ERROR") != 2 || !strings.Contains(text, "service_test.go") {
		t.Errorf("the log says: %s", text)
	}
}

// What a participant cannot say is no answer.
func TestService_Failures(t *testing.T) {
	stock := newLedger(t, "stock", 1)
	p := newClient(t, "stock", serve(t, stock), whole())
	b := newBranch("stock", ledger.Payload{}.Encode())
	if err := as[participant.Preparer](t, p).Prepare(ctx, b); err != participant.ErrReadOnly {
		t.Errorf("nothing to do: %v", err)
	}
	must(t, stock.Close())
	committed, asked := as[participant.OnePhaseCommitter](t, p).Committed(ctx, b)
	ids, listed := as[participant.Recoverer](t, p).InDoubt(ctx, b.Coordinator)
	for _, err := range []error{asked, listed} {
		if status.Code(err) != codes.Unknown || !strings.Contains(err.Error(), "closed") || committed || ids != nil {
			t.Errorf("a ledger that is closed: %v", err)
		}
	}
	for _, err := range []error{p.Commit(ctx, b), p.Rollback(ctx, b), as[participant.OnePhaseCommitter](t, p).CommitOnePhase(ctx, b)} {
		if !refusal(stock.Commit(ctx, b).Error(), false)(err) {
			t.Errorf("a ledger that is closed: %v", err)
		}
	}
}

// A NonBlocking participant needs no lock.
func TestService_NonBlockingHasItsTurn(t *testing.T) {
	n := 0
	var busy atomic.Bool
	count := func(context.Context, participant.Branch) error {
		if !busy.CompareAndSwap(false, true) {
			t.Error("two calls at a time")
		}
		n++
		runtime.Gosched()
		busy.Store(false)
		return nil
	}
	p := newClient(t, "quick", serve(t, quickScript{&script{name: "quick", prepare: count, commit: count, rollback: count}}), nil)
	const branches = 50
	var all sync.WaitGroup
	for range branches {
		all.Go(func() {
			b := newBranch("quick", nil)
			if err := errors.Join(as[participant.Preparer](t, p).Prepare(ctx, b), p.Commit(ctx, b), p.Rollback(ctx, b)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n != 3*branches {
		t.Errorf("%d calls, not %d", n, 3*branches)
	}
}

type quickScript struct{ *script }

func (quickScript) NonBlocking() {}

// What the participant is given is what the coordinator's side was given.
func TestService_Branch(t *testing.T) {
	var got participant.Branch
	look := func(_ context.Context, b participant.Branch) error {
		got = b
		return fmt.Errorf("wrapped: %w", participant.ErrRolledBack)
	}
	p := newClient(t, "stock", serve(t, &script{name: "stock", prepare: look, rollback: look}), nil)
	for _, payload := range [][]byte{nil, []byte("\x00\xff"), bytes.Repeat([]byte("x"), 3<<20)} {
		b := newBranch("stock", payload)
		var refused *grpcbranch.RefusedError
		if err := as[participant.Preparer](t, p).Prepare(ctx, b); !errors.As(err, &refused) || !refused.RolledBack || !strings.Contains(refused.Reason, "wrapped") {
			t.Errorf("a refusal: %v", err)
		}
		if got.Key() != b.Key() || !bytes.Equal(got.Payload, b.Payload) || (got.Payload == nil) != (b.Payload == nil) {
			t.Errorf("got %v with %d bytes", got.Key(), len(got.Payload))
		}
		must(t, p.Rollback(ctx, b)) // rolled back before is rolled back
	}
	var call *grpcbranch.CallError
	err := as[participant.Preparer](t, p).Prepare(ctx, newBranch("stock", make([]byte, 4<<20)))
	if !errors.As(err, &call) || call.Code != codes.ResourceExhausted || call.Final() {
		t.Errorf("a payload that is too large: %v", err)
	}
}
