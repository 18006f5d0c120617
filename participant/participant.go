// Package participant says what a service must do to take part in a
// transaction.
//
// A participant is anything that can do its part of some work and undo it: a
// database, a file, a remote service. The coordinator tells it what to do with
// one [Branch] at a time, its part of one transaction:
//
//   - A participant with only Commit and Rollback is one-phase: it does its work
//     when it is asked to commit, and is compensated by Rollback.
//   - A participant that is also a [Preparer] is two-phase: Prepare makes the
//     branch able to go either way, durably; Commit or Rollback then says which.
//
// Three promises are asked of every participant, and package participanttest
// checks them against yours:
//
//  1. Every call may come again, and takes effect once.
//  2. Rollback of a branch it has never heard of is acknowledged and remembered.
//  3. A branch that was rolled back stays so: a later Prepare or Commit of it is
//     refused with [ErrRolledBack].
//
// [Idempotent] keeps them for a participant that cannot keep them itself.
package participant

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Branch is one participant's part of one transaction.
type Branch struct {
	// Coordinator is the name of the coordinator that owns the transaction
	// (Config.Name); empty where it has none.
	Coordinator string
	// Transaction is the transaction's id, a version 7 UUID.
	Transaction uuid.UUID
	// Participant is the name under which the participant was enlisted.
	Participant string
	// Payload is what the application gave to Enlist; nil where it gave nothing.
	// It is shared by all calls of the branch and must not be changed.
	Payload []byte
}

// Participant is a service that takes part in transactions.
//
// The calls of one branch come one at a time and in order. Calls of different
// branches come concurrently, unless the participant is [NonBlocking]. Any
// call may be repeated, also after a restart of the coordinator, and must take
// effect once. A panic counts as an error. The context ends when the call's
// time is up; the coordinator does not wait for a call past that, but sends
// the branch nothing else until the call has returned.
type Participant interface {
	// Name identifies the participant: the coordinator finds it by this name
	// after a restart. It never changes, and is 1 to 128 bytes of UTF-8 without
	// control characters.
	Name() string

	// Commit makes the branch permanent. A one-phase participant does its work
	// here, and any error makes the transaction roll back. For a two-phase one
	// it comes only after a successful Prepare; an error means that it is
	// called again until it succeeds. A branch that was rolled back before
	// answers [ErrRolledBack].
	Commit(ctx context.Context, b Branch) error

	// Rollback undoes the branch, whatever came before: work that was done
	// outside of any call, Prepare, a one-phase Commit, or nothing at all. An
	// error means that it is called again until it succeeds.
	Rollback(ctx context.Context, b Branch) error
}

// Preparer is a two-phase participant.
type Preparer interface {
	Participant

	// Prepare makes the branch able to commit or roll back, so that neither can
	// fail for a reason known now, and so that a crash does not lose it. Nil is a
	// vote to commit; [ErrReadOnly] says that there is nothing to commit or roll
	// back, and that the branch wants no further call; any other error is a vote
	// to roll back.
	Prepare(ctx context.Context, b Branch) error
}

// OnePhaseCommitter is a two-phase participant that can commit a branch
// without Prepare, and can say later what became of it. A transaction with
// this participant alone is left to it: the coordinator asks for one call
// instead of two.
type OnePhaseCommitter interface {
	Preparer

	// CommitOnePhase commits a branch that was not prepared. Nil says that it is
	// committed, an error that wraps [ErrRolledBack] that it is rolled back for
	// good; after any other error the coordinator asks Committed.
	CommitOnePhase(ctx context.Context, b Branch) error

	// Committed tells whether CommitOnePhase of the branch took effect. For a
	// branch that is unknown or was never committed it answers false and makes
	// sure that a CommitOnePhase that comes later is refused with
	// [ErrRolledBack].
	Committed(ctx context.Context, b Branch) (bool, error)
}

// Recoverer is a participant that can list its own unfinished branches, so
// that the coordinator need not write down beforehand which ones there are.
type Recoverer interface {
	Participant

	// InDoubt lists the transactions of which this participant holds a branch
	// that is neither committed nor rolled back and that belongs to the named
	// coordinator: prepared ones, and unprepared work that survived. It may be
	// called at any time, beside calls of branches, also from a [NonBlocking]
	// participant's mailbox.
	InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error)
}

// NonBlocking marks a participant whose calls neither wait nor take long. They
// are made one at a time, so that it needs no lock. One that blocks all the same
// holds up its other calls, and the coordinator's Close.
type NonBlocking interface {
	NonBlocking()
}

// Errors a participant answers with. They may be wrapped.
var (
	// ErrReadOnly is a vote: the branch has nothing to commit or to roll back.
	ErrReadOnly = errors.New("participant: read-only")
	// ErrRolledBack refuses a Prepare or Commit of a branch that was rolled back
	// before.
	ErrRolledBack = errors.New("participant: branch was rolled back")
)

// Wrapper is a participant that adds something to another one. Optional
// interfaces are looked for in the wrapper first and then in what it wraps.
type Wrapper interface {
	Participant
	Unwrap() Participant
}

// As finds the optional interface T ([Preparer], [Recoverer] …) in p, or in
// what p wraps.
func As[T any](p Participant) (T, bool) {
	for p != nil {
		if t, ok := p.(T); ok {
			return t, true
		}
		w, ok := p.(Wrapper)
		if !ok {
			break
		}
		p = w.Unwrap()
	}
	var none T
	return none, false
}
