package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
)

// Transaction is the actor of one transaction. It feeds a protocol.Transaction
// with what it hears, and does what that says.
type Transaction struct {
	env    *Env
	handle *Handle
	tx     *protocol.Transaction

	id    uuid.UUID
	label string
	// written: the journal holds a record.
	written bool
	// verbose: somebody hears of steps in which nothing goes wrong.
	verbose bool
	began   time.Time
	timeout time.Duration
	parts   []part
	calls   []messages.Call // room for the next ones; see newCall
	// execute is what to enlist and commit at the start.
	execute *messages.AskCommit
	// resume says what to take up at the start.
	resume *Resumption

	waiters []waiter
	// asking is whoever waits for the answer to the request that is being handled.
	asking *messages.Reply[messages.Result]
	// failed: a handler panicked, and nothing is done any more but to save what the
	// next actor needs.
	failed bool
	// abandoned: the coordinator closes, and the transaction cannot be finished.
	abandoned bool
	// closed: no more messages come in, and the last call is on its way.
	closed   bool
	closings uint32 // how often that was so
	// left is what the supervisor is to know when the actor has stopped; nil if the
	// transaction has finished.
	left   *Left
	causes []messages.Cause
	// base is the number that the first call of a resumed transaction follows.
	base uint32
	// settled says what a person settled by hand, how and why.
	settled string
	// posted is enlistments to be taken when this actor begins, behind what it is
	// to take up.
	posted []messages.Enlistment
	// late is what a person wants settled that came too late for this actor.
	late    *messages.Settle
	events  []step
	busy    bool
	timer   timer
	self    *actor.PID
	context actor.Context // of the message that is being handled
	clock   time.Time     // see now
}

// part is what the actor, beside the protocol, knows of a branch.
type part struct {
	gateway     *Gateway // nil while the participant is not registered
	participant participant.Participant
	branch      participant.Branch // never changes: calls refer to it
	// expires is when an unanswered call is overdue; zero where none is.
	expires time.Time
	// retry is when the branch is to be told again; zero if it is not.
	retry    time.Time
	failures int
	op       protocol.Op // the last call
	err      error       // what the participant said to it
	replies  []*messages.Reply[messages.Result]
}

// waiter is a caller who waits for the outcome.
type waiter struct {
	reply *messages.Reply[messages.Result]
	// late names a participant that the caller counts on, and that came too late.
	late string
}

// step is an event for the protocol, and why it happened: the cause of the
// rollback, if that is what it leads to.
type step struct {
	event protocol.Event
	why   messages.Cause
}

// NewTransaction returns the actor of a transaction that begins now.
func NewTransaction(env *Env, h *Handle, b *messages.Begin) *Transaction {
	t := &Transaction{
		env:     env,
		handle:  h,
		tx:      protocol.New(env.Limits.MaxParticipants, b.Durable),
		id:      h.ID,
		label:   b.Label,
		verbose: env.Observer.Wants(),
		began:   time.Now(),
		timeout: b.Timeout,
	}
	t.timer.deadline = t.began.Add(b.Timeout)
	if b.Outcome != nil {
		t.execute = &messages.AskCommit{Enlistments: b.Execute, Reply: b.Outcome}
	}
	return t
}

// Receive implements actor.Actor.
func (t *Transaction) Receive(c actor.Context) {
	t.context, t.clock = c, time.Time{}
	if t.failed {
		t.save()
		return
	}
	switch m := c.Message().(type) {
	case *messages.Answer:
		t.answered(m)
	case *messages.Appended:
		t.appended(*m)
	case *messages.Enlist:
		t.enlist(m)
	case *messages.AskCommit:
		t.askCommit(m)
	case *messages.AskRollback:
		t.askRollback(m)
	case *messages.ReceiveTimeout:
		t.receiveTimeout(m)
	case *messages.Inspect:
		m.Reply.Send(t.detail())
	case *messages.Settle:
		t.settle(m)
	case *messages.Closing:
		t.close()
	case *messages.Leave:
		t.leave(m.Now)
	case lastCall:
		t.stop(m)
	case *actor.Started:
		t.started()
	case *actor.Stopping:
		t.timer.stop()
	}
	t.arm()
}

// now is when the message that is being handled is handled.
func (t *Transaction) now() time.Time {
	if t.clock.IsZero() {
		t.clock = time.Now()
	}
	return t.clock
}

func (t *Transaction) started() {
	t.self = t.context.Self()
	switch {
	case t.resume != nil:
		t.takeUp()
	case t.execute != nil:
		t.tellBegan()
		m := t.execute
		t.execute = nil
		t.askCommit(m)
	default:
		t.tellBegan()
	}
}

func (t *Transaction) tellBegan() {
	if t.verbose {
		t.emit(Event{Kind: EventBegan})
	}
}

// step feeds the protocol, and performs what it says. An event that comes up
// while actions are performed waits for its turn.
func (t *Transaction) step(e protocol.Event, why messages.Cause) {
	if t.busy {
		t.events = append(t.events, step{e, why})
		return
	}
	t.busy = true
	t.stepOne(step{e, why})
	for len(t.events) > 0 {
		next := t.events[0]
		t.events = t.events[:copy(t.events, t.events[1:])]
		t.stepOne(next)
	}
	t.busy = false
}

func (t *Transaction) stepOne(s step) {
	before := t.tx.State()
	actions := t.tx.Step(s.event)
	after := t.tx.State()
	if after != before {
		t.handle.SetState(after)
		if before.Outcome() != after.Outcome() && after.Outcome() != protocol.OutcomeCommitted {
			s.why.State = before
			t.addCause(s.why)
		}
	}
	for _, a := range actions {
		t.perform(a)
	}
}

// perform does what the protocol says. It is the only place where a
// transaction acts.
func (t *Transaction) perform(a protocol.Action) {
	switch a.Kind {
	case protocol.Enlisted:
		t.enlisted(a.Branch)
	case protocol.Force:
		t.force(a)
	case protocol.Call:
		t.call(a)
	case protocol.Retry:
		t.retry(a)
	case protocol.Decide:
		t.decided()
	case protocol.Wait:
		t.timer.wait = t.now().Add(t.env.Limits.ParticipantTimeout)
	case protocol.Answer:
		t.answerAll()
	case protocol.End:
		t.end()
	case protocol.Park:
		t.park()
	case protocol.RefuseFull, protocol.RefuseNotActive:
		// The protocol's answer to an enlistment, told where that was asked.
	}
}

// force has a record written that names every branch.
func (t *Transaction) force(a protocol.Action) {
	m := messages.Append{Force: true, Record: a.Record, Branches: a.Branches, From: t.handle}
	if !t.env.Log.Volatile() {
		m.Writes = []journal.Write{{Put: t.record(a.Record)}}
		t.written = true
	}
	if appended, known := t.env.Log.Append(m); known {
		t.appended(appended)
	}
}

// call asks a branch to do something. A call that supersedes one that has not
// returned has to wait for it, and is overdue when that is.
func (t *Transaction) call(a protocol.Action) {
	p := &t.parts[a.Branch]
	expires := t.now().Add(t.env.Limits.ParticipantTimeout)
	if t.tx.State() < protocol.Delegated && t.timer.deadline.Before(expires) {
		expires = t.timer.deadline
	}
	if p.expires.IsZero() {
		p.expires = expires
	}
	p.retry = time.Time{}
	if p.op != a.Op {
		p.op, p.err = a.Op, nil
	}
	if t.verbose {
		t.emit(Event{Kind: EventCalled, Participant: p.branch.Participant, Op: a.Op, Attempt: a.Attempt})
	}
	m := t.newCall()
	*m = messages.Call{
		Answer: messages.Answer{Op: a.Op, Index: a.Branch, Attempt: a.Attempt},
		Branch: &p.branch, Participant: p.participant, Expires: expires, From: t.handle,
	}
	if !t.mayCall(p.gateway) || !p.gateway.Send(m) {
		t.unreachable(a, p)
	}
}

// newCall returns room for a call. Two for each branch, which most transactions
// make, come in one piece.
func (t *Transaction) newCall() *messages.Call {
	if t.calls == nil {
		t.calls = make([]messages.Call, 2*len(t.parts))
	}
	if len(t.calls) == 0 {
		return new(messages.Call)
	}
	m := &t.calls[0]
	t.calls = t.calls[1:]
	return m
}

// mayCall tells whether a participant is to be called. A transaction that is
// taken up leaves those alone that are not well, unless it is to find out.
func (t *Transaction) mayCall(g *Gateway) bool {
	return g != nil && (t.resume == nil || t.resume.Probe || t.resume.Patient || g.Healthy())
}

// unreachable answers a call that could not be sent.
func (t *Transaction) unreachable(a protocol.Action, p *part) {
	err := ErrUnregistered
	if p.gateway != nil {
		err = ErrUnhealthy
	}
	p.expires, p.err = time.Time{}, err
	t.step(protocol.Event{Kind: protocol.Answered, Branch: a.Branch, Attempt: a.Attempt},
		messages.Cause{Participant: p.branch.Participant, Op: a.Op, Err: err})
}

func (t *Transaction) retry(a protocol.Action) {
	p := &t.parts[a.Branch]
	p.failures++
	wait := t.env.Limits.Retry.After(p.failures)
	p.retry = time.Now().Add(wait)
	op, attempt := t.tx.Op(a.Branch)
	t.emit(Event{
		Kind: EventRetry, Participant: p.branch.Participant, Op: op, Attempt: attempt,
		Duration: wait, Err: p.err,
	})
}

// decided makes the outcome known, unless it was before.
func (t *Transaction) decided() {
	if p := t.handle.Ending().Parked; p != nil && p.Waiting != nil || t.resume.decided() {
		return
	}
	outcome := t.tx.Outcome()
	if outcome == protocol.OutcomeCommitted && !t.verbose {
		return
	}
	e := Event{Kind: EventDecided, Outcome: outcome, Duration: time.Since(t.began)}
	if e.Outcome == protocol.OutcomeRolledBack && len(t.causes) > 0 {
		why := t.causes[0]
		e.Participant, e.Op, e.Err, e.Reason = why.Participant, why.Op, why.Err, Reason(why)
	}
	t.emit(e)
}

// emit tells the observer of a step of this transaction.
func (t *Transaction) emit(e Event) {
	e.Transaction, e.Label = t.id, t.label
	t.env.Observer.Emit(e)
}
