package dtc

import "github.com/seed-d36415c0/dtc/protocol"

// Outcome is how a transaction stands for its application.
type Outcome uint8

// The outcomes. The zero value claims nothing. An outcome goes from Active to
// Committed or RolledBack, perhaps by way of Unknown, and then never changes.
const (
	// Unknown: nobody can know, now or any more; the error beside it says why.
	Unknown = Outcome(protocol.Unknown)
	// Active: not decided.
	Active = Outcome(protocol.Undecided)
	// Committed: from the moment the decision is durable, or, where nothing had to
	// be made durable, from the moment it is taken.
	Committed = Outcome(protocol.OutcomeCommitted)
	// RolledBack: from the moment it is decided.
	RolledBack = Outcome(protocol.OutcomeRolledBack)
)

// String returns the word for it: unknown, active, committed, rolled back.
func (o Outcome) String() string { return protocol.Outcome(o).String() }
