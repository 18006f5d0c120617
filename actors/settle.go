package actors

import (
	"errors"
	"fmt"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
)

// errSettled is why a transaction was rolled back whose only branch a person
// said to be rolled back.
var errSettled = errors.New("dtc: settled by hand")

// settle takes a person's word for it that a branch is done. One that comes when
// the transaction is about to leave goes with it.
func (t *Transaction) settle(m *messages.Settle) {
	if t.tx.Left() && !t.finished() && t.late == nil {
		t.late = m
		return
	}
	if m.Reply != nil && !m.Reply.Claim() {
		return
	}
	t.asking = m.Reply
	i := t.tx.Index(m.Participant)
	if !t.settleable(i, m) {
		r := t.result()
		r.Refused, r.Participant = messages.RefusedUnsettled, m.Participant
		t.reply(r)
		return
	}
	act := "rolled back"
	switch {
	case m.Forget:
		act = "forgotten"
	case m.Committed:
		act = "committed"
	}
	if t.settled != "" {
		t.settled += "; "
	}
	t.settled += fmt.Sprintf("%s %s by hand: %s", m.Participant, act, m.Reason)
	t.emit(Event{Kind: EventSettled, Participant: m.Participant, Reason: act + ": " + m.Reason})
	t.step(protocol.Event{Kind: protocol.Settle, Branch: i, Committed: m.Committed},
		messages.Cause{Participant: m.Participant, Err: errSettled})
	t.confirm()
}

// settleable tells whether branch i waits for its participant, and nothing else,
// to be done.
func (t *Transaction) settleable(i int, m *messages.Settle) bool {
	switch t.tx.State() {
	case protocol.Committing, protocol.RollingBack:
	case protocol.Asking:
		if m.Forget {
			return false
		}
	default:
		return false
	}
	return i >= 0 && t.tx.Unfinished(i)
}

// confirm answers who settled a branch, when that is sure to survive: the forced
// write covers an end that was written before.
func (t *Transaction) confirm() {
	if !t.written {
		t.reply(t.result())
		return
	}
	m := messages.Append{Force: true, From: &settled{t.asking, t.result()}}
	t.asking = nil
	if !t.finished() {
		m.Writes = []journal.Write{{Put: t.record(t.recordKind())}}
	}
	if appended, known := t.env.Log.Append(m); known {
		m.From.Send(&appended)
	}
}

// settled is the address of who settled a branch, for the journal's answer.
type settled struct {
	reply  *messages.Reply[messages.Result]
	result messages.Result
}

// Send implements messages.Address.
func (s *settled) Send(m any) bool {
	if appended, ok := m.(*messages.Appended); ok && s.reply != nil {
		if appended.Err != nil {
			s.result.Refused = messages.RefusedUnforced
			s.result.Causes = []messages.Cause{{Err: JournalFailed(appended.Err)}}
		}
		s.reply.Send(s.result)
	}
	return true
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
