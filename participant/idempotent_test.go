package participant_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

var errPassing = errors.New("passing failure")

// must tells of each error that is not nil.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Errorf("step %d: %v", i+1, err)
		}
	}
}

func mustBe(t *testing.T, want error, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if !errors.Is(err, want) {
			t.Errorf("step %d: %v, not %v", i+1, err, want)
		}
	}
}

func TestKindIsPreserved(t *testing.T) {
	n := new(naive)
	two := naivePreparer{n}
	for name, c := range map[string]struct {
		p                                         participant.Participant
		s                                         participant.Store
		prepares, onePhase, recovers, nonBlocking bool
	}{
		"one-phase":            {p: n},
		"two-phase":            {p: two, prepares: true},
		"wrapped":              {p: wrapped{two}, prepares: true},
		"one-phase committer":  {p: &naiveOnePhaseCommitter{naivePreparer: two}, prepares: true, onePhase: true},
		"recoverer":            {p: wrapped{&naiveRecoverer{naivePreparer: two}}, prepares: true, recovers: true},
		"non-blocking":         {p: naiveNonBlocking{n}, nonBlocking: true},
		"non-blocking, a disk": {p: naiveNonBlocking{n}, s: newFailingStore()},
	} {
		t.Run(name, func(t *testing.T) {
			p := participant.Idempotent(c.p, c.s)
			if p.Name() != "p" {
				t.Errorf("its name is %q", p.Name())
			}
			if w, ok := participant.As[participant.Preparer](p); ok != c.prepares {
				t.Errorf("Preparer: %t", ok)
			} else if ok {
				b := newBranch()
				must(t, p.Rollback(ctx, b))
				mustBe(t, participant.ErrRolledBack, w.Prepare(ctx, b))
			}
			if w, ok := participant.As[participant.OnePhaseCommitter](p); ok != c.onePhase {
				t.Errorf("OnePhaseCommitter: %t", ok)
			} else if ok {
				b := newBranch()
				must(t, p.Rollback(ctx, b))
				mustBe(t, participant.ErrRolledBack, w.CommitOnePhase(ctx, b))
			}
			if w, ok := participant.As[participant.Recoverer](p); ok != c.recovers {
				t.Errorf("Recoverer: %t", ok)
			} else if ok {
				b := newBranch()
				must(t, w.Rollback(ctx, b))
				mustBe(t, participant.ErrRolledBack, w.Commit(ctx, b))
			}
			if _, ok := participant.As[participant.NonBlocking](p); ok != c.nonBlocking {
				t.Errorf("NonBlocking: %t", ok)
			}
			for _, past := range []bool{found[*naive](p), found[naivePreparer](p), found[wrapped](p)} {
				if past {
					t.Error("the participant can be reached past the tracking")
				}
			}
		})
	}
}

func found[T any](p participant.Participant) bool {
	_, ok := participant.As[T](p)
	return ok
}

func TestOnePhase(t *testing.T) {
	n := new(naive)
	p := participant.Idempotent(n, nil)
	b := newBranch()
	must(t, p.Commit(ctx, b), p.Commit(ctx, b), n.called("commit"))
	must(t, p.Rollback(ctx, b), p.Rollback(ctx, b), n.called("rollback"))
	mustBe(t, participant.ErrRolledBack, p.Commit(ctx, b))
	must(t, n.called())

	unknown := newBranch()
	must(t, p.Rollback(ctx, unknown))
	mustBe(t, participant.ErrRolledBack, p.Commit(ctx, unknown))
	must(t, n.called())
}

func TestTwoPhase(t *testing.T) {
	n := new(naive)
	p := participant.Idempotent(naivePreparer{n}, nil).(participant.Preparer)
	committed, rolledBack, unknown := newBranch(), newBranch(), newBranch()
	must(t, p.Prepare(ctx, committed), p.Prepare(ctx, committed), n.called("prepare"))
	must(t, p.Commit(ctx, committed), p.Commit(ctx, committed), p.Prepare(ctx, committed), n.called("commit"))
	mustBe(t, participant.ErrCommitted, p.Rollback(ctx, committed))

	must(t, p.Prepare(ctx, rolledBack), p.Rollback(ctx, rolledBack), p.Rollback(ctx, rolledBack), n.called("prepare", "rollback"))
	must(t, p.Rollback(ctx, unknown))
	mustBe(t, participant.ErrRolledBack, p.Prepare(ctx, rolledBack), p.Commit(ctx, rolledBack), p.Prepare(ctx, unknown))
	mustBe(t, participant.ErrNotPrepared, p.Commit(ctx, newBranch()))
	must(t, n.called())
}

func TestReadOnlyVote(t *testing.T) {
	n := &naive{on: func(string, participant.Branch) error { return participant.ErrReadOnly }}
	p := participant.Idempotent(naivePreparer{n}, nil).(participant.Preparer)
	b := newBranch()
	mustBe(t, participant.ErrReadOnly, p.Prepare(ctx, b), p.Prepare(ctx, b))
	must(t, p.Commit(ctx, b), p.Rollback(ctx, b), n.called("prepare"))
	mustBe(t, participant.ErrRolledBack, p.Prepare(ctx, b))
}

// TestFailedCalls: they are made again, and rolled back by the participant,
// which alone knows what they did.
func TestFailedCalls(t *testing.T) {
	n := new(naive)
	for name, p := range map[string]participant.Participant{
		"commit":  participant.Idempotent(n, nil),
		"prepare": participant.Idempotent(naivePreparer{n}, nil),
	} {
		first := p.Commit
		if two, ok := p.(participant.Preparer); ok {
			first = two.Prepare
		}
		n.on = func(string, participant.Branch) error { return errPassing }
		b, other := newBranch(), newBranch()
		mustBe(t, errPassing, first(ctx, b), first(ctx, b), first(ctx, other), p.Rollback(ctx, other))
		n.on = nil
		must(t, first(ctx, b), first(ctx, b), p.Rollback(ctx, other), p.Rollback(ctx, other))
		must(t, n.called(name, name, name, "rollback", name, "rollback"))
	}
}

// TestCleanRefusal: a participant that says so has nothing to undo.
func TestCleanRefusal(t *testing.T) {
	n := &naive{on: func(string, participant.Branch) error {
		return errors.Join(errPassing, participant.ErrRolledBack)
	}}
	p := participant.Idempotent(n, nil)
	b := newBranch()
	mustBe(t, errPassing, p.Commit(ctx, b))
	must(t, p.Rollback(ctx, b), n.called("commit"))
	mustBe(t, participant.ErrRolledBack, p.Commit(ctx, b))
}

// TestPreparedIsNotGivenUp: whatever the participant answers to the decision, it
// is asked again.
func TestPreparedIsNotGivenUp(t *testing.T) {
	n := new(naive)
	p := participant.Idempotent(naivePreparer{n}, nil).(participant.Preparer)
	b := newBranch()
	must(t, p.Prepare(ctx, b))
	n.on = func(string, participant.Branch) error { return participant.ErrRolledBack }
	mustBe(t, participant.ErrRolledBack, p.Commit(ctx, b))
	n.on = nil
	must(t, p.Commit(ctx, b), p.Commit(ctx, b), n.called("prepare", "commit", "commit"))
}

func TestOnePhaseCommitter(t *testing.T) {
	n := new(naive)
	inner := &naiveOnePhaseCommitter{naivePreparer: naivePreparer{n}}
	p := participant.Idempotent(inner, nil).(participant.OnePhaseCommitter)
	isCommitted := func(b participant.Branch, want bool) {
		t.Helper()
		if got, err := p.Committed(ctx, b); got != want || err != nil {
			t.Errorf("Committed: %t, %v", got, err)
		}
	}
	done := newBranch()
	must(t, p.CommitOnePhase(ctx, done), p.CommitOnePhase(ctx, done))
	isCommitted(done, true)
	must(t, n.called("one-phase"))

	unknown := newBranch()
	isCommitted(unknown, false)
	isCommitted(unknown, false)
	mustBe(t, participant.ErrRolledBack, p.CommitOnePhase(ctx, unknown), p.Prepare(ctx, unknown))
	must(t, n.called("committed"))

	doubtful := newBranch()
	n.on = func(string, participant.Branch) error { return errPassing }
	mustBe(t, errPassing, p.CommitOnePhase(ctx, doubtful))
	if _, err := p.Committed(ctx, doubtful); !errors.Is(err, errPassing) {
		t.Errorf("Committed: %v", err)
	}
	n.on, inner.committed = nil, true
	isCommitted(doubtful, true)
	must(t, p.CommitOnePhase(ctx, doubtful), n.called("one-phase", "committed", "committed"))
}

// TestRecoverer: it is asked about branches that the store does not know.
func TestRecoverer(t *testing.T) {
	n := new(naive)
	worked, prepared := newBranch(), newBranch()
	inner := &naiveRecoverer{naivePreparer{n}, []uuid.UUID{worked.Transaction, prepared.Transaction}}
	p := participant.Idempotent(inner, nil)
	must(t, p.Rollback(ctx, worked), n.called("in doubt of c", "rollback"))
	must(t, p.Commit(ctx, prepared), n.called("in doubt of c", "commit"))
	must(t, p.Rollback(ctx, newBranch()), n.called("in doubt of c"))
	mustBe(t, participant.ErrNotPrepared, p.Commit(ctx, newBranch()))

	r, _ := participant.As[participant.Recoverer](p)
	if ids, err := r.InDoubt(ctx, "d"); len(ids) != 2 || err != nil {
		t.Errorf("InDoubt: %v, %v", ids, err)
	}
	n.on = func(string, participant.Branch) error { return errPassing }
	mustBe(t, errPassing, p.Rollback(ctx, newBranch()), p.Commit(ctx, newBranch()))
}

func TestForgotten(t *testing.T) {
	n := new(naive)
	m := &participant.MemoryStore{Limit: 1}
	one := participant.Idempotent(n, m)
	two := participant.Idempotent(&naiveOnePhaseCommitter{naivePreparer: naivePreparer{n}}, m).(participant.OnePhaseCommitter)
	old, prepared := newBranch(), newBranch()
	must(t, two.Prepare(ctx, prepared))
	for range 3 {
		must(t, one.Rollback(ctx, newBranch()))
	}
	_, asked := two.Committed(ctx, old)
	for i, err := range []error{
		one.Commit(ctx, old), one.Rollback(ctx, old),
		two.Prepare(ctx, old), two.CommitOnePhase(ctx, old), asked,
	} {
		var forgotten *participant.ForgottenError
		if !errors.As(err, &forgotten) || forgotten.Transaction != old.Transaction || errors.Is(err, participant.ErrRolledBack) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	must(t, two.Commit(ctx, old), two.Rollback(ctx, old), n.called("prepare"))
	must(t, two.Commit(ctx, prepared), two.Commit(ctx, prepared), n.called("commit"))
}

func TestContextHasEnded(t *testing.T) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	n := new(naive)
	p := participant.Idempotent(n, nil)
	b := newBranch()
	mustBe(t, context.Canceled, p.Commit(ended, b), p.Rollback(ended, b))
	must(t, n.called(), p.Commit(ctx, b))
}
