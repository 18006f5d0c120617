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
			t.posted = append(t.posted, m.Enlistment)
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
		if m := t.execute; m != nil { // it failed before it had begun
			t.execute = nil
			t.waiters = append(t.waiters, waiter{reply: m.Reply})
		}
		t.reply(t.refusal())
		t.refuseSettle()
		t.failEnlistments(ErrActorFailed)
		t.context.Stop(t.self)
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
	t.posted = failed.strays()
	t.causes = append(failed.causes, messages.Cause{Err: ErrActorFailed})
	return t
}

// strays are the branches that came too late to be part of the transaction, or
// when the actor had failed, and that are to be rolled back whatever became of it.
// No record of a commit names them.
func (t *Transaction) strays() []messages.Enlistment {
	late := t.posted
	for i := range t.parts {
		stray := i >= t.tx.Len() || t.tx.Stray(i) && t.tx.Unfinished(i)
		if p := &t.parts[i]; stray && p.gateway != nil {
			late = append(late, messages.Enlistment{
				Branch: p.gateway.Branch, Gateway: p.gateway, Participant: p.participant, Payload: p.branch.Payload,
			})
		}
	}
	return late
}

// GiveUp answers whoever waits for a transaction whose actors keep failing, or of
// which a failed journal does not tell what is decided.
func (t *Transaction) GiveUp() {
	if t.handle.Outcome() == protocol.Undecided {
		t.handle.SetState(protocol.InDoubt)
	}
	t.answerWaiters(messages.Result{
		Transaction: t.id, Outcome: t.handle.Outcome(),
		Causes: append(t.causes, messages.Cause{Err: ErrActorFailed}),
	})
}
