package files

import (
	"context"
	"errors"

	"github.com/seed-d36415c0/dtc/participant"
)

// CommitOnePhase implements participant.OnePhaseCommitter. A refusal wraps, beside
// what Prepare would have said, participant.ErrRolledBack: it is final.
func (t *Tree) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	return t.turn(ctx, b, func(k participant.Key) error {
		switch s, p, err := t.find(k); {
		case err != nil:
			return err
		case s == participant.Committed:
			return nil
		case s == participant.ReadOnly:
			return t.note(k, record{Op: opCommit})
		case s == participant.RolledBack:
			return participant.ErrRolledBack
		case s == participant.Forgotten:
			return &participant.ForgottenError{Transaction: b.Transaction}
		case s == participant.Prepared:
			return t.commit(ctx, k, p)
		}
		return t.commitAtOnce(ctx, b, k)
	})
}

func (t *Tree) commitAtOnce(ctx context.Context, b participant.Branch, k participant.Key) error {
	defer t.endOpen(b.Transaction, ErrPrepared)
	w, m, err := t.work(ctx, b)
	switch {
	case err != nil:
		if noted := t.rollBack(k, nil); noted != nil {
			return errors.Join(noted, err)
		}
		return refused(err)
	case m == nil:
		return t.note(k, record{Op: opCommit})
	}
	p, err := t.prepared(k, w, record{Op: opPrepare, Manifest: m, Decided: true})
	if err != nil {
		return err
	}
	return t.finish(ctx, k, p)
}

// Committed implements participant.OnePhaseCommitter. A branch that is not
// committed is rolled back by it; one whose commit was begun is finished.
func (t *Tree) Committed(ctx context.Context, b participant.Branch) (committed bool, err error) {
	err = t.turn(ctx, b, func(k participant.Key) error {
		s, p, err := t.find(k)
		switch {
		case err != nil:
			return err
		case s == participant.Forgotten:
			return &participant.ForgottenError{Transaction: b.Transaction}
		case s == participant.RolledBack:
			return nil
		case s == participant.Committed:
			committed = true
			return nil
		case p != nil && p.decided:
			committed = true
			return t.finish(ctx, k, p)
		}
		return t.rollBack(k, p)
	})
	return committed && err == nil, err
}
