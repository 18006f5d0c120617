package grpcbranch_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
)

// Calls of one branch wait for each other, and those of others do not.
func TestService_OneCallOfABranchAtATime(t *testing.T) {
	const calls = 50
	entered, release := make(chan struct{}, calls), make(chan struct{})
	var running, most atomic.Int32
	slow := func(context.Context, participant.Branch) error {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		entered <- struct{}{}
		<-release
		running.Add(-1)
		return nil
	}
	p := newClient(t, "stock", serve(t, &script{name: "stock", prepare: slow, commit: slow, rollback: fine}), nil)
	b := newBranch("stock", nil)
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			call := p.Commit
			if i%2 == 0 {
				call = as[participant.Preparer](t, p).Prepare
			}
			if err := call(ctx, b); err != nil {
				t.Error(err)
			}
		})
	}
	<-entered
	must(t, p.Rollback(ctx, newBranch("stock", nil))) // another branch is not held up
	close(release)
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d calls of the branch at a time", most.Load())
	}
}

// The caller goes away, and the call goes on: the branch's next one waits for it.
func TestService_CallerGone(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var log []string // guarded by the order of the branch's calls
	stubborn := func(context.Context, participant.Branch) error {
		close(entered)
		<-release // whatever the context says
		log = append(log, "prepared")
		return nil
	}
	p := newClient(t, "stock", serve(t, &script{name: "stock", prepare: stubborn, rollback: func(context.Context, participant.Branch) error {
		log = append(log, "rolled back")
		return nil
	}}), nil)
	b := newBranch("stock", nil)
	short, cancel := context.WithCancel(ctx)
	prepared := make(chan error)
	go func() { prepared <- as[participant.Preparer](t, p).Prepare(short, b) }()
	<-entered
	cancel()
	if err := <-prepared; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that went away: %v", err)
	}
	impatient, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := p.Rollback(impatient, b); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Rollback while the Prepare is under way: %v", err)
	}
	rolledBack := make(chan error)
	go func() { rolledBack <- p.Rollback(ctx, b) }()
	close(release)
	must(t, <-rolledBack)
	// The impatient one may have got there too, before the service heard of its end.
	if got := strings.TrimSuffix(strings.Join(log, ", "), ", rolled back"); got != "prepared, rolled back" && got != "prepared" {
		t.Errorf("the participant was called: %s", got)
	}
}

// A Prepare that waited for its branch until its time was up is not made.
func TestService_ExpiresWhileWaiting(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var prepares atomic.Int32
	s := participantpb.NewParticipantServiceClient(serve(t, &script{
		name:    "stock",
		prepare: func(context.Context, participant.Branch) error { prepares.Add(1); return nil },
		rollback: func(context.Context, participant.Branch) error {
			close(entered)
			<-release
			return nil
		},
	}))
	b := newBranch("stock", nil)
	branch := &messages.Branch{Transaction: b.Transaction[:], Participant: "stock"}
	rolledBack := make(chan error)
	go func() {
		_, err := s.Rollback(ctx, &messages.Rollback{Branch: branch})
		rolledBack <- err
	}()
	<-entered
	soon := time.Now().Add(30 * time.Millisecond)
	voted := make(chan *messages.Voted)
	go func() {
		v, err := s.Prepare(ctx, &messages.Prepare{Branch: branch, ExpiresUnixMs: soon.UnixMilli()})
		if err != nil {
			t.Error(err)
		}
		voted <- v
	}()
	eventually(t, "the Prepare's time is up", func() bool { return time.Now().After(soon.Add(2 * time.Millisecond)) })
	close(release)
	must(t, <-rolledBack)
	if v := <-voted; v.GetVote() != messages.Vote_VOTE_NO || prepares.Load() != 0 {
		t.Errorf("%v after %d Prepares", v, prepares.Load())
	}
}

// What the participant says when the call's time is up is not taken for a refusal, and
// a call whose time ran out before its turn came is not made.
func TestService_TimeIsUp(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var rollbacks atomic.Int32
	quick := quickScript{&script{
		name: "quick",
		prepare: func(ctx context.Context, _ participant.Branch) error {
			<-ctx.Done()
			return errors.New("interrupted")
		},
		commit: func(context.Context, participant.Branch) error {
			close(entered)
			<-release
			return nil
		},
		rollback: func(context.Context, participant.Branch) error {
			rollbacks.Add(1)
			return nil
		},
	}}
	// The service's clock runs ahead: it gives calls less time than the caller does.
	hasten := func(ctx context.Context, m any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if info.FullMethod != participantpb.ParticipantService_Prepare_FullMethodName &&
			info.FullMethod != participantpb.ParticipantService_Rollback_FullMethodName {
			return handler(ctx, m)
		}
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		return handler(short, m)
	}
	addr, _ := listen(t, func(s *grpc.Server) error { return grpcbranch.Register(s, nil, quick) }, grpc.UnaryInterceptor(hasten))
	p := newClient(t, "quick", dial(t, addr), nil)
	var call *grpcbranch.CallError
	err := as[participant.Preparer](t, p).Prepare(ctx, newBranch("quick", nil))
	if !errors.As(err, &call) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a Prepare that was interrupted: %v", err)
	}
	committed, rolledBack := make(chan error), make(chan error)
	go func() { committed <- p.Commit(ctx, newBranch("quick", nil)) }()
	<-entered
	go func() { rolledBack <- p.Rollback(ctx, newBranch("quick", nil)) }()
	select {
	case err := <-rolledBack: // although the participant is still busy
		if !errors.Is(err, context.DeadlineExceeded) || rollbacks.Load() != 0 {
			t.Errorf("a Rollback whose turn did not come in time: %v, after %d calls", err, rollbacks.Load())
		}
	case <-time.After(30 * time.Second):
		t.Error("a Rollback waits for its turn when its time is up")
	}
	close(release)
	must(t, <-committed)
}
