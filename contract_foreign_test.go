package dtc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
)

// agrees is an error of somebody who says yes to everything.
type agrees struct{}

func (agrees) Error() string   { return "as you like" }
func (agrees) Is(error) bool   { return true }
func (agrees) Unwrap() []error { return []error{dtc.ErrCommitted, dtc.ErrRolledBack} }

// detail is a participant's own error type.
type detail struct{ shelf int }

func (d *detail) Error() string { return fmt.Sprint("shelf ", d.shelf) }

// foreigners are errors that tell of the outcome of something else. Each is
// errRefused, a *detail and a deadline too, which must be found.
func foreigners() map[string]error {
	id := uuid.Must(uuid.NewV7())
	list := map[string]error{
		"rolled back, sentinel": dtc.ErrRolledBack, "unknown, sentinel": dtc.ErrOutcomeUnknown, "committed": dtc.ErrCommitted,
		"rolled back": &dtc.RolledBackError{ID: id, Causes: []error{dtc.ErrOutcomeUnknown}},
		"unknown":     &dtc.OutcomeUnknownError{ID: id, Err: dtc.ErrCommitted},
		"not active":  &dtc.NotActiveError{ID: id, Err: &dtc.RolledBackError{ID: id}},
		"a vote":      participant.ErrReadOnly,
	}
	for name, err := range list {
		list[name] = fmt.Errorf("elsewhere: %w", errors.Join(err, errRefused, &detail{7}, context.DeadlineExceeded))
	}
	return list
}

// tells fails the test unless err tells this one outcome, of this transaction,
// and all else that the foreign error in it is.
func tells(t *testing.T, err error, want error, id uuid.UUID) {
	t.Helper()
	for _, outcome := range []error{dtc.ErrRolledBack, dtc.ErrOutcomeUnknown, dtc.ErrCommitted} {
		if errors.Is(err, outcome) != (outcome == want) {
			t.Errorf("errors.Is(%v) is %v: %v", outcome, errors.Is(err, outcome), err)
		}
	}
	if errors.Is(err, participant.ErrReadOnly) {
		t.Errorf("the answer is a vote: %v", err)
	}
	var back *dtc.RolledBackError
	if errors.As(err, &back) != (want == dtc.ErrRolledBack) || back != nil && back.ID != id {
		t.Errorf("errors.As finds %v", back)
	}
	var unknown *dtc.OutcomeUnknownError
	if errors.As(err, &unknown) != (want == dtc.ErrOutcomeUnknown) || unknown != nil && unknown.ID != id {
		t.Errorf("errors.As finds %v", unknown)
	}
	is(t, err, errRefused, context.DeadlineExceeded)
	if as[*detail](t, err).shelf != 7 || !strings.Contains(err.Error(), "shelf 7") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %q", err)
	}
}

// Whatever a participant's error says of another transaction, the answer tells
// the outcome of this one.
func TestContractForeign_Participants(t *testing.T) {
	for name, foreign := range foreigners() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, dtc.Config{})
				if name != "a vote" { // which would be taken for one
					a := newTwo(t, "a")
					a.next(prepare, fails(foreign))
					id := r.begin(a)
					tells(t, r.Commit(background, id), dtc.ErrRolledBack, id)
				}
				b := newOne(t, "b")
				b.next(commit, fails(foreign))
				id := r.begin(b)
				err := r.Commit(background, id)
				tells(t, err, dtc.ErrRolledBack, id)
				if failed := as[*dtc.ParticipantFailedToCommitError](t, err); failed.Err != foreign {
					t.Errorf("the participant's own error is %v", failed.Err)
				}

				b.every(rollback, fails(foreign))
				id = r.begin(b)
				err = r.Rollback(background, id)
				tells(t, err, nil, id)
				is(t, err, dtc.ErrParticipantFailedToRollback)
				d, err := r.Inspect(background, id)
				ok(t, err)
				for _, waiting := range d.Waiting {
					tells(t, waiting, nil, id)
				}
				b.every(rollback, nil)
				pass(time.Minute)
			})
		})
	}
}

// An outcome that is unknown is not what the only participant's error says of
// another: it may have been committed.
func TestContractForeign_Unknown(t *testing.T) {
	for name, foreign := range foreigners() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, dtc.Config{})
				d := newDelegate(t, "d")
				d.next(onePhase, fails(foreign))
				d.every(ask, refuse)
				id := r.begin(d)
				tells(t, r.Commit(background, id), dtc.ErrOutcomeUnknown, id)
				d.every(ask, remembersAll(d.fake))
				pass(time.Minute)
				r.outcome(id, dtc.Committed)

				d.next(onePhase, fails(foreign))
				d.every(ask, refuse)
				err := r.Run(background, nil, func(tx *dtc.Tx) error {
					id = tx.ID()
					ok(t, tx.Enlist(background, d, nil))
					is(t, r.Commit(background, id), dtc.ErrOutcomeUnknown)
					return foreign
				})
				tells(t, err, dtc.ErrOutcomeUnknown, id)
				d.every(ask, nil)
				pass(time.Minute)
			})
		})
	}
}

// Run tells the outcome of its own transaction, whatever its function returns.
func TestContractForeign_Run(t *testing.T) {
	all := foreigners()
	all["everything"] = errors.Join(agrees{}, &detail{7})
	for name, foreign := range all {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, dtc.Config{})
				a := newTwo(t, "a")
				var id uuid.UUID
				tells(t, r.Run(background, nil, func(tx *dtc.Tx) error {
					id = tx.ID()
					ok(t, tx.Enlist(background, a, nil))
					return foreign
				}), dtc.ErrRolledBack, id)
				r.outcome(id, dtc.RolledBack)

				tells(t, r.Run(background, nil, func(tx *dtc.Tx) error {
					id = tx.ID()
					ok(t, tx.Enlist(background, a, nil))
					ok(t, r.Commit(background, id))
					return foreign
				}), dtc.ErrCommitted, id)
				r.outcome(id, dtc.Committed)
			})
		})
	}
}

// Transactions inside transactions: each level tells its own outcome.
func TestContractForeign_Nested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		inner := func(context.Context, participant.Branch) error {
			return r.Run(background, nil, func(*dtc.Tx) error { return errWork })
		}
		d := newDelegate(t, "d")
		d.next(onePhase, inner)
		d.every(ask, refuse)
		id := r.begin(d)
		err := r.Commit(background, id)
		is(t, err, dtc.ErrOutcomeUnknown, errWork)
		isNot(t, err, dtc.ErrRolledBack)
		d.every(ask, nil)
		pass(time.Minute)

		err = r.Run(background, nil, func(tx *dtc.Tx) error {
			ok(t, r.Commit(background, tx.ID()))
			return inner(background, participant.Branch{})
		})
		is(t, err, dtc.ErrCommitted, errWork)
		isNot(t, err, dtc.ErrRolledBack)

		a := newOne(t, "a")
		a.next(commit, inner)
		id = r.begin(a)
		err = r.Commit(background, id)
		is(t, err, dtc.ErrRolledBack, dtc.ErrParticipantFailedToCommit, errWork)
		if back := as[*dtc.RolledBackError](t, err); back.ID != id {
			t.Errorf("found the inner transaction's %v", back)
		}
	})
}

// The error of the transaction's own Enlist says that it is rolled back, and so
// does Run.
func TestContractForeign_OwnEnlist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		err := r.Run(background, nil, func(tx *dtc.Tx) error {
			pass(time.Minute)
			return tx.Enlist(background, newTwo(t, "late"), nil)
		})
		is(t, err, dtc.ErrRolledBack, dtc.ErrNotActive, dtc.ErrTimeout)
		isNot(t, err, dtc.ErrOutcomeUnknown, dtc.ErrCommitted)

		err = r.Run(background, nil, func(tx *dtc.Tx) error {
			ok(t, r.Commit(background, tx.ID()))
			return tx.Enlist(background, newTwo(t, "later"), nil)
		})
		is(t, err, dtc.ErrCommitted, dtc.ErrNotActive)
		isNot(t, err, dtc.ErrOutcomeUnknown, dtc.ErrRolledBack)
	})
}

// An outcome hides those beneath it also where the application put the errors
// together itself.
func TestContractForeign_ByHand(t *testing.T) {
	id := uuid.Must(uuid.NewV7())
	for _, foreign := range foreigners() {
		for want, err := range map[error]error{
			dtc.ErrRolledBack:     &dtc.RolledBackError{ID: id, Causes: []error{nil, foreign}},
			dtc.ErrOutcomeUnknown: &dtc.OutcomeUnknownError{ID: id, Err: foreign},
		} {
			tells(t, err, want, id)
		}
		for _, err := range []error{
			&dtc.ParticipantFailedToCommitError{ID: id, Participant: "p", Err: foreign},
			&dtc.ParticipantFailedToRollbackError{ID: id, Participant: "p", Err: foreign},
		} {
			tells(t, err, nil, id)
		}
	}
	plain := &dtc.RolledBackError{ID: id, Causes: []error{errWork}}
	if !slices.Equal(plain.Unwrap(), []error{errWork}) {
		t.Errorf("an error without an outcome is wrapped: %v", plain.Unwrap())
	}
}
