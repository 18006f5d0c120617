package dtc

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
	"github.com/seed-d36415c0/dtc/supervisor"
)

// commitError is what Commit answers.
func commitError(r messages.Result) error {
	switch {
	case r.Refused != messages.NotRefused && r.Outcome == protocol.OutcomeCommitted:
		return &NotActiveError{ID: r.Transaction, Participant: r.Participant, Outcome: Committed, Err: ErrCommitted}
	case r.Outcome == protocol.OutcomeCommitted:
		return nil
	case r.Outcome == protocol.OutcomeRolledBack:
		return rolledBack(r)
	default:
		return unknown(r)
	}
}

// rollbackError is what Rollback answers.
func rollbackError(r messages.Result) error {
	switch r.Outcome {
	case protocol.OutcomeCommitted:
		return ErrCommitted
	case protocol.OutcomeRolledBack:
		return join(unacknowledged(r)...)
	default:
		return unknown(r)
	}
}

// endedError is the outcome of a transaction that cannot begin again.
func endedError(r messages.Result) error {
	if err := commitError(r); err != nil {
		return err
	}
	return ErrCommitted
}

// enlistError is what Enlist answers.
func (c *Coordinator) enlistError(r messages.Result) error {
	switch r.Refused {
	case messages.NotRefused:
		return nil
	case messages.RefusedFull:
		return &TooManyParticipantsError{ID: r.Transaction, Limit: c.config.MaxParticipants}
	case messages.RefusedConflict:
		return &AlreadyEnlistedError{ID: r.Transaction, Participant: r.Participant}
	}
	e := &NotActiveError{ID: r.Transaction, Participant: r.Participant, Outcome: Outcome(r.Outcome)}
	if r.Outcome == protocol.OutcomeRolledBack || len(r.Causes) > 0 {
		e.Err = join(causes(r)...)
	}
	return e
}

// beginError is why a transaction does not begin.
func (c *Coordinator) beginError(id uuid.UUID, err error) error {
	switch {
	case errors.Is(err, supervisor.ErrFull):
		return &TooManyTransactionsError{Limit: c.config.MaxTransactions}
	case errors.Is(err, supervisor.ErrOld):
		return c.tooOld(id, err)
	case errors.Is(err, ErrJournalFailed):
		return oneLine(err)
	}
	return err
}

// tooOld refuses an ID of which nobody can say whether it is new. If it would be
// presumed to be rolled back, that is what its transaction is from now on.
func (c *Coordinator) tooOld(id uuid.UUID, err error) error {
	outcome, _ := c.tree.Outcome(id)
	e := &NotActiveError{ID: id, Outcome: Outcome(outcome), Err: err}
	if outcome == protocol.OutcomeRolledBack {
		e.Err = join(err, &RolledBackError{ID: id})
	}
	return e
}

// openError is why a coordinator of that name does not open.
func openError(err error, coordinator string) error {
	if errors.Is(err, supervisor.ErrName) {
		return &InvalidNameError{Field: "Config.Name", Name: coordinator, Reason: err.Error(), Err: err}
	}
	return registrationError(err, "")
}

// registrationError is why a participant cannot be registered; of no name where
// it is one of many.
func registrationError(err error, name string) error {
	switch {
	case errors.Is(err, supervisor.ErrTooManyNames):
		return &TooManyParticipantsError{Limit: supervisor.MaxRegistered}
	case errors.Is(err, supervisor.ErrNameless):
		e := &InvalidNameError{Field: "Config.Name", Reason: "it is required with a participant.Recoverer", Err: err}
		if name != "" {
			e.Reason += fmt.Sprintf(", as %q is", name)
		}
		return e
	case errors.Is(err, supervisor.ErrKind):
		return &InvalidNameError{Name: name, Reason: err.Error(), Err: err}
	}
	return err
}

func rolledBack(r messages.Result) *RolledBackError {
	return &RolledBackError{ID: r.Transaction, Causes: append(causes(r), unacknowledged(r)...)}
}

func unknown(r messages.Result) *OutcomeUnknownError {
	return &OutcomeUnknownError{ID: r.Transaction, Err: join(causes(r)...)}
}

// causes are the reasons for a rollback, or for doubt.
func causes(r messages.Result) []error {
	var list []error
	for _, c := range r.Causes {
		switch {
		case c.Err == actors.ErrAlreadyEnlisted: // itself, not in a participant's error
			list = append(list, &AlreadyEnlistedError{ID: r.Transaction, Participant: c.Participant})
		case c.Participant != "":
			list = append(list, &ParticipantFailedToCommitError{r.Transaction, c.Participant, causeError(r.Transaction, c)})
		default:
			list = append(list, causeError(r.Transaction, c))
		}
	}
	return list
}

// unacknowledged are the rollbacks that have not been acknowledged.
func unacknowledged(r messages.Result) []error {
	var list []error
	for _, c := range r.Unacknowledged {
		list = append(list, &ParticipantFailedToRollbackError{r.Transaction, c.Participant, causeError(r.Transaction, c)})
	}
	return list
}

// causeError is one reason as an error: what was said, or that nothing was said
// in time, or both.
func causeError(id uuid.UUID, c messages.Cause) error {
	if c.Timeout == 0 {
		return c.Err
	}
	e := &TimeoutError{ID: id, Phase: c.Op.String(), After: c.Timeout}
	if c.Participant == "" {
		e.Phase = c.State.String()
	}
	if c.Err == nil {
		return e
	}
	return join(e, c.Err)
}
