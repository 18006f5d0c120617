package grpcbranch_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
)

// What the Options say exactly is what the client is.
func TestNew_Kinds(t *testing.T) {
	conn := dial(t, "127.0.0.1:1")
	for _, kind := range []grpcbranch.Kind{grpcbranch.TwoPhase, grpcbranch.OnePhase, grpcbranch.OnePhaseCommitter} {
		for _, recovers := range []bool{false, true} {
			p := newClient(t, "stock", conn, &grpcbranch.Options{Kind: kind, Recoverer: recovers})
			_, prepares := participant.As[participant.Preparer](p)
			_, commits := participant.As[participant.OnePhaseCommitter](p)
			_, lists := participant.As[participant.Recoverer](p)
			_, nonBlocking := participant.As[participant.NonBlocking](p)
			if prepares != (kind != grpcbranch.OnePhase) || commits != (kind == grpcbranch.OnePhaseCommitter) || lists != recovers || nonBlocking {
				t.Errorf("%s, recoverer %t: prepares %t, commits in one phase %t, lists %t, non-blocking %t",
					kind, recovers, prepares, commits, lists, nonBlocking)
			}
			if p.Name() != "stock" {
				t.Errorf("the name is %q", p.Name())
			}
		}
	}
}

func TestNew_Refuses(t *testing.T) {
	conn := dial(t, "127.0.0.1:1")
	for name, c := range map[string]struct {
		name  string
		conn  grpc.ClientConnInterface
		o     *grpcbranch.Options
		field string
	}{
		"no name":         {"", conn, nil, "name"},
		"long name":       {strings.Repeat("x", 129), conn, nil, "name"},
		"control":         {"a\nb", conn, nil, "name"},
		"not UTF-8":       {"\xff", conn, nil, "name"},
		"no connection":   {"stock", nil, nil, "conn"},
		"nil connection":  {"stock", (*grpc.ClientConn)(nil), nil, "conn"},
		"no such kind":    {"stock", conn, &grpcbranch.Options{Kind: 3}, "Options.Kind"},
		"nothing is odd ": {strings.Repeat("é", 64), conn, nil, ""},
	} {
		_, err := grpcbranch.New(c.name, c.conn, c.o)
		var config *grpcbranch.ConfigError
		if errors.As(err, &config) != (c.field != "") || config != nil && config.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || !utf8.ValidString(err.Error())) {
			t.Errorf("%s: %q", name, err)
		}
	}
}

// The deadline of a call is in the Prepare, and in the service's context.
func TestDeadlines(t *testing.T) {
	type seen struct {
		expires  int64
		deadline time.Time
	}
	var got seen
	p := newClient(t, "stock", serveStub(t, &stub{prepare: func(ctx context.Context, m *messages.Prepare) (*messages.Voted, error) {
		got.expires = m.ExpiresUnixMs
		got.deadline, _ = ctx.Deadline()
		return m.Yes(), nil
	}}), nil)
	prepare := as[participant.Preparer](t, p).Prepare
	must(t, prepare(ctx, newBranch("stock", nil)))
	if want := (seen{expires: 253402300799999}); got != want {
		t.Errorf("without a deadline: %+v", got)
	}
	deadline := time.Now().Add(time.Minute)
	bounded, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	must(t, prepare(bounded, newBranch("stock", nil)))
	if got.expires != deadline.UnixMilli() || got.deadline.IsZero() {
		t.Errorf("with one: %+v", got)
	}
}

// A service that hangs costs the time of the call, and the error is the context's.
func TestCalls_EndWithTheirContext(t *testing.T) {
	hang := func(ctx context.Context, _ *messages.Commit) (*messages.Acked, error) {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	p := newClient(t, "stock", serveStub(t, &stub{commit: hang}), nil)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	err := p.Commit(short, newBranch("stock", nil))
	var call *grpcbranch.CallError
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &call) || call.Final() || errors.Is(err, context.Canceled) {
		t.Errorf("a call that hangs: %v", err)
	}
	<-short.Done() // the service may have noticed first
	if err := p.Commit(short, newBranch("stock", nil)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call whose time was up before: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := p.Commit(gone, newBranch("stock", nil)); !errors.Is(err, context.Canceled) || status.Code(err) != codes.Canceled {
		t.Errorf("a call that was cancelled before: %v", err)
	}
}

// A client that takes a participant for what it is not begins no branch.
func TestKinds_AreChecked(t *testing.T) {
	conn := serve(t,
		&counter{effects: make(map[uuid.UUID]int)},
		twoPhaseOnly{newLedger(t, "two-phase", 1)},
		newLedger(t, "whole", 1))
	for _, c := range []struct {
		name string
		o    grpcbranch.Options
		fits bool
	}{
		{"counter", grpcbranch.Options{Kind: grpcbranch.OnePhase}, true},
		{"counter", grpcbranch.Options{Kind: grpcbranch.OnePhase, Recoverer: true}, false},
		{"counter", grpcbranch.Options{}, false},
		{"counter", grpcbranch.Options{Kind: grpcbranch.OnePhaseCommitter}, false},
		{"two-phase", grpcbranch.Options{}, true},
		{"two-phase", grpcbranch.Options{Recoverer: true}, false},
		{"two-phase", grpcbranch.Options{Kind: grpcbranch.OnePhase}, false},
		{"two-phase", grpcbranch.Options{Kind: grpcbranch.OnePhaseCommitter}, false},
		{"whole", *whole(), true},
		{"whole", grpcbranch.Options{}, true},
		{"whole", grpcbranch.Options{Kind: grpcbranch.OnePhase, Recoverer: true}, false},
	} {
		p := newClient(t, c.name, conn, &c.o)
		b := newBranch(c.name, take(0))
		begin := p.Commit
		if p, ok := participant.As[participant.Preparer](p); ok {
			begin = p.Prepare
		}
		if p, ok := participant.As[participant.OnePhaseCommitter](p); ok {
			begin = p.CommitOnePhase
		}
		err := begin(ctx, b)
		var kind *grpcbranch.KindError
		if (err == nil) != c.fits || !c.fits && !errors.As(err, &kind) {
			t.Errorf("%q as %s, recoverer %t: %v", c.name, c.o.Kind, c.o.Recoverer, err)
		}
		if err := p.Rollback(ctx, newBranch(c.name, nil)); err != nil {
			t.Errorf("%q as %s: Rollback, which needs no kind: %v", c.name, c.o.Kind, err)
		}
	}
}

func TestKinds_AreAskedUntilAnswered(t *testing.T) {
	s := &describing{stub: stub{prepare: func(_ context.Context, m *messages.Prepare) (*messages.Voted, error) { return m.Yes(), nil }}}
	p := newClient(t, "stock", serveStub(t, s), nil)
	prepare := func() error { return as[participant.Preparer](t, p).Prepare(ctx, newBranch("stock", nil)) }
	s.err = status.Error(codes.Unimplemented, "no such page") // of a proxy, say
	var call *grpcbranch.CallError
	if err := prepare(); !errors.As(err, &call) || call.Call != "Describe" || !call.Final() {
		t.Errorf("not answered: %v", err)
	}
	s.err, s.answer = nil, &participantpb.DescribeResponse{Participant: "money", Prepares: true}
	if err := prepare(); !isAnswerError(err) {
		t.Errorf("answered for another: %v", err)
	}
	s.answer = &participantpb.DescribeResponse{Participant: "stock", Prepares: true}
	must(t, prepare())
	s.err = status.Error(codes.Unimplemented, "no such page")
	must(t, prepare())
}

type describing struct {
	stub
	answer *participantpb.DescribeResponse
	err    error
}

func (d *describing) Describe(context.Context, *participantpb.DescribeRequest) (*participantpb.DescribeResponse, error) {
	return d.answer, d.err
}

// twoPhaseOnly is a Preparer and nothing more.
type twoPhaseOnly struct{ p participant.Preparer }

func (o twoPhaseOnly) Name() string { return o.p.Name() }
func (o twoPhaseOnly) Prepare(ctx context.Context, b participant.Branch) error {
	return o.p.Prepare(ctx, b)
}
func (o twoPhaseOnly) Commit(ctx context.Context, b participant.Branch) error {
	return o.p.Commit(ctx, b)
}
func (o twoPhaseOnly) Rollback(ctx context.Context, b participant.Branch) error {
	return o.p.Rollback(ctx, b)
}
