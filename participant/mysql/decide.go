package mysql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-d36415c0/dtc/participant"
)

// Commit implements participant.Participant. Nil says that the branch is committed:
// the server has said so to the session that prepared it, or the branch's own row is
// seen. Where the branch is neither prepared nor committed, somebody has rolled it
// back by hand, or the server has lost it: Commit makes sure that it cannot commit any
// more and answers participant.ErrRolledBack, or *participant.ForgottenError where
// the row may have been purged. Other errors say nothing about the branch; the call
// is to be repeated.
func (p *Participant) Commit(ctx context.Context, branch participant.Branch) error {
	k, err := p.key(ctx, branch)
	if err != nil {
		return err
	}
	if b := p.find(k); b != nil {
		err := b.do(ctx, func() error { return b.commit(ctx) })
		if err == nil || errors.Is(err, participant.ErrNotPrepared) || ctx.Err() != nil {
			return err
		}
		b.drop()
	} else if p.commitDetached(ctx, k) {
		return nil
	}
	state, err := p.settle(ctx, k, commit)
	if err == nil && state != participant.Committed {
		err = participant.ErrRolledBack
	}
	return err
}

// commitDetached is the short way where XA PREPARE has untied the branch from its
// session: any session may commit it. False says nothing.
func (p *Participant) commitDetached(ctx context.Context, k participant.Key) bool {
	d, err := p.learn(ctx)
	if err != nil || !d.detaches {
		return false
	}
	s, err := p.connect(ctx)
	if err != nil {
		return false
	}
	err = s.exec(ctx, "XA COMMIT "+newXID(k, d.database, 0).String())
	if err != nil && number(err) == 0 {
		s.discard()
		return false
	}
	s.keep()
	return err == nil
}

// commit commits the branch in the session that prepared it. After an error nothing
// is known.
func (b *Branch) commit(ctx context.Context) error {
	if !b.prepared {
		return participant.ErrNotPrepared
	}
	if err := b.s.exec(ctx, "XA COMMIT "+b.xid.String()); err != nil {
		b.drop()
		return err
	}
	b.release(ctx)
	return nil
}

// Rollback implements participant.Participant. It is remembered by a row that keeps
// the branch from committing ever after. A committed branch is refused with
// participant.ErrCommitted.
func (p *Participant) Rollback(ctx context.Context, branch participant.Branch) error {
	k, err := p.key(ctx, branch)
	if err != nil {
		return err
	}
	state, err := p.rollback(ctx, k, rollback)
	if err == nil && state == participant.Committed {
		err = participant.ErrCommitted
	}
	return err
}

// patience is how long a rollback waits for a branch's own session to be free, before
// it ends that session from another.
const patience = time.Second

// rollback undoes the branch and fences it, unless it is committed.
func (p *Participant) rollback(ctx context.Context, k participant.Key, v verb) (participant.State, error) {
	if b := p.find(k); b != nil {
		b.end() // a statement that is under way is of no use any more
		soon, cancel := context.WithTimeout(ctx, patience)
		var state participant.State // which may still be written after an error
		err := b.do(soon, func() (err error) {
			state, err = b.rollback(soon)
			return err
		})
		cancel()
		if err == nil {
			return state, nil
		}
		b.drop()
	}
	return p.settle(ctx, k, v)
}

func (b *Branch) rollback(ctx context.Context) (participant.State, error) {
	if b.ended {
		return participant.Unknown, ErrBranchEnded
	}
	if err := b.undo(ctx); err != nil {
		return participant.Unknown, err
	}
	state, err := b.s.fence(ctx, b.d, b.key)
	if err == nil && !b.release(ctx) {
		err = ErrBranchEnded // and the fence with it, perhaps
	}
	return state, err
}

// CommitOnePhase implements participant.OnePhaseCommitter. It refuses what Prepare
// refuses, in part with participant.ErrRolledBack joined, which is final.
func (p *Participant) CommitOnePhase(ctx context.Context, branch participant.Branch) error {
	k, err := p.key(ctx, branch)
	if err != nil {
		return err
	}
	b, state, err := p.obtain(ctx, k, branch)
	if err != nil {
		return err
	}
	if b == nil {
		switch state {
		case participant.RolledBack:
			return participant.ErrRolledBack
		case participant.Prepared:
			return p.Commit(ctx, branch)
		}
		return nil // committed, or there was nothing to do
	}
	err = b.do(ctx, func() error { return b.onePhase(ctx) })
	if err != nil {
		b.drop()
	}
	return err
}

func (b *Branch) onePhase(ctx context.Context) error {
	switch {
	case b.prepared:
		return b.commit(ctx)
	case !b.ready.Load():
		return &BusyError{Transaction: b.key.Transaction, Connection: b.s.id}
	}
	if err := b.refusal(); err != nil {
		return fmt.Errorf("mysql: the branch is rolled back: %w", err)
	}
	if err := b.mark(ctx); err != nil {
		return err
	}
	if err := b.s.exec(ctx, "XA COMMIT "+b.xid.String()+" ONE PHASE"); err != nil {
		return explained("commit", err)
	}
	b.release(ctx)
	return nil
}

// Committed implements participant.OnePhaseCommitter. A branch that is not committed
// is rolled back by it. Where the answer may have been purged it is a
// *participant.ForgottenError.
func (p *Participant) Committed(ctx context.Context, branch participant.Branch) (bool, error) {
	k, err := p.key(ctx, branch)
	if err != nil {
		return false, err
	}
	state, err := p.rollback(ctx, k, ask)
	return err == nil && state == participant.Committed, err
}
