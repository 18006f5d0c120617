package actors

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
)

// errOverdue is what is said of a participant that does not answer in time.
var errOverdue = errors.New("dtc: no answer in time")

// Left is a transaction that has left memory unfinished.
type Left struct {
	// Record is set if the journal holds none: the supervisor keeps it instead.
	Record *journal.Record
	// Settle is a branch to settle by hand; nil for none.
	Settle *messages.Settle
	// Gone: the journal holds nothing to take up, as the transaction has finished
	// before.
	Gone bool
}

// Resumption is what a transaction actor starts from that does not begin.
type Resumption struct {
	// Record to go on from; nil: the journal's.
	Record *journal.Record
	// Unrecorded: the record is not in the journal.
	Unrecorded bool
	// Patient: wait for acknowledgements like a transaction that was never away.
	Patient bool
	// Probe: call participants that are not well, too.
	Probe bool
	// Settle is a branch to settle by hand first; nil for none.
	Settle *messages.Settle
}

// Resume returns the actor of a transaction that is taken up again.
func Resume(env *Env, h *Handle, r *Resumption) *Transaction {
	return &Transaction{
		env: env, handle: h, id: h.ID, verbose: env.Observer.Wants(), began: time.Now(), resume: r,
		settled: h.Ending().Heuristic,
		tx:      protocol.Recovered(protocol.NoRecord, nil, nil, false),
	}
}

// decided tells whether the journal has the decision already.
func (r *Resumption) decided() bool {
	return r != nil && !r.Unrecorded && (r.Record.Kind == journal.Commit || r.Record.Kind == journal.Rollback)
}

// takeUp goes on from the record.
func (t *Transaction) takeUp() {
	r := t.resume
	if r.Record == nil {
		record, ok, err := t.env.Log.Record(t.id)
		if err != nil || !ok {
			t.cannotTakeUp(err)
			return
		}
		r.Record = &record
	}
	kind := recordKind(r.Record.Kind)
	t.written = !r.Unrecorded
	t.began, t.label = r.Record.Began, r.Record.Label
	if t.settled == "" {
		t.settled = r.Record.Heuristic
	}
	t.recall(r, kind)
	t.emit(Event{Kind: EventResumed, Record: kind})
	t.timer.deadline = time.Time{}
	if t.tx.Outcome() == protocol.OutcomeRolledBack && len(t.causes) == 0 && t.handle.Ending().Cause == nil {
		t.addCause(messages.Cause{Err: errRecovered})
	}
	t.base = rand.Uint32() >> 1
	if m := r.Settle; m != nil {
		r.Settle = nil
		t.settle(m)
	}
	if !t.tx.Left() {
		t.step(protocol.Event{Kind: protocol.Resume, Attempt: t.base}, messages.Cause{Err: errRecovered})
	}
	for _, e := range t.posted {
		t.enlist(&messages.Enlist{Enlistment: e})
	}
	t.posted = nil
}

// errRecovered is why a transaction was rolled back that was not decided when
// its coordinator ended.
var errRecovered = errors.New("dtc: was not decided when the coordinator stopped")

// recall makes the protocol's transaction from the record. The parts may be
// there already, from an actor that failed.
func (t *Transaction) recall(r *Resumption, kind protocol.Record) {
	branches := make([]protocol.Branch, len(r.Record.Branches))
	pending := make([]bool, len(branches))
	old, foreign := t.parts, false
	t.parts = nil
	for i := range r.Record.Branches {
		b := &r.Record.Branches[i]
		pending[i] = b.Pending && t.isWaitedFor(b.Participant)
		foreign = foreign || pending[i] && t.handle.Foreign(b.Participant)
		branches[i] = protocol.Branch{Name: b.Participant, TwoPhase: b.TwoPhase}
		p := part{branch: t.branch(b.Participant, b.Payload)}
		for _, o := range old {
			if o.branch.Participant == b.Participant {
				p.participant = o.participant
			}
		}
		if p.gateway = t.env.Gateway(b.Participant); p.gateway != nil {
			branches[i] = p.gateway.Branch
		}
		t.parts = append(t.parts, p)
	}
	if r.Unrecorded && kind == protocol.RollbackRecord {
		kind = protocol.NoRecord
	}
	t.tx = protocol.Recovered(kind, branches, pending, r.Patient)
	if foreign {
		t.tx.Disown()
	}
	t.handle.SetState(t.tx.State())
}

// isWaitedFor tells whether a branch has not acknowledged as far as this process
// knows. The record, which is older, names every branch.
func (t *Transaction) isWaitedFor(participant string) bool {
	p := t.handle.Ending().Parked
	if p == nil || p.Waiting == nil {
		return true
	}
	return slices.ContainsFunc(p.Waiting, func(c messages.Cause) bool { return c.Participant == participant })
}

// cannotTakeUp stops an actor whose record is not to be had. With no error the
// transaction has finished meanwhile; with one, it is tried again later.
func (t *Transaction) cannotTakeUp(err error) {
	if err != nil {
		t.emit(Event{Kind: EventParked, Err: err})
	}
	t.left = &Left{Gone: err == nil}
	t.closeMailbox()
}

// end writes the end, if there is anything to end, and leaves.
func (t *Transaction) end() {
	outcome := t.tx.Outcome()
	finished, members := t.env.Retire(t.handle), t.members()
	if t.written {
		ended := &journal.Ended{
			Transaction: t.id, Outcome: journal.Committed, Finished: finished, Heuristic: t.settled, Members: members,
		}
		if outcome == protocol.OutcomeRolledBack {
			ended.Outcome = journal.RolledBack
		}
		t.env.Log.Append(messages.Append{Writes: []journal.Write{{End: ended}}})
	}
	if t.verbose {
		t.emit(Event{Kind: EventEnded, Outcome: outcome, Duration: finished.Sub(t.began)})
	}
	t.handle.SetEnding(Ending{
		Finished: finished, Heuristic: t.settled, Members: members, Late: t.lateNames(), Cause: t.timeoutCause(), Path: t.path(),
	})
	t.closeMailbox()
}

// lateNames names the branches that came too late.
func (t *Transaction) lateNames() (names []string) {
	for i := range t.parts {
		if t.tx.Stray(i) {
			names = append(names, t.parts[i].branch.Participant)
		}
	}
	return names
}

// timeoutCause is what is kept of the causes: the deadline that decided, if one
// did. It is small; a participant's error could be anything.
func (t *Transaction) timeoutCause() (kept *messages.Cause) {
	if t.tx.Outcome() != protocol.OutcomeRolledBack {
		return nil
	}
	for _, c := range t.causes {
		if c.Timeout > 0 && (kept == nil || c.Participant == "") {
			c.Err = nil
			kept = &c
		}
	}
	return kept
}

// park leaves a decided transaction to the journal.
func (t *Transaction) park() {
	if t.env.Log.Volatile() && !t.written {
		t.written = true
		t.env.Log.Append(messages.Append{Writes: []journal.Write{{Put: t.record(t.recordKind())}}})
	}
	waiting := t.unfinished()
	ending := t.handle.Ending()
	tries := 0
	if ending.Parked != nil {
		tries = ending.Parked.Tries + 1
	}
	ending.Parked = &Parked{Waiting: waiting, Tries: tries}
	ending.Heuristic, ending.Late, ending.Path = t.settled, t.lateNames(), t.path()
	if ending.Cause == nil {
		ending.Cause = t.timeoutCause()
	}
	t.handle.SetEnding(ending)
	e := Event{Kind: EventParked, Outcome: t.tx.Outcome()}
	if len(waiting) > 0 {
		e.Participant, e.Op, e.Err, e.Reason = waiting[0].Participant, waiting[0].Op, waiting[0].Err, Reason(waiting[0])
	}
	t.emit(e)
	t.closeMailbox()
}

// path is how the transaction is committed, also where it was asked to before it
// was taken up.
func (t *Transaction) path() protocol.Path {
	if p := t.tx.Path(); p != protocol.NoPath {
		return p
	}
	return t.handle.Ending().Path
}

// closeMailbox lets no more messages in, and sends the last one behind those
// that are there.
func (t *Transaction) closeMailbox() {
	t.handle.Release()
	t.handle.Close()
	t.timer.stop()
	t.closed = true
	t.closings++
	t.context.Send(t.self, lastCall{t.closings})
}

// reopen lets messages in again: an enlistment that the application was told of
// came behind the end, and its branch is to be rolled back like any other. The
// transaction holds no slot any more.
func (t *Transaction) reopen() {
	t.handle.Open(t.context.ActorSystem().Root, func() *actor.PID { return t.self })
	t.timer.restart()
	t.closed = false
}

// closeAgain is for when the enlistment made no difference.
func (t *Transaction) closeAgain() {
	if !t.closed && t.tx.Left() {
		t.closeMailbox()
	}
}

// stop ends the actor, unless something that came before the last call has
// given it new work. Whoever is still to be answered is.
func (t *Transaction) stop(m lastCall) {
	if m.closing != t.closings || !t.closed {
		return
	}
	if !t.abandoned && t.tx.Len() > 0 && !t.finished() {
		t.left = &Left{Settle: t.late}
		t.late = nil
		if !t.written {
			t.left.Record = t.record(t.recordKind())
		}
	}
	t.answerWaiters(t.parting())
	t.failEnlistments(nil)
	t.refuseSettle()
	t.context.Stop(t.self)
}

// parting is the answer to whoever asked too late to get another one.
func (t *Transaction) parting() messages.Result {
	r := t.result()
	if r.Outcome != protocol.OutcomeCommitted && r.Outcome != protocol.OutcomeRolledBack {
		r.Outcome = protocol.Unknown
		r.Causes = append(r.Causes, messages.Cause{Err: ErrClosed})
	}
	return r
}

// Left returns what is to become of a transaction whose actor has stopped; nil if
// it has finished, or is left to the journal.
func (t *Transaction) Left() *Left { return t.left }

func (t *Transaction) finished() bool {
	s := t.tx.State()
	return s == protocol.Committed || s == protocol.RolledBack
}
