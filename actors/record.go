package actors

import (
	"errors"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/protocol"
)

// record is what the journal is to know of the transaction.
func (t *Transaction) record(kind protocol.Record) *journal.Record {
	return t.recordOf(kind, t.tx.Unfinished)
}

// Unrecorded is what a journal would hold of a transaction that has no record:
// what is decided and who has not heard of it, or else a rollback of every
// branch.
func (t *Transaction) Unrecorded() *journal.Record {
	kind := t.recordKind()
	return t.recordOf(kind, func(i int) bool {
		return kind == protocol.RollbackRecord || i >= t.tx.Len() || t.tx.Unfinished(i)
	})
}

func (t *Transaction) recordOf(kind protocol.Record, pending func(i int) bool) *journal.Record {
	r := &journal.Record{
		Transaction: t.id,
		Kind:        journalKind(kind),
		Began:       t.began,
		Label:       t.label,
		Heuristic:   t.settled,
		Branches:    make([]journal.Branch, len(t.parts)),
	}
	for i := range t.parts {
		r.Branches[i] = journal.Branch{
			Participant: t.parts[i].branch.Participant,
			TwoPhase:    t.twoPhase(i),
			Pending:     pending(i),
			Payload:     t.parts[i].branch.Payload,
		}
	}
	return r
}

// twoPhase tells the kind of a branch. One that came when the actor had failed
// is not known to the protocol.
func (t *Transaction) twoPhase(i int) bool {
	if i < t.tx.Len() {
		return t.tx.At(i).TwoPhase
	}
	g := t.parts[i].gateway
	return g != nil && g.Branch.TwoPhase
}

// recordKind is the record that says where the transaction stands.
func (t *Transaction) recordKind() protocol.Record {
	switch t.handle.State() {
	case protocol.Committing, protocol.Committed:
		return protocol.CommitRecord
	case protocol.Delegated, protocol.Asking:
		return protocol.DelegationRecord
	default:
		return protocol.RollbackRecord
	}
}

// The journal has words of its own, so that neither package needs the other.
var journalKinds = [...]journal.Kind{
	protocol.EnlistmentRecord: journal.Enlistment,
	protocol.IntentRecord:     journal.Intent,
	protocol.DelegationRecord: journal.Delegation,
	protocol.CommitRecord:     journal.Commit,
	protocol.RollbackRecord:   journal.Rollback,
}

func journalKind(r protocol.Record) journal.Kind { return journalKinds[r] }

func recordKind(k journal.Kind) protocol.Record {
	for r, other := range journalKinds {
		if other == k {
			return protocol.Record(r)
		}
	}
	return protocol.NoRecord
}

func isFenced(err error) bool { return errors.Is(err, journal.ErrFenced) }
