package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
)

// answered takes a participant's answer. That it belongs to the branch's last
// call is for the protocol to check; an answer to an earlier call only says that
// the last one can begin.
func (t *Transaction) answered(m *messages.Answer) {
	if m.Index >= len(t.parts) {
		return
	}
	p := &t.parts[m.Index]
	if m.Op == p.op {
		p.err = m.Err
	}
	t.tellAnswered(m, p)
	if t.tx.Left() {
		t.afterwards(m)
		return
	}
	why := t.cause(m, p)
	tooLate, state := why.Timeout > 0 && t.pastDeadline(t.now()), t.tx.State()
	if op, attempt := t.tx.Op(m.Index); op == m.Op && attempt == m.Attempt {
		p.expires = time.Time{}
	} else if t.tx.Waiting(m.Index) {
		p.expires = t.now().Add(t.env.Limits.ParticipantTimeout)
		t.alsoRefused(m, why)
	}
	t.step(protocol.Event{
		Kind: protocol.Answered, Branch: m.Index, Attempt: m.Attempt, Result: m.Result,
	}, why)
	if tooLate {
		t.addCause(t.deadlineCause(state))
	}
}

// afterwards takes an acknowledgement that came when the transaction was leaving
// memory: the branch need not be told again when it is taken up.
func (t *Transaction) afterwards(m *messages.Answer) {
	ending := t.handle.Ending()
	op, attempt := t.tx.Op(m.Index)
	if ending.Parked == nil || m.Result != protocol.Done || m.Op == protocol.Ask || op != m.Op || attempt != m.Attempt {
		return
	}
	parked := *ending.Parked
	parked.Waiting = slices.DeleteFunc(slices.Clone(parked.Waiting), func(c messages.Cause) bool {
		return c.Participant == t.parts[m.Index].branch.Participant
	})
	ending.Parked = &parked
	t.handle.SetEnding(ending)
}

// cause is the reason that an answer gives for a rollback. A participant that
// ran into its time says so in its own words.
func (t *Transaction) cause(m *messages.Answer, p *part) messages.Cause {
	c := messages.Cause{Participant: p.branch.Participant, Op: m.Op, Err: m.Err}
	if !p.expires.IsZero() && errors.Is(m.Err, context.DeadlineExceeded) && !t.now().Before(p.expires) {
		c.Timeout = t.callTimeout(t.now())
	}
	return c
}

// alsoRefused notes a refusal that came when another one had decided already.
func (t *Transaction) alsoRefused(m *messages.Answer, why messages.Cause) {
	refused := m.Result == protocol.Failed || m.Result == protocol.WasRolledBack
	phaseOne := m.Op == protocol.Prepare || m.Op == protocol.Commit
	if refused && phaseOne && t.tx.State() == protocol.RollingBack && !t.tx.Answered() {
		t.addCause(why)
	}
}

func (t *Transaction) tellAnswered(m *messages.Answer, p *part) {
	broken := m.Op == protocol.Commit && m.Result == protocol.WasRolledBack && t.tx.State() == protocol.Committing
	if broken {
		t.emit(Event{Kind: EventBroken, Participant: p.branch.Participant, Op: m.Op, Attempt: m.Attempt, Err: m.Err})
		return
	}
	if t.verbose {
		t.emit(Event{
			Kind: EventAnswered, Participant: p.branch.Participant, Op: m.Op, Attempt: m.Attempt,
			Duration: m.Took, Err: m.Err,
		})
	}
}

// appended takes the journal's answer.
func (t *Transaction) appended(m messages.Appended) {
	if m.Err != nil {
		err := JournalFailed(m.Err)
		t.emit(Event{Kind: EventForced, Record: m.Record, Err: m.Err})
		t.step(protocol.Event{
			Kind: protocol.ForceFailed, Record: m.Record, Fenced: isFenced(m.Err),
		}, messages.Cause{Err: err})
		t.failEnlistments(err)
		return
	}
	if t.verbose {
		t.emit(Event{Kind: EventForced, Record: m.Record})
	}
	t.step(protocol.Event{Kind: protocol.Forced, Record: m.Record, Branches: m.Branches}, messages.Cause{})
}

// failEnlistments tells those who wait for their enlistment to be forced that
// it will not be; err may be nil where the transaction's own causes say why.
func (t *Transaction) failEnlistments(err error) {
	for i := range t.parts {
		p := &t.parts[i]
		for _, r := range p.replies {
			res := t.result()
			res.Refused, res.Participant = messages.RefusedNotActive, p.branch.Participant
			if err != nil {
				res.Causes = append(res.Causes, messages.Cause{Err: err})
			}
			r.Send(res)
		}
		p.replies = nil
	}
}

// Reason says a cause in words, where it is a matter of time.
func Reason(c messages.Cause) string {
	if c.Timeout == 0 {
		return ""
	}
	return fmt.Sprintf("not in time: %v", c.Timeout)
}
