package participanttest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// call is one method of the participant under test.
type call struct {
	name string
	make func(context.Context, participant.Branch) error
}

func (t *trial) prepareCall() call {
	p, _ := participant.As[participant.Preparer](t.s.Participant)
	return call{"Prepare", p.Prepare}
}

func (t *trial) commitCall() call   { return call{"Commit", t.s.Participant.Commit} }
func (t *trial) rollbackCall() call { return call{"Rollback", t.s.Participant.Rollback} }

func (t *trial) onePhaseCall() call {
	p, _ := participant.As[participant.OnePhaseCommitter](t.s.Participant)
	return call{"CommitOnePhase", p.CommitOnePhase}
}

// beginCall is the branch's first call, the one that can refuse: Prepare, or a
// one-phase participant's Commit.
func (t *trial) beginCall() call {
	if twoPhase(t) {
		return t.prepareCall()
	}
	return t.commitCall()
}

// guarded makes a call; a panic is an error, as it is to the coordinator.
func (c call) guarded(ctx context.Context, b participant.Branch) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return c.make(ctx, b)
}

// tell makes a call that must succeed.
func (t *trial) tell(c func() call, b participant.Branch) {
	t.step(func() error {
		called := c()
		if err := called.guarded(context.Background(), b); err != nil {
			return fmt.Errorf("%s failed: %w", called.name, err)
		}
		return nil
	})
}

func (t *trial) begin(b participant.Branch)          { t.tell(t.beginCall, b) }
func (t *trial) prepare(b participant.Branch)        { t.tell(t.prepareCall, b) }
func (t *trial) commit(b participant.Branch)         { t.tell(t.commitCall, b) }
func (t *trial) rollback(b participant.Branch)       { t.tell(t.rollbackCall, b) }
func (t *trial) commitOnePhase(b participant.Branch) { t.tell(t.onePhaseCall, b) }

// complete commits a branch, in as many phases as it takes.
func (t *trial) complete(b participant.Branch) {
	t.begin(b)
	if twoPhase(t) {
		t.commit(b)
	}
}

// undo begins a branch and rolls it back.
func (t *trial) undo(b participant.Branch) {
	t.begin(b)
	t.rollback(b)
}

// tooLate makes a call that must be refused with ErrRolledBack, and then have
// had no effect.
func (t *trial) tooLate(c func() call, b participant.Branch) {
	t.step(func() error {
		called := c()
		if err := called.guarded(context.Background(), b); !errors.Is(err, participant.ErrRolledBack) {
			return fmt.Errorf("%s after Rollback answered %v, not ErrRolledBack", called.name, err)
		}
		return nil
	})
	t.has(b, 0, "after the late call")
}

// try makes a call that may answer anything, and tells whether it succeeded.
func (t *trial) try(ctx context.Context, c func() call, b participant.Branch) (err error) {
	t.step(func() error {
		err = c().guarded(ctx, b)
		return nil
	})
	return err
}

// isCommitted expects an answer of Committed.
func (t *trial) isCommitted(b participant.Branch, want bool) {
	t.step(func() error {
		p, _ := participant.As[participant.OnePhaseCommitter](t.s.Participant)
		var got bool
		ask := call{"Committed", func(ctx context.Context, b participant.Branch) (err error) {
			got, err = p.Committed(ctx, b)
			return err
		}}
		if err := ask.guarded(context.Background(), b); err != nil {
			return fmt.Errorf("the call of Committed failed: %w", err)
		}
		if got != want {
			return fmt.Errorf("to Committed the answer was %t, not %t", got, want)
		}
		return nil
	})
}

// inDoubt expects the branch in the listing of a coordinator, or not.
func (t *trial) inDoubt(of string, b participant.Branch, want bool) {
	t.step(func() error {
		r, _ := participant.As[participant.Recoverer](t.s.Participant)
		var ids []uuid.UUID
		list := call{"InDoubt", func(ctx context.Context, _ participant.Branch) (err error) {
			ids, err = r.InDoubt(ctx, of)
			return err
		}}
		if err := list.guarded(context.Background(), b); err != nil {
			return fmt.Errorf("the call of InDoubt failed: %w", err)
		}
		if got := slices.Contains(ids, b.Transaction); got != want {
			return fmt.Errorf("the branch is listed by InDoubt(%q): %t, not %t", of, got, want)
		}
		return nil
	})
}
