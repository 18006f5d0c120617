package sqlbranch

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// TCC is a branch that is reserved before it is completed. All three are needed.
type TCC struct {
	// Try checks that the branch can be completed, and reserves what that takes, so
	// that Confirm and Cancel can succeed. An error refuses the branch, and
	// participant.ErrReadOnly says that there is nothing to complete.
	Try Work
	// Confirm completes what Try has reserved.
	Confirm Work
	// Cancel releases what Try has reserved. It is called only if Try has succeeded.
	Cancel Work
}

// TwoPhase is a participant that tries first, and then confirms or cancels. Its
// methods may be called from everywhere, in several processes at the same time.
//
// They fail with the error of the function that they called, with participant's
// errors as package participant says, with [*InvalidError], [*CommitError] and
// [ErrTransactionEnded], with the context's error, or with the driver's.
type TwoPhase struct {
	branches
	work TCC
}

var (
	_ participant.OnePhaseCommitter = (*TwoPhase)(nil)
	_ participant.Recoverer         = (*TwoPhase)(nil)
)

// NewTCC makes a two-phase participant of a database. The name is the
// participant's, of 1 to 128 bytes: the same in all processes that serve it, and
// another for each participant in the database. The tables need not be there yet.
// It fails with [*InvalidError].
func NewTCC(name string, db Database, work TCC) (*TwoPhase, error) {
	for field, f := range map[string]Work{"TCC.Try": work.Try, "TCC.Confirm": work.Confirm, "TCC.Cancel": work.Cancel} {
		if f == nil {
			return nil, &InvalidError{Field: field, Reason: "is nil"}
		}
	}
	b, err := newBranches(name, db)
	if err != nil {
		return nil, err
	}
	return &TwoPhase{branches: b, work: work}, nil
}

// Prepare implements participant.Preparer: it calls Try.
func (p *TwoPhase) Prepare(ctx context.Context, b participant.Branch) error {
	return p.step(ctx, b, func(s participant.State) (*transition, error) {
		switch s {
		case participant.Prepared, participant.Committed:
			return nil, nil
		case participant.RolledBack:
			return nil, participant.ErrRolledBack
		case participant.Forgotten:
			return nil, &participant.ForgottenError{Transaction: b.Transaction}
		}
		return &transition{to: participant.Prepared, work: p.work.Try}, nil
	})
}

// Commit implements participant.Participant: it calls Confirm.
func (p *TwoPhase) Commit(ctx context.Context, b participant.Branch) error {
	return p.step(ctx, b, func(s participant.State) (*transition, error) {
		switch s {
		case participant.Prepared:
			return &transition{to: participant.Committed, work: p.work.Confirm}, nil
		case participant.RolledBack:
			return nil, participant.ErrRolledBack
		case participant.Unknown:
			return nil, participant.ErrNotPrepared
		}
		return nil, nil // committed; a forgotten branch too, for it is not prepared any more
	})
}

// Rollback implements participant.Participant: it calls Cancel, if Try has
// succeeded. It refuses a committed branch with participant.ErrCommitted.
func (p *TwoPhase) Rollback(ctx context.Context, b participant.Branch) error {
	return p.step(ctx, b, func(s participant.State) (*transition, error) {
		switch s {
		case participant.Unknown:
			return &transition{to: participant.RolledBack}, nil
		case participant.Prepared:
			return &transition{to: participant.RolledBack, work: p.work.Cancel}, nil
		case participant.Committed:
			return nil, participant.ErrCommitted
		}
		return nil, nil // rolled back; or forgotten, so neither prepared nor to be prepared
	})
}

// CommitOnePhase implements participant.OnePhaseCommitter: it calls Try and
// Confirm, in one local transaction.
func (p *TwoPhase) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	return p.step(ctx, b, func(s participant.State) (*transition, error) {
		switch s {
		case participant.Committed:
			return nil, nil
		case participant.RolledBack:
			return nil, participant.ErrRolledBack
		case participant.Forgotten:
			return nil, &participant.ForgottenError{Transaction: b.Transaction}
		case participant.Prepared:
			return &transition{to: participant.Committed, work: p.work.Confirm}, nil
		}
		return &transition{to: participant.Committed, work: p.both}, nil
	})
}

func (p *TwoPhase) both(ctx context.Context, tx *sql.Tx, b participant.Branch) error {
	err := p.work.Try(ctx, tx, b)
	if errors.Is(err, participant.ErrReadOnly) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.work.Confirm(ctx, tx, b)
}

// Committed implements participant.OnePhaseCommitter. A branch that is not
// committed is rolled back by it.
func (p *TwoPhase) Committed(ctx context.Context, b participant.Branch) (bool, error) {
	committed := false
	err := p.step(ctx, b, func(s participant.State) (*transition, error) {
		committed = s == participant.Committed
		switch s {
		case participant.Unknown:
			return &transition{to: participant.RolledBack}, nil
		case participant.Prepared:
			return &transition{to: participant.RolledBack, work: p.work.Cancel}, nil
		case participant.Forgotten:
			return nil, &participant.ForgottenError{Transaction: b.Transaction}
		}
		return nil, nil
	})
	return committed && err == nil, err
}

// InDoubt implements participant.Recoverer: it lists what was tried and neither
// confirmed nor cancelled.
func (p *TwoPhase) InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := p.db.again(ctx, func() (err error) {
		ids, err = p.list(ctx, coordinator)
		return wrapped("in doubt", err)
	})
	return ids, err
}

// list reads outside of a transaction, so that it waits for nobody.
func (p *TwoPhase) list(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	rows, err := p.db.DB.QueryContext(ctx, p.db.texts().inDoubt, p.name, coordinator)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []uuid.UUID
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
