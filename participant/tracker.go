package participant

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant/internal/turns"
)

// tracker makes a participant's calls and remembers what became of them. A
// branch's state is read and written only while its key is locked.
type tracker struct {
	p     Participant
	store Store
	turns turns.Turns[Key] // at branches
	turn  *sync.Mutex      // held while a NonBlocking participant is called; else nil

	mu sync.Mutex
	// unsaved holds what happened and could not be recorded, so that a store's
	// passing failure does not repeat an effect. Each entry is of a branch that
	// the store has as begun or prepared, so they are as few as those.
	unsaved map[Key]State
}

func newTracker(p Participant, s Store) *tracker {
	t := &tracker{p: p, store: s, unsaved: make(map[Key]State)}
	if _, ok := As[NonBlocking](p); ok {
		t.turn = new(sync.Mutex)
	}
	return t
}

func (t *tracker) Name() string { return t.p.Name() }

// track calls act with the branch's state, one call of a branch at a time.
func (t *tracker) track(ctx context.Context, b Branch, act func(State) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.turns.Take(ctx, b.Key()); err != nil {
		return err
	}
	defer t.turns.End(b.Key())
	s, err := t.load(ctx, b.Key())
	if err != nil {
		return err
	}
	return act(s)
}

// load reads a state, and first records it where that failed before.
func (t *tracker) load(ctx context.Context, k Key) (State, error) {
	t.mu.Lock()
	s, ok := t.unsaved[k]
	t.mu.Unlock()
	if ok {
		return s, t.record(ctx, k, s)
	}
	return t.store.Load(ctx, k)
}

// record saves what has happened already, so the caller's time does not bound it.
func (t *tracker) record(ctx context.Context, k Key, s State) error {
	err := t.store.Save(context.WithoutCancel(ctx), k, s)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.unsaved[k] = s
		return err
	}
	delete(t.unsaved, k)
	return nil
}

// perform makes a call that brings the branch from one state to another.
//
// Without a shared transaction, that a call was begun is recorded first:
// otherwise a crash in the call would leave an effect that nobody undoes.
func (t *tracker) perform(ctx context.Context, b Branch, from, to State, call func(context.Context, Branch) error) error {
	if tx, ok := t.store.(Transactor); ok {
		err := tx.Transact(ctx, func(ctx context.Context) error {
			if err := t.call(ctx, b, call); err != nil {
				return err
			}
			return t.store.Save(ctx, b.Key(), to)
		})
		return t.answer(ctx, b, from, err)
	}
	if from == Unknown {
		if err := t.store.Save(ctx, b.Key(), Begun); err != nil {
			return err
		}
	}
	if err := t.call(ctx, b, call); err != nil {
		return t.answer(ctx, b, from, err)
	}
	return t.record(ctx, b.Key(), to)
}

// answer passes on the participant's error, and records one that settles the
// branch.
func (t *tracker) answer(ctx context.Context, b Branch, from State, err error) error {
	var settled State
	switch {
	case from == Prepared || from == Committed:
		return err
	case errors.Is(err, ErrReadOnly):
		settled = ReadOnly
	case errors.Is(err, ErrRolledBack):
		settled = RolledBack
	default:
		return err
	}
	if failed := t.record(ctx, b.Key(), settled); failed != nil {
		return failed
	}
	return err
}

func (t *tracker) call(ctx context.Context, b Branch, call func(context.Context, Branch) error) error {
	defer t.takeTurn()()
	return call(ctx, b)
}

// rollback undoes a branch that is not committed, and calls the participant only
// if there can be something to undo.
func (t *tracker) rollback(ctx context.Context, b Branch, s State) error {
	switch s {
	case RolledBack:
		return nil
	case Unknown:
		held, err := t.holds(ctx, b)
		if err != nil {
			return err
		}
		if held {
			break
		}
		fallthrough
	case ReadOnly:
		return t.store.Save(ctx, b.Key(), RolledBack)
	}
	return t.perform(ctx, b, s, RolledBack, t.p.Rollback)
}

// holds asks a Recoverer whether it has the branch, of which the store knows
// nothing: from work outside of any call, or from before the store was lost.
func (t *tracker) holds(ctx context.Context, b Branch) (bool, error) {
	r, ok := As[Recoverer](t.p)
	if !ok {
		return false, nil
	}
	defer t.takeTurn()()
	ids, err := r.InDoubt(ctx, b.Coordinator)
	return slices.Contains(ids, b.Transaction), err
}

// takeTurn waits until the participant may be called, and returns what to call
// after it.
func (t *tracker) takeTurn() (done func()) { return lockIf(t.turn) }

func lockIf(m *sync.Mutex) (unlock func()) {
	if m == nil {
		return func() {}
	}
	m.Lock()
	return m.Unlock
}

// recoverable adds the listing of a tracked participant's branches.
type recoverable struct {
	Participant // the tracked one
	inner       Recoverer
	turn        *sync.Mutex
}

func (r *recoverable) Unwrap() Participant { return r.Participant }

func (r *recoverable) InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	defer lockIf(r.turn)()
	return r.inner.InDoubt(ctx, coordinator)
}

// nonBlocking marks a tracked participant whose store does not block either.
type nonBlocking struct{ Participant }

func (n nonBlocking) Unwrap() Participant { return n.Participant }
func (n nonBlocking) NonBlocking()        {}
