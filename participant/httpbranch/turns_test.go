package httpbranch_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// TestTurns: calls of one branch come one at a time, those of others beside them, and
// whoever has gone gives its turn up.
func TestTurns(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var inside atomic.Int64
	var once sync.Once
	first := stockBranch(1)
	h := httpbranch.Handler(funcs(func(_ context.Context, b participant.Branch) error {
		if b.Transaction == first.Transaction {
			if inside.Add(1) != 1 {
				t.Error("two at a time")
			}
			once.Do(func() { close(entered) })
			<-leave
			inside.Add(-1)
		}
		return nil
	}), nil)
	p := connect(t, "stock", serve(t, h).URL, nil)
	var all sync.WaitGroup
	all.Go(func() { check(t, p.Commit(background, first)) })
	<-entered
	must(t, p.Commit(background, stockBranch(1)))
	if err := p.Rollback(soon(t), first); err == nil {
		t.Error("answered before its turn")
	}
	for range 10 {
		all.Go(func() { check(t, p.Rollback(background, first)) })
	}
	close(leave)
	all.Wait()
}

// single needs its calls one at a time.
type single struct {
	funcs
	inside *atomic.Int64
}

func (single) NonBlocking() {}
func (s single) Commit(context.Context, participant.Branch) error {
	defer s.inside.Add(-1)
	if s.inside.Add(1) != 1 {
		return errors.New("two at a time")
	}
	for range 1000 {
		runtime.Gosched()
	}
	return nil
}

func TestNonBlocking(t *testing.T) {
	p := connect(t, "stock", serve(t, httpbranch.Handler(single{done, new(atomic.Int64)}, nil)).URL, nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { check(t, p.Commit(background, stockBranch(1))) })
	}
	all.Wait()
}

// TestCallerGoes: a call's context ends when its caller has gone, and then the branch
// is free for the next.
func TestCallerGoes(t *testing.T) {
	entered := make(chan context.Context)
	eachWay(t, httpbranch.Handler(funcs(func(ctx context.Context, _ participant.Branch) error {
		entered <- ctx
		<-ctx.Done()
		return nil
	}), nil), httpbranch.Options{}, func(t *testing.T, p participant.Participant) {
		b := stockBranch(1)
		for range 2 {
			ctx, cancel := context.WithCancel(background)
			result := make(chan error)
			go func() { result <- p.Commit(ctx, b) }()
			there := <-entered
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			<-there.Done()
		}
	})
}
