package files

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// Begin returns the branch of a transaction, to work in. Begun again before it is
// prepared, it is the same branch: until then the id alone names it, whoever the
// coordinator is. It refuses a transaction whose branch is
// prepared or finished with [ErrPrepared], participant.ErrRolledBack,
// participant.ErrCommitted or a *participant.ForgottenError, and one branch more
// than Options.MaxOpen with a [*LimitError].
func (t *Tree) Begin(ctx context.Context, id uuid.UUID) (*Branch, error) {
	leave, err := t.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.sweep()
	b, err := t.join(id)
	if err != nil {
		return nil, err
	}
	// Only now, so that a Rollback that comes meanwhile finds the branch.
	if err := t.beginnable(id); err != nil {
		t.endOpen(id, err)
		return nil, err
	}
	return b, nil
}

func (t *Tree) join(id uuid.UUID) (*Branch, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.open[id]; b != nil {
		return b, nil
	}
	if n := len(t.open) + 1; n > t.o.MaxOpen {
		return nil, &LimitError{Option: "MaxOpen", Limit: int64(t.o.MaxOpen), Value: int64(n)}
	}
	b := t.newBranch(id)
	t.open[id] = b
	return b, nil
}

func (t *Tree) beginnable(id uuid.UUID) error {
	var s participant.State
	err := t.do(func(func([]byte)) (err error) {
		s, err = t.book.any(id)
		return err
	})
	if err != nil {
		return err
	}
	switch s {
	case participant.Prepared, participant.ReadOnly:
		return ErrPrepared
	case participant.Committed:
		return participant.ErrCommitted
	case participant.RolledBack:
		return participant.ErrRolledBack
	case participant.Forgotten:
		return &participant.ForgottenError{Transaction: id}
	}
	return nil
}

// takeOpen takes a branch out of those that are open; nil if it is not.
func (t *Tree) takeOpen(id uuid.UUID) *Branch {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.open[id]
	delete(t.open, id)
	return b
}

func (t *Tree) endOpen(id uuid.UUID, why error) {
	if b := t.takeOpen(id); b != nil {
		t.end(b, why)
	}
}

// sweep gives up the open branches that have outlived their time, and tells
// whether there was any.
func (t *Tree) sweep() bool {
	var old []*Branch
	t.mu.Lock()
	for id, b := range t.open {
		if time.Since(b.begun) > t.o.Lifetime {
			old = append(old, b)
			delete(t.open, id)
		}
	}
	t.mu.Unlock()
	for _, b := range old {
		t.end(b, &NoWorkError{Transaction: b.id, Lifetime: t.o.Lifetime})
	}
	return len(old) > 0
}

// end lets a branch go that is not prepared.
func (t *Tree) end(b *Branch, why error) {
	b.mu.Lock()
	b.over = why
	stage := b.stage
	b.mu.Unlock()
	t.locks.release(b.owner)
	t.discard(stage)
}
