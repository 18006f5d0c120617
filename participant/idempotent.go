package participant

import "context"

// Idempotent keeps the three promises of the package for a participant that
// cannot keep them itself: with it, p is called only when there is something
// left to do.
//
//   - A call that succeeded is not repeated: p sees it once, a duplicate is
//     answered from the store.
//   - Rollback of a branch of which no call was ever begun is acknowledged and
//     remembered, and does not reach p. So p's work must be done in its calls,
//     unless p is a [Recoverer]: then p is asked whether it holds the branch.
//   - Rollback of a branch of which a call was begun reaches p until it
//     succeeds once, also where that call failed or was cut off by a crash: only
//     p can tell what it did. A p that refuses a branch cleanly, with nothing to
//     undo, wraps [ErrRolledBack] in its error and is left alone after that.
//   - A call that comes after Rollback is refused with [ErrRolledBack].
//   - A call that fails, panics or was never answered is made again when asked
//     again.
//
// Once across crashes holds only if the store shares the effect's own
// transaction, as a [Transactor] does. With any other store a crash between
// p's effect and the record of it has p called once more; and with one that has
// dropped the branch, Prepare and a one-phase branch's Commit and Rollback are
// refused with a [*ForgottenError].
//
// The result is of p's kind: it is a [Preparer], an [OnePhaseCommitter] or a
// [Recoverer] exactly where p is one, and [NonBlocking] where p and the store
// are. All of these, found with [As], keep track; p itself cannot be reached
// through the result, nor can its other interfaces. A p that is NonBlocking is
// called by one goroutine at a time whatever the store.
//
// A nil store means a new [MemoryStore]. Several participants may share a
// store, but one participant must be wrapped once: calls for the same branch
// wait for each other within the wrapper.
func Idempotent(p Participant, s Store) Participant {
	if s == nil {
		s = new(MemoryStore)
	}
	t := newTracker(p, s)
	w := t.ofKind()
	if r, ok := As[Recoverer](p); ok {
		w = &recoverable{Participant: w, inner: r, turn: t.turn}
	}
	_, lean := s.(NonBlocking)
	if t.turn != nil && lean {
		w = nonBlocking{w}
	}
	return w
}

// ofKind gives the tracker the methods of its participant's kind. None of the
// results is a Wrapper: a way to the participant would be a way around.
func (t *tracker) ofKind() Participant {
	two, ok := As[Preparer](t.p)
	if !ok {
		return &onePhase{t}
	}
	tracked := &twoPhase{tracker: t, inner: two}
	if one, ok := As[OnePhaseCommitter](t.p); ok {
		return &onePhaseCommitter{twoPhase: tracked, inner: one}
	}
	return tracked
}

// onePhase tracks a participant with Commit and Rollback alone.
type onePhase struct{ *tracker }

func (o *onePhase) Commit(ctx context.Context, b Branch) error {
	return o.track(ctx, b, func(s State) error {
		switch s {
		case Committed:
			return nil
		case RolledBack:
			return ErrRolledBack
		case Forgotten:
			return &ForgottenError{b.Transaction}
		}
		return o.perform(ctx, b, s, Committed, o.p.Commit)
	})
}

func (o *onePhase) Rollback(ctx context.Context, b Branch) error {
	return o.track(ctx, b, func(s State) error {
		switch s {
		case Forgotten: // it may be committed, and to be compensated
			return &ForgottenError{b.Transaction}
		case Committed:
			return o.perform(ctx, b, s, RolledBack, o.p.Rollback)
		}
		return o.rollback(ctx, b, s)
	})
}

// twoPhase tracks a participant that prepares.
type twoPhase struct {
	*tracker
	inner Preparer
}

func (t *twoPhase) Prepare(ctx context.Context, b Branch) error {
	return t.track(ctx, b, func(s State) error {
		switch s {
		case Prepared, Committed:
			return nil
		case ReadOnly:
			return ErrReadOnly
		case RolledBack:
			return ErrRolledBack
		case Forgotten:
			return &ForgottenError{b.Transaction}
		}
		return t.perform(ctx, b, s, Prepared, t.inner.Prepare)
	})
}

func (t *twoPhase) Commit(ctx context.Context, b Branch) error {
	return t.track(ctx, b, func(s State) error {
		switch s {
		case Committed, ReadOnly:
			return nil
		case Forgotten: // prepared branches are never dropped: it was committed
			return nil
		case RolledBack:
			return ErrRolledBack
		case Unknown, Begun:
			held, err := t.holds(ctx, b)
			if err != nil {
				return err
			}
			if !held {
				return ErrNotPrepared
			}
		}
		return t.perform(ctx, b, s, Committed, t.p.Commit)
	})
}

func (t *twoPhase) Rollback(ctx context.Context, b Branch) error {
	return t.track(ctx, b, func(s State) error {
		switch s {
		case Committed:
			return ErrCommitted
		case Forgotten: // not prepared, so there is nothing to undo
			return nil
		}
		return t.rollback(ctx, b, s)
	})
}

// onePhaseCommitter tracks a two-phase participant that can go without Prepare.
type onePhaseCommitter struct {
	*twoPhase
	inner OnePhaseCommitter
}

func (o *onePhaseCommitter) CommitOnePhase(ctx context.Context, b Branch) error {
	return o.track(ctx, b, func(s State) error {
		switch s {
		case Committed:
			return nil
		case RolledBack:
			return ErrRolledBack
		case Forgotten:
			return &ForgottenError{b.Transaction}
		}
		return o.perform(ctx, b, s, Committed, o.inner.CommitOnePhase)
	})
}

func (o *onePhaseCommitter) Committed(ctx context.Context, b Branch) (committed bool, err error) {
	err = o.track(ctx, b, func(s State) error {
		switch s {
		case Committed, RolledBack:
			committed = s == Committed
			return nil
		case Forgotten:
			return &ForgottenError{b.Transaction}
		}
		became, err := o.ask(ctx, b)
		if err != nil {
			return err
		}
		committed = became == Committed
		return o.store.Save(ctx, b.Key(), became)
	})
	return committed && err == nil, err
}

func (o *onePhaseCommitter) ask(ctx context.Context, b Branch) (State, error) {
	defer o.takeTurn()()
	committed, err := o.inner.Committed(ctx, b)
	if committed {
		return Committed, err
	}
	return RolledBack, err
}
