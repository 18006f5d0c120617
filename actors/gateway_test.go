package actors

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
)

type anybody struct{}

func (anybody) Name() string                                       { return "anybody" }
func (anybody) Commit(context.Context, participant.Branch) error   { return nil }
func (anybody) Rollback(context.Context, participant.Branch) error { return nil }

// While all calls that may run hang, the calls behind them come and expire, and
// leave nothing; those that have not expired wait on.
func TestGateway_ForgetsWhatExpires(t *testing.T) {
	env := &Env{Limits: Limits{MaxCalls: 1}}
	g := NewGatewayActor(env, NewGateway(anybody{})).(*gateway)
	g.running = 1
	now := time.Now()
	queue := func(n int, expires time.Time) {
		id := uuid.UUID{14: byte(n >> 8), 15: byte(n)}
		b := &branchCalls{id: id, running: &messages.Call{Expires: expires}}
		g.branches[id] = b
		g.begin(b)
	}
	const waiting = 10
	for n := range waiting {
		queue(n, now.Add(time.Hour))
	}
	for n := range 20_000 {
		queue(waiting+n, now.Add(-time.Second))
	}
	if g.queue.Len() > 200 || len(g.branches) != g.queue.Len() {
		t.Errorf("%d branches, %d in the queue", len(g.branches), g.queue.Len())
	}
	for n := range waiting {
		if g.branches[uuid.UUID{15: byte(n)}] == nil {
			t.Errorf("branch %d is forgotten", n)
		}
	}
}
