package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
)

// Fail makes the actor of a transaction that panicked do nothing more but save
// what its successor needs, from what is in its mailbox, and stop. It is called
// by the supervisor, while the mailbox is suspended.
func (t *Transaction) Fail(root *actor.RootContext, pid *actor.PID) {
	t.failed = true
	t.timer.stop()
	t.handle.Close()
	root.Send(pid, lastCall{})
}

// save keeps of a message what must not be lost.
func (t *Transaction) save() {
	switch m := t.context.Message().(type) {
	case *messages.AskCommit:
		t.waiters = append(t.waiters, waiter{reply: m.Reply})
	case *messages.AskRollback:
		t.waiters = append(t.waiters, waiter{reply: m.Reply})
	case *messages.Enlist:
		if m.Reply == nil {
			t.addPart(m.Enlistment)
		} else if m.Reply.Claim() {
			m.Reply.Send(t.refusal())
		}
	case *messages.Settle:
		if m.Reply != nil && m.Reply.Claim() {
			m.Reply.Send(t.refusal())
		}
	case *messages.Inspect:
		m.Reply.Send(messages.Detail{ID: t.id, Label: t.label, State: t.handle.State(), Began: t.began})
	case lastCall:
		t.reply(t.refusal())
		t.refuseSettle()
		t.failEnlistments(ErrActorFailed)
		t.context.Stop(t.self)
	}
}

// refuseSettle answers, once, who wanted a branch settled that this actor cannot
// settle.
func (t *Transaction) refuseSettle() {
	settles := []*messages.Settle{t.late}
	t.late = nil
	if t.resume != nil {
		settles = append(settles, t.resume.Settle)
		t.resume.Settle = nil
	}
	for _, m := range settles {
		if m != nil && m.Reply.Claim() {
			m.Reply.Send(t.refusal())
		}
	}
}

func (t *Transaction) refusal() messages.Result {
	return messages.Result{
		Transaction: t.id, Refused: messages.RefusedNotActive,
		Causes: []messages.Cause{{Err: ErrActorFailed}},
	}
}

// Revive returns an actor to go on in place of one that failed, with what could
// be saved of it: its branches and whoever waits. The failed actor has stopped,
// nothing of it is on the way to the journal any more, and the record is what
// the journal holds; nil if it holds none.
func Revive(failed *Transaction, record *journal.Record) *Transaction {
	r := &Resumption{Record: record, Patient: true}
	if record == nil {
		r.Record, r.Unrecorded = failed.Unrecorded(), true
	}
	t := Resume(failed.env, failed.handle, r)
	t.parts, t.waiters = failed.parts, failed.waiters
	t.causes = append(failed.causes, messages.Cause{Err: ErrActorFailed})
	return t
}

// Unrecorded is what a journal would hold of a transaction that has no record:
// what is decided and who has not heard of it, or else a rollback of every
// branch.
func (t *Transaction) Unrecorded() *journal.Record {
	kind := t.recordKind()
	r := &journal.Record{Transaction: t.id, Kind: journalKind(kind), Began: t.began, Label: t.label}
	for i := range t.parts {
		p := &t.parts[i]
		r.Branches = append(r.Branches, journal.Branch{
			Participant: p.branch.Participant,
			TwoPhase:    p.gateway != nil && p.gateway.Branch.TwoPhase,
			Pending:     kind == protocol.RollbackRecord || i >= t.tx.Len() || t.tx.Unfinished(i),
			Payload:     p.branch.Payload,
		})
	}
	return r
}

// GiveUp answers whoever waits for a transaction whose actors keep failing.
func (t *Transaction) GiveUp() {
	r := messages.Result{
		Transaction: t.id, Outcome: t.handle.Outcome(),
		Causes: append(t.causes, messages.Cause{Err: ErrActorFailed}),
	}
	if r.Outcome == protocol.Undecided {
		r.Outcome = protocol.Unknown
	}
	t.answerWaiters(r)
}
