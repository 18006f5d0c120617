package actors

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
)

// Gateway is what the process holds of one participant: how to reach it, and
// how it fares. It may be used from everywhere.
type Gateway struct {
	Ref
	// Branch is what the protocol needs to know of the participant's branches.
	Branch protocol.Branch
	// Full is set while so many transactions wait for the participant that it is
	// to take part in no more.
	Full atomic.Bool

	health Health

	mu       sync.Mutex
	current  participant.Participant
	canceled context.Context
	cancel   context.CancelFunc
}

// NewGateway returns the gateway of p, not open yet.
func NewGateway(p participant.Participant) *Gateway {
	g := &Gateway{Branch: Describe(p), current: p}
	g.health.name = g.Branch.Name
	g.canceled, g.cancel = context.WithCancel(context.Background())
	return g
}

// Describe returns what the protocol needs to know of p's branches.
func Describe(p participant.Participant) protocol.Branch {
	_, twoPhase := participant.As[participant.Preparer](p)
	_, recoverable := participant.As[participant.Recoverer](p)
	_, delegable := participant.As[participant.OnePhaseCommitter](p)
	return protocol.Branch{
		Name:        p.Name(),
		TwoPhase:    twoPhase,
		Recoverable: recoverable && twoPhase,
		Delegable:   delegable,
	}
}

// Participant returns the value that is registered.
func (g *Gateway) Participant() participant.Participant {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current
}

// Replace registers another value of the same name and kind.
func (g *Gateway) Replace(p participant.Participant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.current = p
}

// Health returns how the participant fares.
func (g *Gateway) Health() HealthReport { return g.health.report() }

// Context ends when the coordinator closes.
func (g *Gateway) Context() context.Context { return g.canceled }

// Shut cancels the calls under way and lets no more messages through.
func (g *Gateway) Shut() {
	g.cancel()
	g.Close()
}

// gateway is the actor behind a Gateway. It keeps the calls of each branch in
// order and one at a time, whatever becomes of the transactions that asked for
// them.
//
// A call that blocks runs on a goroutine of its own, at most limit of them; a
// call of a NonBlocking participant runs here. The messages for a participant
// that is an actor itself go to that actor.
type gateway struct {
	*Gateway
	env      *Env
	limit    int
	running  int
	branches map[uuid.UUID]*branchCalls
	// queue holds branches whose next call waits for others to return.
	queue Waiting[*branchCalls]
	kept  keptAnswers
	wire  wire
}

// branchCalls is the calls of one branch: one that runs, and one that waits for
// it to return. A branch is here only while it has calls.
type branchCalls struct {
	id      uuid.UUID
	running *messages.Call
	begun   bool // running has really begun
	waiting *messages.Call
}

// returned says that a call that blocked has returned.
type returned struct {
	calls  *branchCalls
	result protocol.Result
	err    error
	took   time.Duration
}

// NewGatewayActor returns the actor behind g.
func NewGatewayActor(env *Env, g *Gateway) actor.Actor {
	return &gateway{
		Gateway:  g,
		env:      env,
		limit:    env.Limits.MaxCalls,
		branches: make(map[uuid.UUID]*branchCalls),
	}
}

// Receive implements actor.Actor.
func (g *gateway) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *messages.Call:
		g.call(c, m)
	case *returned:
		g.returned(m)
	case *messages.Voted:
		g.voted(m)
	case *messages.Acked:
		g.acked(m)
	case *messages.Inquire:
		// The supervisor knows; its answer goes to whoever asked.
		if pid := g.env.Supervisor.PID(); pid != nil {
			c.Forward(pid)
		}
	case lastCall:
		c.Stop(c.Self())
	}
}

func (g *gateway) call(c actor.Context, m *messages.Call) {
	p := m.Participant
	if p == nil {
		p = g.Participant()
		m.Participant = p
	}
	if result, ok := g.kept.take(m.Branch.Transaction, m.Op); ok {
		g.answer(m, result, nil, 0)
		return
	}
	if pid, ok := actorOf(p); ok {
		g.forward(c, pid, m)
		return
	}
	if _, ok := participant.As[participant.NonBlocking](p); ok {
		// Its time is not taken: a clock would take longer than many such a call.
		result, err := invoke(g.canceled, p, m)
		g.answer(m, result, err, 0)
		return
	}
	b := g.branches[m.Branch.Transaction]
	switch {
	case b == nil:
		b = &branchCalls{id: m.Branch.Transaction, running: m}
		g.branches[b.id] = b
		g.begin(b)
	case b.running.Op == m.Op, !b.begun:
		// The same again: its answer is the answer to this one too. Or what the
		// participant has not heard of yet is not to be done any more.
		b.running, b.waiting = m, nil
	default:
		b.waiting = m
	}
}

// begin starts the branch's call, or has it wait until another one returns.
func (g *gateway) begin(b *branchCalls) {
	if g.running >= g.limit {
		g.queueUp(b)
		return
	}
	g.running++
	b.begun = true
	go g.run(b, b.running)
}

// queueUp has a branch wait. Calls that nobody waits for any more are dropped:
// their transactions have left memory, and call again when they are taken up. So
// a participant that hangs holds nothing.
func (g *gateway) queueUp(b *branchCalls) {
	g.queue.Add(b, func(b *branchCalls) bool {
		expired := time.Now().After(b.running.Expires)
		if expired {
			delete(g.branches, b.id)
		}
		return expired
	})
}

// run makes one call that may block. It always reports back, also when the
// participant ends the goroutine.
func (g *gateway) run(b *branchCalls, m *messages.Call) {
	r := &returned{calls: b, err: errGoexit}
	start := time.Now()
	defer func() {
		r.took = time.Since(start)
		g.Send(r)
	}()
	if m.Op == protocol.Prepare && !start.Before(m.Expires) {
		r.err = context.DeadlineExceeded
		return
	}
	ctx, cancel := context.WithDeadline(g.canceled, m.Expires)
	defer cancel()
	r.result, r.err = invoke(ctx, m.Participant, m)
}

func (g *gateway) returned(r *returned) {
	g.running--
	b := r.calls
	// Last, as a listener that hears of it may end this goroutine.
	defer g.passOn(b.running, r)
	b.running, b.begun, b.waiting = b.waiting, false, nil
	if b.running == nil {
		delete(g.branches, b.id)
	} else {
		g.queueUp(b)
	}
	for g.running < g.limit && g.queue.Len() > 0 {
		g.begin(g.queue.Next())
	}
}

// passOn answers a call that has returned.
func (g *gateway) passOn(m *messages.Call, r *returned) {
	heard := g.answer(m, r.result, r.err, r.took)
	if !heard || time.Now().After(m.Expires) {
		// Whoever asked has gone, or has given the call up.
		g.kept.keep(r.calls.id, m.Op, r.result)
	}
}

// answer tells whoever asked how the call ended; false means that nobody is
// there to hear it.
func (g *gateway) answer(m *messages.Call, result protocol.Result, err error, took time.Duration) bool {
	g.health.note(g.env, m.Op, result, err, took)
	m.Result, m.Err, m.Took = result, err, took
	return m.From.Send(&m.Answer)
}
