package actors

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
)

// enlist takes an enlistment, or refuses it. A posted one can no longer be
// refused: whatever is wrong with it rolls the transaction back.
func (t *Transaction) enlist(m *messages.Enlist) {
	posted := m.Reply == nil
	if !posted && !m.Reply.Claim() {
		return
	}
	t.asking = m.Reply
	if posted && t.closed && !t.abandoned {
		t.reopen()
		defer t.closeAgain()
	}
	refused := t.tryEnlist(m.Enlistment, posted)
	switch {
	case refused != messages.NotRefused && posted:
		t.step(protocol.Event{Kind: protocol.AskRollback}, messages.Cause{
			Participant: m.Branch.Name, Err: ErrAlreadyEnlisted,
		})
	case refused != messages.NotRefused:
		r := t.result()
		r.Refused, r.Participant = refused, m.Branch.Name
		t.reply(r)
	case !posted:
		i := t.tx.Index(m.Branch.Name)
		if t.tx.Pending(i) {
			t.parts[i].replies = append(t.parts[i].replies, m.Reply)
			t.asking = nil
			return
		}
		t.reply(messages.Result{Transaction: t.id})
	}
}

// reply answers the request that is being handled, if it wants an answer.
func (t *Transaction) reply(r messages.Result) {
	if to := t.asking; to != nil {
		t.asking = nil
		to.Send(r)
	}
}

// tryEnlist adds a branch, or says why not.
func (t *Transaction) tryEnlist(e messages.Enlistment, posted bool) messages.Refusal {
	if i := t.tx.Index(e.Branch.Name); i >= 0 {
		switch {
		case !bytes.Equal(t.parts[i].branch.Payload, e.Payload):
			return messages.RefusedConflict
		case !posted && (t.tx.Stray(i) || t.tx.Outcome() != protocol.Undecided):
			return messages.RefusedNotActive
		}
		return messages.NotRefused
	}
	before := t.tx.Len()
	if !posted {
		switch {
		case t.tx.State() != protocol.Active:
			return messages.RefusedNotActive
		case before >= t.env.Limits.MaxParticipants:
			return messages.RefusedFull
		}
	}
	t.addPart(e)
	t.step(protocol.Event{Kind: protocol.Enlist, Enlist: e.Branch, Posted: posted},
		messages.Cause{Participant: e.Branch.Name, Err: errLate})
	if t.tx.Len() == before {
		t.parts = t.parts[:before]
	}
	return messages.NotRefused
}

// errLate is why a transaction is rolled back that could not take a branch any
// more which the application had been told is enlisted.
var errLate = errors.New("dtc: enlisted too late, or one too many")

// usualParts is how many branches a transaction has room for from the start.
const usualParts = 3

func (t *Transaction) addPart(e messages.Enlistment) {
	gateway, _ := e.Gateway.(*Gateway)
	if t.parts == nil {
		t.parts = make([]part, 0, min(usualParts, t.env.Limits.MaxParticipants))
	}
	t.parts = append(t.parts, part{
		gateway:     gateway,
		participant: e.Participant,
		branch:      t.branch(e.Branch.Name, e.Payload),
	})
}

// branch is what a participant is told of its part in the transaction.
func (t *Transaction) branch(name string, payload []byte) participant.Branch {
	return participant.Branch{
		Coordinator: t.env.Limits.Coordinator, Transaction: t.id, Participant: name, Payload: payload,
	}
}

// enlisted tells that a branch is enlisted.
func (t *Transaction) enlisted(i int) {
	p := &t.parts[i]
	for _, r := range p.replies {
		r.Send(messages.Result{Transaction: t.id})
	}
	p.replies = nil
	if t.verbose {
		t.emit(Event{Kind: EventEnlisted, Participant: p.branch.Participant})
	}
}

// askCommit enlists what is missing of what the caller counts on, and starts to
// commit.
func (t *Transaction) askCommit(m *messages.AskCommit) {
	t.waiters = append(t.waiters, waiter{reply: m.Reply})
	w := &t.waiters[len(t.waiters)-1]
	for _, e := range m.Enlistments {
		switch refused := t.tryEnlist(e, false); {
		case refused == messages.NotRefused:
		case t.tx.State() == protocol.Active:
			t.step(protocol.Event{Kind: protocol.AskRollback}, messages.Cause{
				Participant: e.Branch.Name, Err: refusalError(refused),
			})
		case t.missing(e):
			w.late = e.Branch.Name
		}
	}
	if t.verbose {
		t.emit(Event{Kind: EventCommitAsked})
	}
	t.step(protocol.Event{Kind: protocol.AskCommit}, messages.Cause{})
	t.answerIfKnown()
}

func refusalError(r messages.Refusal) error {
	if r == messages.RefusedConflict {
		return ErrAlreadyEnlisted
	}
	return errLate
}

// missing tells whether an enlistment is no part of the transaction.
func (t *Transaction) missing(e messages.Enlistment) bool {
	i := t.tx.Index(e.Branch.Name)
	return i < 0 || t.tx.Stray(i) || !bytes.Equal(t.parts[i].branch.Payload, e.Payload)
}

func (t *Transaction) askRollback(m *messages.AskRollback) {
	t.waiters = append(t.waiters, waiter{reply: m.Reply})
	t.step(protocol.Event{Kind: protocol.AskRollback}, messages.Cause{Err: ErrRequested})
	t.answerIfKnown()
}

// answerIfKnown answers those who ask when the others have been told already.
func (t *Transaction) answerIfKnown() {
	if t.tx.Answered() {
		t.answerWaiters(t.result())
	}
}

// answerAll tells whoever waits how it stands. The slot is given back before,
// so that a caller who has his answer finds it free.
func (t *Transaction) answerAll() {
	if t.tx.Left() {
		t.handle.Release()
	}
	r := t.result()
	if r.Outcome == protocol.Unknown {
		t.emit(Event{Kind: EventDoubt, Err: doubt(r)})
	}
	t.answerWaiters(r)
}

func (t *Transaction) answerWaiters(r messages.Result) {
	for len(t.waiters) > 0 {
		last := len(t.waiters) - 1
		w := t.waiters[last]
		t.waiters = t.waiters[:last]
		t.answer(w, r)
	}
}

func doubt(r messages.Result) error {
	if len(r.Causes) == 0 {
		return nil
	}
	return r.Causes[0].Err
}

func (t *Transaction) answer(w waiter, r messages.Result) {
	if w.reply == nil {
		return
	}
	if w.late != "" {
		r.Refused, r.Participant = messages.RefusedNotActive, w.late
	}
	w.reply.Send(r)
}

// result is what a caller is told.
func (t *Transaction) result() messages.Result {
	r := messages.Result{Transaction: t.id, Outcome: t.tx.Outcome()}
	if r.Outcome == protocol.OutcomeCommitted {
		return r
	}
	r.Causes = slices.Clone(t.causes)
	if r.Outcome == protocol.OutcomeRolledBack {
		r.Unacknowledged = t.unfinished()
	}
	return r
}

// unfinished names the branches that have not acknowledged, and why.
func (t *Transaction) unfinished() (list []messages.Cause) {
	for i := range t.parts {
		if !t.tx.Unfinished(i) {
			continue
		}
		op, _ := t.tx.Op(i)
		c := messages.Cause{Participant: t.parts[i].branch.Participant, Op: op, Err: t.parts[i].err}
		switch {
		case c.Err != nil:
		case t.tx.Waiting(i):
			c.Err = errUnanswered
		default:
			c.Timeout = t.env.Limits.ParticipantTimeout
		}
		list = append(list, c)
	}
	return list
}

// errUnanswered is why a branch is waited for whose call is still under way, or
// waits for one before it to return.
var errUnanswered = errors.New("dtc: has not answered yet")

// addCause adds a reason for the rollback, one per participant.
func (t *Transaction) addCause(c messages.Cause) {
	same := func(o messages.Cause) bool { return o.Participant == c.Participant }
	if !slices.ContainsFunc(t.causes, same) {
		t.causes = append(t.causes, c)
	}
}

// detail tells everything about the transaction.
func (t *Transaction) detail() messages.Detail {
	d := messages.Detail{
		ID: t.id, Label: t.label, State: t.tx.State(), Path: t.path(),
		Began: t.began, Heuristic: t.settled,
	}
	if d.State < protocol.Delegated && t.resume == nil {
		d.Deadline = t.timer.deadline
	}
	for i := range t.parts {
		_, calls := t.tx.Op(i)
		d.Branches = append(d.Branches, messages.BranchDetail{
			Participant: t.parts[i].branch.Participant,
			TwoPhase:    t.tx.At(i).TwoPhase,
			Standing:    t.tx.Standing(i),
			Calls:       int(calls - t.base),
			Finished:    !t.tx.Unfinished(i),
			Err:         t.parts[i].err,
		})
	}
	return d
}

// leave stops waiting, as the coordinator closes.
func (t *Transaction) leave(now bool) {
	t.step(protocol.Event{Kind: protocol.WaitOver}, messages.Cause{})
	if t.closed {
		return
	}
	t.answerWaiters(t.parting())
	t.timer.wait = time.Time{}
	if now || t.env.Log.Err() != nil {
		t.abandon()
	}
}

// close rolls back what is not decided, as the coordinator closes. Of a
// transaction in doubt nothing more can come before the journal is read again.
func (t *Transaction) close() {
	t.step(protocol.Event{Kind: protocol.AskRollback}, messages.Cause{Err: ErrClosed})
	if t.tx.State() == protocol.InDoubt {
		t.abandon()
	}
}

// abandon leaves memory without an end; the journal, when it is read again, says
// what is to be done.
func (t *Transaction) abandon() {
	t.abandoned = true
	t.closeMailbox()
}
