package actors

import (
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
)

// actorOf returns the participant's own actor, if it is one.
func actorOf(p participant.Participant) (*actor.PID, bool) {
	a, ok := participant.As[interface{ PID() *actor.PID }](p)
	if !ok {
		return nil, false
	}
	return a.PID(), true
}

// wire keeps the calls that were sent to the participant's own actor, until
// they are answered or the transaction has stopped waiting. Nothing is queued:
// a message can be lost, so that the next one cannot wait for its answer; the
// attempt's number says which call an answer belongs to. The zero value is ready
// to use.
type wire struct {
	sent map[wireKey]*sentCall
	// order is in order of sending; calls expire in nearly the same order.
	order []*sentCall
}

type wireKey struct {
	id      uuid.UUID
	attempt uint32
}

type sentCall struct {
	call *messages.Call
	at   time.Time
	done bool
}

// errVoteNo is a refusal without a reason.
var errVoteNo = errors.New("participant voted no")

// forward sends the call to the participant's own actor.
func (g *gateway) forward(c actor.Context, pid *actor.PID, m *messages.Call) {
	g.wire.expire(time.Now())
	branch := &messages.Branch{
		Coordinator: m.Branch.Coordinator,
		Transaction: m.Branch.Transaction[:],
		Participant: m.Branch.Participant,
		Payload:     m.Branch.Payload,
	}
	var request any
	switch m.Op {
	case protocol.Prepare:
		request = &messages.Prepare{Branch: branch, Attempt: m.Attempt, ExpiresUnixMs: m.Expires.UnixMilli()}
	case protocol.Commit:
		request = &messages.Commit{Branch: branch, Attempt: m.Attempt}
	case protocol.Rollback:
		request = &messages.Rollback{Branch: branch, Attempt: m.Attempt}
	default:
		g.answer(m, protocol.Failed, errKind, 0)
		return
	}
	g.wire.send(m)
	c.Request(pid, request)
}

// voted takes a vote of the participant's own actor.
func (g *gateway) voted(m *messages.Voted) {
	if id, err := m.ID(); err == nil {
		result, err := vote(m)
		g.heard(id, m.GetParticipant(), m.GetAttempt(), result, err, true)
	}
}

// acked takes an acknowledgement of the participant's own actor.
func (g *gateway) acked(m *messages.Acked) {
	if id, err := m.ID(); err == nil {
		result, err := acknowledgement(m)
		g.heard(id, m.GetParticipant(), m.GetAttempt(), result, err, false)
	}
}

// heard passes an answer on, if it belongs to a call that was sent. One that names
// another participant was meant for a gateway of an earlier process, whose address
// this one has.
func (g *gateway) heard(id uuid.UUID, name string, attempt uint32, result protocol.Result, err error, vote bool) {
	s := g.wire.sent[wireKey{id, attempt}]
	if s == nil || name != s.call.Branch.Participant || vote != (s.call.Op == protocol.Prepare) {
		return
	}
	g.wire.forget(s)
	if !g.answer(s.call, result, err, time.Since(s.at)) {
		g.kept.keep(id, s.call.Op, result)
	}
}

func vote(m *messages.Voted) (protocol.Result, error) {
	switch {
	case m.GetVote() == messages.Vote_VOTE_YES:
		return protocol.Done, nil
	case m.GetVote() == messages.Vote_VOTE_READ_ONLY:
		return protocol.ReadOnly, nil
	case m.GetRolledBack():
		return protocol.WasRolledBack, participant.ErrRolledBack
	case m.GetReason() == "":
		return protocol.Failed, errVoteNo
	default:
		return protocol.Failed, errors.New(m.GetReason())
	}
}

func acknowledgement(m *messages.Acked) (protocol.Result, error) {
	switch {
	case m.GetDone():
		return protocol.Done, nil
	case m.GetRolledBack():
		return protocol.WasRolledBack, participant.ErrRolledBack
	default:
		return protocol.Failed, errors.New(m.GetReason())
	}
}

func (w *wire) send(m *messages.Call) {
	if w.sent == nil {
		w.sent = make(map[wireKey]*sentCall)
	}
	s := &sentCall{call: m, at: time.Now()}
	w.sent[wireKey{m.Branch.Transaction, m.Attempt}] = s
	w.order = append(w.order, s)
}

func (w *wire) forget(s *sentCall) {
	s.done = true
	delete(w.sent, wireKey{s.call.Branch.Transaction, s.call.Attempt})
}

// expire forgets the oldest calls whose time is up. An answer that comes later
// finds nobody who waits for it.
func (w *wire) expire(now time.Time) {
	n := 0
	for n < len(w.order) && (w.order[n].done || now.After(w.order[n].call.Expires)) {
		if !w.order[n].done {
			w.forget(w.order[n])
		}
		w.order[n] = nil
		n++
	}
	if n == len(w.order) {
		w.order = w.order[:0]
	} else {
		w.order = w.order[n:]
	}
}
