package files

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-d36415c0/dtc/participant"
)

// Prepare implements participant.Preparer: it makes what was done in the branch
// ready to commit, or what the payload says where the branch was not begun. It
// refuses with what the methods of [Branch] refuse with, with a [*ChangedError],
// [*MountError], [*PayloadError] or [*NoWorkError]; a branch that is refused is
// gone. A branch that changes nothing and expects nothing is read-only.
func (t *Tree) Prepare(ctx context.Context, b participant.Branch) error {
	return t.turn(ctx, b, func(k participant.Key) error {
		switch s, _, err := t.find(k); {
		case err != nil:
			return err
		case s == participant.Prepared, s == participant.Committed:
			return nil
		case s == participant.ReadOnly:
			return participant.ErrReadOnly
		case s == participant.RolledBack:
			return participant.ErrRolledBack
		case s == participant.Forgotten:
			return &participant.ForgottenError{Transaction: b.Transaction}
		}
		defer t.endOpen(b.Transaction, ErrPrepared) // one that is begun too late
		w, m, err := t.work(ctx, b)
		switch {
		case err != nil:
			return err
		case m == nil:
			return errors.Join(t.readOnly(k), participant.ErrReadOnly)
		}
		_, err = t.prepared(k, w, record{Op: opPrepare, Manifest: m})
		return err
	})
}

// prepared remembers that the branch is prepared.
func (t *Tree) prepared(k participant.Key, w *Branch, r record) (p *prepared, err error) {
	err = t.do(func(add func([]byte)) error {
		if err := t.add(add, k, r); err != nil {
			return err
		}
		p = t.book.prepared[k]
		p.owner = w.owner
		return nil
	})
	return p, err
}

// readOnly remembers the vote while the process lasts.
func (t *Tree) readOnly(k participant.Key) error {
	return t.do(func(func([]byte)) error { return t.book.enter(k, participant.ReadOnly) })
}

// Commit implements participant.Participant.
func (t *Tree) Commit(ctx context.Context, b participant.Branch) error {
	return t.turn(ctx, b, func(k participant.Key) error {
		switch s, p, err := t.find(k); {
		case err != nil:
			return err
		case s == participant.Prepared:
			return t.commit(ctx, k, p)
		case s == participant.RolledBack:
			return participant.ErrRolledBack
		case s == participant.Unknown:
			return participant.ErrNotPrepared
		case s == participant.ReadOnly:
			return t.note(k, record{Op: opCommit})
		}
		return nil // committed, or forgotten and so not prepared any more
	})
}

// commit decides a prepared branch, and does what it is to do. From the decision
// on there is no way back: half of the files may be in place.
func (t *Tree) commit(ctx context.Context, k participant.Key, p *prepared) error {
	if !p.decided {
		if err := t.whole(&p.manifest); err != nil {
			return err
		}
		if err := t.note(k, record{Op: opDecide}); err != nil {
			return err
		}
	}
	return t.finish(ctx, k, p)
}

// Rollback implements participant.Participant. It refuses a branch whose commit
// was begun with participant.ErrCommitted.
func (t *Tree) Rollback(ctx context.Context, b participant.Branch) error {
	return t.turn(ctx, b, func(k participant.Key) error {
		s, p, err := t.find(k)
		switch {
		case err != nil:
			return err
		case s == participant.Committed, p != nil && p.decided:
			return participant.ErrCommitted
		case s == participant.RolledBack, s == participant.Forgotten:
			t.drop(k, nil)
			return nil
		}
		return t.rollBack(k, p)
	})
}

func (t *Tree) rollBack(k participant.Key, p *prepared) error {
	if err := t.note(k, record{Op: opRollback}); err != nil {
		return err
	}
	t.drop(k, p)
	return nil
}

// drop lets go what a branch that is rolled back has held.
func (t *Tree) drop(k participant.Key, p *prepared) {
	t.endOpen(k.Transaction, participant.ErrRolledBack)
	if p != nil {
		t.locks.release(p.owner)
		t.discard(p.Stage)
	}
}

// turn lets one call of a branch at a time through.
func (t *Tree) turn(ctx context.Context, b participant.Branch, call func(participant.Key) error) error {
	leave, err := t.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	k := participant.Key{Coordinator: b.Coordinator, Transaction: b.Transaction}
	if err := t.turns.Take(ctx, k); err != nil {
		return err
	}
	defer t.turns.End(k)
	return call(k)
}

// find is what is known of a branch, and what it is to do where it is prepared.
func (t *Tree) find(k participant.Key) (s participant.State, p *prepared, err error) {
	err = t.do(func(func([]byte)) (err error) {
		s, err = t.book.state(k)
		p = t.book.prepared[k]
		return err
	})
	return s, p, err
}

// note changes what is known of a branch, and returns when that is durable.
func (t *Tree) note(k participant.Key, r record) error {
	return t.do(func(add func([]byte)) error { return t.add(add, k, r) })
}

func (t *Tree) add(add func([]byte), k participant.Key, r record) error {
	r.Coordinator, r.Transaction = []byte(k.Coordinator), k.Transaction
	if err := t.book.apply(r); err != nil {
		return err
	}
	add(encode(r))
	return nil
}

func (t *Tree) do(f func(add func([]byte)) error) error {
	if err := t.log.Do(f); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	return nil
}
