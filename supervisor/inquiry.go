package supervisor

import (
	"bytes"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
)

// inquire answers a participant's actor that asks what became of a transaction.
func (r *root) inquire(m *messages.Inquire) {
	id, err := m.ID()
	if err != nil {
		return
	}
	answer := messages.Outcome_OUTCOME_UNKNOWN
	switch outcome, _ := r.Outcome(id); outcome {
	case protocol.Undecided:
		answer = messages.Outcome_OUTCOME_ACTIVE
	case protocol.OutcomeCommitted:
		answer = messages.Outcome_OUTCOME_COMMITTED
	case protocol.OutcomeRolledBack:
		answer = messages.Outcome_OUTCOME_ROLLED_BACK
	}
	r.context.Respond(m.Decided(answer))
}

// Outcome tells what became of a transaction; known is false if nobody can
// tell whether there ever was one. It may be called from everywhere.
//
// Aborts are presumed: one that a journal which lasts does not know was rolled
// back. That holds for ids from before this incarnation, as the journal was read
// in full then, and for those after every id whose outcome has expired.
func (s *Supervisor) Outcome(id uuid.UUID) (outcome protocol.Outcome, known bool) {
	if h := s.Directory.Find(id); h != nil {
		return h.Outcome(), true
	}
	switch outcome, ok, err := s.unlisted(id); {
	case err != nil:
		return protocol.Unknown, true
	case ok:
		return outcome, true
	}
	// It may have been taken up, or have finished, between the two looks.
	if h := s.Directory.Find(id); h != nil {
		return h.Outcome(), true
	}
	horizon := s.Horizon()
	before := bytes.Compare(id[:], s.Incarnation[:]) < 0
	after := bytes.Compare(id[:], horizon[:]) > 0
	if s.Log.Journal.Lasts() && id.Version() == 7 && before && after {
		return protocol.OutcomeRolledBack, true
	}
	return protocol.Unknown, false
}
