package participant

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Key names a branch without its payload. Two calls with the same key are
// about the same branch.
type Key struct {
	Coordinator string
	Transaction uuid.UUID
	Participant string
}

// Key returns the branch's name.
func (b Branch) Key() Key {
	return Key{Coordinator: b.Coordinator, Transaction: b.Transaction, Participant: b.Participant}
}

// State is what is remembered of a branch.
type State uint8

const (
	// Unknown: nothing is remembered, and nothing has been forgotten.
	Unknown State = iota
	// Begun: a call was begun that may have had an effect.
	Begun
	// Prepared: the branch can go either way.
	Prepared
	// ReadOnly: the branch voted [ErrReadOnly].
	ReadOnly
	// Committed: the effect has happened.
	Committed
	// RolledBack: the branch has no effect, and must not get one.
	RolledBack
	// Forgotten is only ever read: nothing is remembered, and the transaction is
	// older than others that were dropped, so this one may have been too.
	Forgotten
)

// Settled tells whether the branch may be dropped from memory to make room. A
// branch that can still go either way never is.
func (s State) Settled() bool {
	return s == ReadOnly || s == Committed || s == RolledBack
}

func (s State) String() string {
	names := [...]string{"unknown", "begun", "prepared", "read-only", "committed", "rolled back", "forgotten"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Errors that refuse a call which a coordinator that keeps to the protocol does
// not make. They may be wrapped.
var (
	// ErrNotPrepared refuses the Commit of a two-phase branch that is not
	// prepared here: what was remembered has been lost.
	ErrNotPrepared = errors.New("participant: branch is not prepared")
	// ErrCommitted refuses the Rollback of a two-phase branch that is committed.
	ErrCommitted = errors.New("participant: branch is committed")
)

// ForgottenError refuses a call whose right answer depends on what became of
// the branch earlier, where that may have been dropped to make room. It is not
// [ErrRolledBack], for the branch may have been committed.
type ForgottenError struct {
	Transaction uuid.UUID
}

func (e *ForgottenError) Error() string {
	return fmt.Sprintf("participant: transaction %s is older than what is remembered of finished branches", e.Transaction)
}
