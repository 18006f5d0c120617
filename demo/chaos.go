package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed-d36415c0/dtc/participant"
)

// What chaos has services say.
var (
	errChaos      = errors.New("chaos: refused")
	errChaosPanic = errors.New("chaos: panic")
)

// chaos stands between a service and the coordinator and does what networks,
// disks and programming errors do: it refuses calls, loses answers, is slow,
// hangs, and panics. The service behind it is sound.
type chaos struct {
	participant.Preparer
	odds odds
}

// Unwrap implements participant.Wrapper: what the service can do beside the three
// calls, chaos leaves alone.
func (c *chaos) Unwrap() participant.Participant { return c.Preparer }

// odds are how often in a thousand what befalls a call.
type odds struct {
	refuse map[call]int // an error before anything is done
	lose   int          // an error after everything is done
	panics int          // half of them before, half of them after
	hang   int          // half of them then do it all the same, late
	slow   int
}

// call is one of a participant's calls.
type call string

const (
	prepare  call = "prepare"
	commit   call = "commit"
	rollback call = "rollback"
)

func defaultOdds() odds {
	return odds{
		refuse: map[call]int{prepare: 20, commit: 30, rollback: 200},
		lose:   10, panics: 10, hang: 2, slow: 30,
	}
}

// slowest is how long a slow call takes at most.
const slowest = 50 * time.Millisecond

// Prepare implements participant.Preparer.
func (c *chaos) Prepare(ctx context.Context, b participant.Branch) error {
	return c.do(ctx, prepare, b, c.Preparer.Prepare)
}

// Commit implements participant.Participant.
func (c *chaos) Commit(ctx context.Context, b participant.Branch) error {
	return c.do(ctx, commit, b, c.Preparer.Commit)
}

// Rollback implements participant.Participant.
func (c *chaos) Rollback(ctx context.Context, b participant.Branch) error {
	return c.do(ctx, rollback, b, c.Preparer.Rollback)
}

// do makes the call, or whatever the dice say.
func (c *chaos) do(ctx context.Context, what call, b participant.Branch, do func(context.Context, participant.Branch) error) error {
	dice := rand.IntN(1000)
	falls := func(odds int) bool {
		dice -= odds
		return dice < 0
	}
	switch o := c.odds; {
	case falls(o.refuse[what]):
		return fmt.Errorf("%w to %s", errChaos, what)
	case falls(o.lose):
		return errors.Join(do(ctx, b), fmt.Errorf("%w: the answer to %s is lost", errChaos, what))
	case falls(o.panics):
		if dice%2 == 0 {
			_ = do(ctx, b)
		}
		panic(errChaosPanic)
	case falls(o.hang):
		<-ctx.Done()
		if dice%2 == 0 {
			return do(context.WithoutCancel(ctx), b)
		}
		return ctx.Err()
	case falls(o.slow):
		select {
		case <-time.After(rand.N(slowest)):
		case <-ctx.Done():
		}
	}
	return do(ctx, b)
}
