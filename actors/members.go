package actors

import "github.com/seed-d36415c0/dtc/protocol"

// members names, of a committed transaction, the branches that were told to commit
// and whose participants can list them. One that had finished before, and was
// taken up because of one branch, keeps those it had.
func (t *Transaction) members() (names []string) {
	if t.tx.Outcome() != protocol.OutcomeCommitted {
		return nil
	}
	if t.resume != nil {
		if before := t.handle.Ending().Members; before != nil {
			return before
		}
	}
	for i := range t.parts {
		if t.tx.Member(i) && t.lists(i) {
			names = append(names, t.parts[i].branch.Participant)
		}
	}
	return names
}

// lists tells whether the participant of a branch can list it. Of one that is not
// registered nobody knows: it counts as one that can, if it prepares.
func (t *Transaction) lists(i int) bool {
	if g := t.parts[i].gateway; g != nil {
		return g.Branch.Recoverable
	}
	return t.tx.At(i).TwoPhase
}
