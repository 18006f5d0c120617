package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
)

// served is the actor in front of one served participant. It keeps the calls of
// each branch in order and one at a time. Calls run on goroutines of their own, at
// most limit of them: one for a NonBlocking participant, else Config.MaxCalls.
type served struct {
	node        *Node
	participant participant.Participant
	name        string
	limit       int
	running     int
	branches    map[participant.Key]*branchCalls
	// queue holds branches whose call waits for those of others to return.
	queue []*branchCalls
}

// branchCalls is the calls of one branch: one that runs, and one that waits for it
// to return. A branch is here only while it has calls.
type branchCalls struct {
	running call
	begun   bool // running has really begun
	waiting *call
}

// call is one call of the participant, and who wants to know how it ends.
type call struct {
	question question
	branch   participant.Branch
	from     *actor.PID
}

// returned says that a call has returned.
type returned struct {
	calls *branchCalls
	err   error
}

func newServed(n *Node, p participant.Participant) *served {
	limit := n.config.MaxCalls
	if _, ok := participant.As[participant.NonBlocking](p); ok {
		limit = 1
	}
	return &served{
		node: n, participant: p, name: p.Name(), limit: limit,
		branches: make(map[participant.Key]*branchCalls),
	}
}

// Receive implements actor.Actor.
func (s *served) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case question:
		branch, err := branchOf(m)
		if err == nil && expired(m) {
			err = errExpired
		}
		if err != nil {
			s.node.reply(c.Sender(), answer(m, err))
			return
		}
		s.take(c.Self(), call{question: m, branch: branch, from: c.Sender()})
	case *returned:
		s.returned(c.Self(), m)
	}
}

// take has a call made, now or when it is its turn.
//
// Messages may come late, so a Prepare never takes the place of a decision: it is
// from before, and nobody waits for its vote.
func (s *served) take(self *actor.PID, m call) {
	key := m.branch.Key()
	b := s.branches[key]
	switch {
	case b == nil && s.running >= s.limit && len(s.queue) >= s.node.config.MaxWaiting:
		s.node.reply(m.from, answer(m.question, errBusy(s.name, s.node.config.MaxWaiting)))
	case b == nil:
		b = &branchCalls{running: m}
		s.branches[key] = b
		s.begin(self, b)
	case sameKind(b.running.question, m.question):
		b.running = m // it is answered when the first one returns
	case isPrepare(m.question):
	case !b.begun:
		b.running = m // what the participant has not heard of is not to be done any more
	default:
		b.waiting = &m
	}
}

// begin starts the branch's call, or has it wait until another one returns.
func (s *served) begin(self *actor.PID, b *branchCalls) {
	if s.running >= s.limit {
		s.queue = append(s.queue, b)
		return
	}
	s.running++
	b.begun = true
	m := b.running
	s.node.running.Go(func() { s.run(self, b, m) })
}

// errGoexit says that a participant ended the goroutine it was called on.
var errGoexit = errors.New("participant ended the goroutine of its call")

// run makes one call that may block. It always reports back, also when the
// participant ends the goroutine.
func (s *served) run(self *actor.PID, b *branchCalls, m call) {
	r := &returned{calls: b, err: errGoexit}
	defer func() { s.node.system.Root.Send(self, r) }()
	ends := time.Now().Add(s.node.config.CallTimeout)
	if p, ok := m.question.(*messages.Prepare); ok {
		if expires := time.UnixMilli(p.GetExpiresUnixMs()); expires.Before(ends) {
			ends = expires
		}
	}
	ctx, cancel := context.WithDeadline(s.node.closed, ends)
	defer cancel()
	if expired(m.question) {
		r.err = errExpired
		return
	}
	r.err = s.invoke(ctx, m)
}

// invoke makes the call, and turns a panic into an error. The error wraps nothing:
// what a participant panics with is not what it answers.
func (s *served) invoke(ctx context.Context, m call) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("participant panicked: %v", v)
			s.node.system.Logger().Error("dtc: "+err.Error(),
				slog.String("participant", s.name), slog.String("stack", string(debug.Stack())))
		}
	}()
	switch m.question.(type) {
	case *messages.Prepare:
		if p, ok := participant.As[participant.Preparer](s.participant); ok {
			return p.Prepare(ctx, m.branch)
		}
	case *messages.Commit:
		return s.participant.Commit(ctx, m.branch)
	case *messages.Rollback:
		return s.participant.Rollback(ctx, m.branch)
	}
	return fmt.Errorf("participant %q cannot do what %T asks", s.name, m.question)
}

// returned answers the call, and begins what has waited for it.
func (s *served) returned(self *actor.PID, r *returned) {
	s.running--
	b := r.calls
	s.node.reply(b.running.from, answer(b.running.question, r.err))
	if b.waiting == nil {
		delete(s.branches, b.running.branch.Key())
	} else {
		b.running, b.begun, b.waiting = *b.waiting, false, nil
		s.queue = append(s.queue, b)
	}
	for s.running < s.limit && len(s.queue) > 0 {
		next := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.begin(self, next)
	}
}
