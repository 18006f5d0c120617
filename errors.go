package dtc

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
)

// What calls of a [Coordinator] answer, for errors.Is. Those that come with
// data have a type of their own, for errors.As; it is named with each.
var (
	// ErrRolledBack: it happened nowhere. Comes as [*RolledBackError], from Commit,
	// Run and Execute.
	ErrRolledBack = errors.New("dtc: rolled back")
	// ErrOutcomeUnknown: nobody can know yet whether it happened. Comes as
	// [*OutcomeUnknownError]; Outcome tells later.
	ErrOutcomeUnknown = errors.New("dtc: outcome unknown")
	// ErrCommitted: Rollback came too late, or an ID that is begun again has
	// happened already.
	ErrCommitted = errors.New("dtc: already committed")
	// ErrTransactionNotFound: there never was such a transaction, or its outcome
	// has expired. Comes as [*TransactionNotFoundError].
	ErrTransactionNotFound = errors.New("dtc: transaction not found")
	// ErrNotActive: the transaction takes no more participants. Comes as
	// [*NotActiveError].
	ErrNotActive = errors.New("dtc: transaction is not active")
	// ErrAlreadyEnlisted: a participant of that name is enlisted with another
	// payload. Comes as [*AlreadyEnlistedError].
	ErrAlreadyEnlisted = errors.New("dtc: already enlisted with another payload")

	// ErrParticipantFailedToCommit: why a transaction was rolled back. Comes as
	// [*ParticipantFailedToCommitError].
	ErrParticipantFailedToCommit = errors.New("dtc: participant failed to commit")
	// ErrParticipantFailedToRollback: a rollback has not been acknowledged yet. Comes
	// as [*ParticipantFailedToRollbackError].
	ErrParticipantFailedToRollback = errors.New("dtc: participant failed to roll back")
	// ErrTimeout: a deadline decided. Comes as [*TimeoutError].
	ErrTimeout = errors.New("dtc: timeout")

	// ErrTooManyTransactions: all slots are taken. Comes as
	// [*TooManyTransactionsError].
	ErrTooManyTransactions = errors.New("dtc: too many transactions")
	// ErrTooManyParticipants: the transaction has as many as may be, or the
	// coordinator knows as many. Comes as [*TooManyParticipantsError].
	ErrTooManyParticipants = errors.New("dtc: too many participants")
	// ErrPayloadTooLarge: Config.MaxPayload. Comes as [*PayloadTooLargeError].
	ErrPayloadTooLarge = errors.New("dtc: payload too large")
	// ErrInvalidName: of a participant or a coordinator. Comes as
	// [*InvalidNameError].
	ErrInvalidName = errors.New("dtc: invalid name")
	// ErrInvalidID: an ID that the application chose. Comes as [*InvalidIDError].
	ErrInvalidID = errors.New("dtc: invalid transaction id")

	// ErrJournalFailed: the journal failed. Nothing more can be decided; close the
	// coordinator and open it again.
	ErrJournalFailed = actors.ErrJournalFailed
	// ErrClosed: the coordinator is closed, or closing, or draining.
	ErrClosed = actors.ErrClosed
	// ErrUnsettled: Resolve named a branch that is not waited for, or whose
	// transaction is not decided.
	ErrUnsettled = errors.New("dtc: no such branch to settle by hand")
)

// RolledBackError says that a transaction happened nowhere, and why.
type RolledBackError struct {
	ID uuid.UUID
	// Causes holds a *ParticipantFailedToCommitError for each participant that
	// failed, a *TimeoutError where the transaction's deadline decided, a
	// *ParticipantFailedToRollbackError for each participant that has not
	// acknowledged yet, and what else led to it. It is empty where it is no longer
	// known.
	Causes []error
}

func (e *RolledBackError) Error() string {
	return because(fmt.Sprintf("dtc: transaction %s rolled back", e.ID), ": ", e.Causes...)
}

// Is makes it an ErrRolledBack.
func (e *RolledBackError) Is(target error) bool { return target == ErrRolledBack }

// Unwrap returns the causes. What they tell of outcomes is hidden from errors.Is
// and errors.As: it is not this transaction's.
func (e *RolledBackError) Unwrap() []error {
	list := make([]error, len(e.Causes))
	for i, cause := range e.Causes {
		list[i] = hideOutcome(cause)
	}
	return list
}

// OutcomeUnknownError says that nobody can know yet whether a transaction
// happened: the caller went away while it was decided, the journal failed in the
// middle of the decision, the coordinator closed, or the only participant has
// not said yet.
type OutcomeUnknownError struct {
	ID  uuid.UUID
	Err error
}

func (e *OutcomeUnknownError) Error() string {
	return because(fmt.Sprintf("dtc: outcome of transaction %s is unknown", e.ID), ": ", e.Err)
}

// Is makes it an ErrOutcomeUnknown.
func (e *OutcomeUnknownError) Is(target error) bool { return target == ErrOutcomeUnknown }

// Unwrap returns the reason. What it tells of outcomes is hidden from errors.Is
// and errors.As: it is not this transaction's.
func (e *OutcomeUnknownError) Unwrap() error { return hideOutcome(e.Err) }

// TransactionNotFoundError says that nobody knows the transaction.
type TransactionNotFoundError struct{ ID uuid.UUID }

func (e *TransactionNotFoundError) Error() string {
	return fmt.Sprintf("dtc: transaction %s not found", e.ID)
}

// Is makes it an ErrTransactionNotFound.
func (e *TransactionNotFoundError) Is(target error) bool { return target == ErrTransactionNotFound }

// NotActiveError says that a transaction takes no more participants.
type NotActiveError struct {
	ID uuid.UUID
	// Participant that was to be enlisted; empty where none was.
	Participant string
	// Outcome of the transaction so far.
	Outcome Outcome
	// Err says more; nil where there is no more to say.
	Err error
}

func (e *NotActiveError) Error() string {
	text := fmt.Sprintf("dtc: transaction %s is not active (%s)", e.ID, e.Outcome)
	if e.Participant != "" {
		text += fmt.Sprintf(", %q is not enlisted", e.Participant)
	}
	return because(text, ": ", e.Err)
}

// Is makes it an ErrNotActive.
func (e *NotActiveError) Is(target error) bool { return target == ErrNotActive }

// Unwrap returns what more there is to say.
func (e *NotActiveError) Unwrap() error { return e.Err }

// AlreadyEnlistedError says that a name is enlisted with another payload.
type AlreadyEnlistedError struct {
	ID          uuid.UUID
	Participant string
}

func (e *AlreadyEnlistedError) Error() string {
	return fmt.Sprintf("dtc: transaction %s: %q is already enlisted with another payload", e.ID, e.Participant)
}

// Is makes it an ErrAlreadyEnlisted.
func (e *AlreadyEnlistedError) Is(target error) bool { return target == ErrAlreadyEnlisted }

// ParticipantFailedToCommitError says which participant could not commit, or
// prepare to, and what it said.
type ParticipantFailedToCommitError struct {
	ID          uuid.UUID
	Participant string
	// Err is the participant's own error; a [*TimeoutError] where it did not answer
	// in time.
	Err error
}

func (e *ParticipantFailedToCommitError) Error() string {
	return because(fmt.Sprintf("dtc: participant %q failed to commit", e.Participant), ": ", e.Err)
}

// Is makes it an ErrParticipantFailedToCommit.
func (e *ParticipantFailedToCommitError) Is(target error) bool {
	return target == ErrParticipantFailedToCommit
}

// Unwrap returns the participant's own error. What that tells of outcomes is
// hidden from errors.Is and errors.As: it is not this transaction's.
func (e *ParticipantFailedToCommitError) Unwrap() error { return hideOutcome(e.Err) }

// ParticipantFailedToRollbackError says which participant has not acknowledged
// the rollback yet, and what it said. It goes on being told.
type ParticipantFailedToRollbackError struct {
	ID          uuid.UUID
	Participant string
	// Err is the participant's own error; a [*TimeoutError] where it did not answer
	// in time.
	Err error
}

func (e *ParticipantFailedToRollbackError) Error() string {
	return because(fmt.Sprintf("dtc: participant %q failed to roll back", e.Participant), ": ", e.Err)
}

// Is makes it an ErrParticipantFailedToRollback.
func (e *ParticipantFailedToRollbackError) Is(target error) bool {
	return target == ErrParticipantFailedToRollback
}

// Unwrap returns the participant's own error. What that tells of outcomes is
// hidden from errors.Is and errors.As: it is not this transaction's.
func (e *ParticipantFailedToRollbackError) Unwrap() error { return hideOutcome(e.Err) }

// TimeoutError says that something was not done in time.
type TimeoutError struct {
	ID uuid.UUID
	// Phase is what was not done in time: what a participant was asked for
	// ("prepare", "commit", "rollback"), or where the transaction stood at its
	// deadline ("active", "preparing" …).
	Phase string
	// After is how much time there was.
	After time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("dtc: timeout: %s not finished within %v", e.Phase, e.After)
}

// Is makes it an ErrTimeout.
func (e *TimeoutError) Is(target error) bool { return target == ErrTimeout }

// Timeout implements the interface by which package net tells timeouts.
func (e *TimeoutError) Timeout() bool { return true }

// TooManyTransactionsError says that all slots are taken.
type TooManyTransactionsError struct {
	// Limit is Config.MaxTransactions; or Config.MaxHistory, where a participant is
	// waited for by so many transactions already.
	Limit int
}

func (e *TooManyTransactionsError) Error() string {
	return fmt.Sprintf("dtc: too many transactions, the limit is %d", e.Limit)
}

// Is makes it an ErrTooManyTransactions.
func (e *TooManyTransactionsError) Is(target error) bool { return target == ErrTooManyTransactions }

// TooManyParticipantsError says that a transaction has as many participants as
// may be. It is still usable.
type TooManyParticipantsError struct {
	// ID of the transaction; uuid.Nil where the coordinator knows as many
	// participants, by name, as may be.
	ID    uuid.UUID
	Limit int
}

func (e *TooManyParticipantsError) Error() string {
	if e.ID == uuid.Nil {
		return fmt.Sprintf("dtc: too many participants registered, the limit is %d", e.Limit)
	}
	return fmt.Sprintf("dtc: transaction %s has too many participants, the limit is %d", e.ID, e.Limit)
}

// Is makes it an ErrTooManyParticipants.
func (e *TooManyParticipantsError) Is(target error) bool { return target == ErrTooManyParticipants }

// PayloadTooLargeError says that a payload is larger than Config.MaxPayload.
type PayloadTooLargeError struct {
	Participant string
	// Size and Limit in bytes.
	Size, Limit int
}

func (e *PayloadTooLargeError) Error() string {
	return fmt.Sprintf("dtc: payload for %q has %d bytes, the limit is %d", e.Participant, e.Size, e.Limit)
}

// Is makes it an ErrPayloadTooLarge.
func (e *PayloadTooLargeError) Is(target error) bool { return target == ErrPayloadTooLarge }

// InvalidNameError says what is wrong with a name.
type InvalidNameError struct {
	// Field of the Config whose name it is; empty for a participant that was handed
	// to a call.
	Field string
	// Name, cut to what fits a log line.
	Name   string
	Reason string
	// Err says more; nil where there is no more to say.
	Err error
}

func (e *InvalidNameError) Error() string {
	text := fmt.Sprintf("invalid name %q: %s", e.Name, e.Reason)
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	return "dtc: " + text
}

// Is makes it an ErrInvalidName.
func (e *InvalidNameError) Is(target error) bool { return target == ErrInvalidName }

// Unwrap returns what more there is to say.
func (e *InvalidNameError) Unwrap() error { return e.Err }

// InvalidIDError says what is wrong with an ID that the application chose.
type InvalidIDError struct {
	ID     uuid.UUID
	Reason string
}

func (e *InvalidIDError) Error() string {
	return fmt.Sprintf("dtc: invalid transaction id %s: %s", e.ID, e.Reason)
}

// Is makes it an ErrInvalidID.
func (e *InvalidIDError) Is(target error) bool { return target == ErrInvalidID }
