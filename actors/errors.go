package actors

import (
	"errors"
	"fmt"
)

// Conditions that are known here and told by package dtc.
var (
	// ErrJournalFailed: the journal failed; nothing can be decided any more.
	ErrJournalFailed = errors.New("dtc: journal failed")
	// ErrClosed: the coordinator is closed.
	ErrClosed = errors.New("dtc: coordinator is closed")
	// ErrUnregistered: nobody has registered a participant of this name.
	ErrUnregistered = errors.New("dtc: participant is not registered")
	// ErrUnhealthy: the participant does not answer; it is being probed.
	ErrUnhealthy = errors.New("dtc: participant does not answer")
	// ErrAlreadyEnlisted: the name is enlisted with another payload.
	ErrAlreadyEnlisted = errors.New("dtc: already enlisted with another payload")
	// ErrRequested: the application gave the transaction up.
	ErrRequested = errors.New("dtc: rollback was asked for")
	// ErrActorFailed: the transaction's actor panicked before anything was decided.
	ErrActorFailed = errors.New("dtc: transaction actor failed")
)

// JournalFailed is err, by which the journal failed, as an ErrJournalFailed.
func JournalFailed(err error) error { return fmt.Errorf("%w: %w", ErrJournalFailed, err) }
