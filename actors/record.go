package actors

import (
	"errors"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/protocol"
)

// record is what the journal is to know of the transaction.
func (t *Transaction) record(kind protocol.Record) *journal.Record {
	r := &journal.Record{
		Transaction: t.id,
		Kind:        journalKind(kind),
		Began:       t.began,
		Label:       t.label,
		Heuristic:   t.settled,
		Branches:    make([]journal.Branch, 0, len(t.parts)),
	}
	for i := range min(len(t.parts), t.tx.Len()) {
		// A branch that came too late is rolled back, and only a rollback record
		// says that.
		if kind != protocol.RollbackRecord && t.tx.Stray(i) {
			continue
		}
		r.Branches = append(r.Branches, journal.Branch{
			Participant: t.parts[i].branch.Participant,
			TwoPhase:    t.tx.At(i).TwoPhase,
			Pending:     t.tx.Unfinished(i),
			Payload:     t.parts[i].branch.Payload,
		})
	}
	return r
}

// Unrecorded is what a journal would hold of a transaction that has no record:
// what is decided and who has not heard of it, or else a rollback of every
// branch.
func (t *Transaction) Unrecorded() *journal.Record {
	kind := t.recordKind()
	r := t.record(kind)
	if kind != protocol.RollbackRecord {
		return r
	}
	for i := range r.Branches {
		r.Branches[i].Pending = true
	}
	for _, e := range t.posted {
		if t.tx.Index(e.Branch.Name) < 0 {
			r.Branches = append(r.Branches, journal.Branch{
				Participant: e.Branch.Name, TwoPhase: e.Branch.TwoPhase, Pending: true, Payload: e.Payload,
			})
		}
	}
	return r
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
