package sqlbranch

import (
	"context"

	"github.com/seed-d36415c0/dtc/participant"
)

// Saga is a branch that is done at once, and undone if others could not do theirs.
// Both are needed.
type Saga struct {
	// Do does the branch's work. An error refuses the branch.
	Do Work
	// Undo compensates what Do has done. It is called only if Do has succeeded.
	Undo Work
}

// OnePhase is a participant that does its work when it is asked to commit, and
// undoes it when it is rolled back. Its methods may be called from everywhere, in
// several processes at the same time. They fail as those of [TwoPhase] do.
type OnePhase struct {
	branches
	work Saga
}

var _ participant.Participant = (*OnePhase)(nil)

// NewSaga makes a one-phase participant of a database. The name is the
// participant's, as in [NewTCC]. It fails with [*InvalidError].
func NewSaga(name string, db Database, work Saga) (*OnePhase, error) {
	for field, f := range map[string]Work{"Saga.Do": work.Do, "Saga.Undo": work.Undo} {
		if f == nil {
			return nil, &InvalidError{Field: field, Reason: "is nil"}
		}
	}
	b, err := newBranches(name, db)
	if err != nil {
		return nil, err
	}
	return &OnePhase{branches: b, work: work}, nil
}

// Commit implements participant.Participant: it calls Do.
func (p *OnePhase) Commit(ctx context.Context, b participant.Branch) error {
	return p.step(ctx, b, func(s participant.State) (*transition, error) {
		switch s {
		case participant.Committed:
			return nil, nil
		case participant.RolledBack:
			return nil, participant.ErrRolledBack
		case participant.Forgotten:
			return nil, &participant.ForgottenError{Transaction: b.Transaction}
		}
		return &transition{to: participant.Committed, work: p.work.Do}, nil
	})
}

// Rollback implements participant.Participant: it calls Undo, if Do has succeeded.
// A branch that has been purged is refused with a *participant.ForgottenError, for
// it may have been done.
func (p *OnePhase) Rollback(ctx context.Context, b participant.Branch) error {
	return p.step(ctx, b, func(s participant.State) (*transition, error) {
		switch s {
		case participant.RolledBack:
			return nil, nil
		case participant.Committed:
			return &transition{to: participant.RolledBack, work: p.work.Undo}, nil
		case participant.Forgotten:
			return nil, &participant.ForgottenError{Transaction: b.Transaction}
		}
		return &transition{to: participant.RolledBack}, nil
	})
}
