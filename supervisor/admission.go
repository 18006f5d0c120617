package supervisor

import (
	"bytes"
	"errors"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
)

// Admission errors.
var (
	// ErrFull: as many transactions are live as may be.
	ErrFull = errors.New("too many transactions")
	// ErrOld: the id is from before this coordinator opened, or as old as those
	// whose outcome has expired, so that nobody can say whether it is new.
	ErrOld = errors.New("id is too old to begin")
)

// begin admits a transaction, has it wait, or refuses it.
func (r *root) begin(m *messages.Begin) {
	if m.Chosen && r.again(m) {
		return
	}
	switch err := r.Refusal(); {
	case err != nil:
		r.refuse(m, err)
	case r.waiting.Len() == 0 && r.admit(m):
	case r.config.WaitForSlot:
		r.waiting.Add(m, gone)
	default:
		r.refuse(m, ErrFull)
	}
}

// gone tells that a caller does not wait for a slot any more.
func gone(m *messages.Begin) bool {
	if m.Outcome != nil {
		return m.Outcome.Withdrawn()
	}
	return m.Reply.Withdrawn()
}

// Refusal is why no new transaction is taken at all; nil if they are. It may be
// called from everywhere.
func (s *Supervisor) Refusal() error {
	if s.stopping.Load() {
		return actors.ErrClosed
	}
	if err := s.Log.Err(); err != nil {
		return actors.JournalFailed(err)
	}
	return nil
}

// again deals with an id that the application chose and that is not new; false
// if it is.
func (r *root) again(m *messages.Begin) bool {
	h := r.Find(m.ID)
	switch {
	case h == nil:
		return r.unknown(m)
	case decided(h.Outcome()):
		ended := Ended(h)
		r.answer(m, &ended)
	case m.Outcome == nil:
		if m.Reply.Claim() {
			m.Reply.Send(messages.Begun{})
		}
	default:
		ask := &messages.AskCommit{Enlistments: m.Execute, Reply: m.Outcome}
		if m.Outcome.Claim() && !h.Send(ask) {
			m.Outcome.Send(Ended(h))
		}
	}
	return true
}

// unknown deals with an id that the directory does not hold; false if it is
// new.
func (r *root) unknown(m *messages.Begin) bool {
	switch outcome, ok, err := r.unlisted(m.ID); {
	case err != nil:
		r.refuse(m, actors.JournalFailed(err))
		return true
	case ok:
		r.answer(m, &messages.Result{Transaction: m.ID, Outcome: outcome})
		return true
	}
	horizon := r.Horizon()
	if bytes.Compare(m.ID[:], r.Incarnation[:]) < 0 || bytes.Compare(m.ID[:], horizon[:]) <= 0 {
		r.refuse(m, ErrOld)
		return true
	}
	return false
}

func decided(o protocol.Outcome) bool {
	return o == protocol.OutcomeCommitted || o == protocol.OutcomeRolledBack
}

// answer answers for a transaction that is decided.
func (r *root) answer(m *messages.Begin, ended *messages.Result) {
	switch {
	case m.Outcome != nil:
		if m.Outcome.Claim() {
			m.Outcome.Send(*ended)
		}
	case m.Reply.Claim():
		m.Reply.Send(messages.Begun{Ended: ended})
	}
}

// refuse says why a transaction does not begin.
func (r *root) refuse(m *messages.Begin, err error) {
	switch {
	case m.Outcome != nil:
		if m.Outcome.Claim() {
			m.Outcome.Send(messages.Result{
				Transaction: m.ID, Refused: messages.RefusedBegin, Causes: []messages.Cause{{Err: err}},
			})
		}
	case m.Reply.Claim():
		m.Reply.Send(messages.Begun{Err: err})
	}
}

// admit begins a transaction, if there is a slot. A caller who has gone leaves
// nothing behind.
func (r *root) admit(m *messages.Begin) bool {
	if !r.Slots.Take() {
		return false
	}
	h := actors.NewHandle(m.ID, r.Slots)
	if !r.claim(m) {
		h.Release()
		return true
	}
	r.spawn(&child{actor: actors.NewTransaction(r.env, h, m), handle: h})
	if m.Outcome == nil {
		m.Reply.Send(messages.Begun{})
	}
	return true
}

func (r *root) claim(m *messages.Begin) bool {
	if m.Outcome != nil {
		return m.Outcome.Claim()
	}
	return m.Reply.Claim()
}

// admitWaiting admits those who wait, in the order in which they came.
func (r *root) admitWaiting() {
	for r.waiting.Len() > 0 {
		m := r.waiting.First()
		if err := r.Refusal(); err != nil {
			r.refuse(m, err)
		} else if m.Chosen && r.again(m) {
			// Somebody else has begun it meanwhile.
		} else if !r.admit(m) {
			return
		}
		r.waiting.Next()
	}
}

// Ended is what can be told of a transaction that has no actor.
func Ended(h *actors.Handle) messages.Result {
	e := h.Ending()
	res := messages.Result{Transaction: h.ID, Outcome: h.Outcome()}
	switch res.Outcome {
	case protocol.OutcomeCommitted:
		return res
	case protocol.Undecided:
		// Its actor has failed, and is being brought back.
		res.Outcome = protocol.Unknown
		res.Causes = append(res.Causes, messages.Cause{Err: actors.ErrActorFailed})
	}
	if e.Cause != nil {
		res.Causes = append(res.Causes, *e.Cause)
	}
	if e.Parked != nil && res.Outcome == protocol.OutcomeRolledBack {
		res.Unacknowledged = e.Parked.Waiting
	}
	return res
}

// unlisted looks in the journal for a transaction that is parked but not in the
// directory, because there are so many. With an error nobody knows whether there
// is such a one. It may be called from everywhere.
func (s *Supervisor) unlisted(id uuid.UUID) (outcome protocol.Outcome, ok bool, err error) {
	if !s.overflow.Load() {
		return protocol.Undecided, false, nil
	}
	record, ok, err := s.Log.Record(id)
	if err != nil || !ok {
		return protocol.Undecided, false, err
	}
	return recordState(record.Kind).Outcome(), true, nil
}
