package redisbranch_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/redisbranch"
)

// Two actions and two compensations of each of 100 branches come at once: each
// branch ends rolled back, and nothing is lost or counted twice.
func TestRace(t *testing.T) {
	s := openShop(t)
	calls := s.calls()
	for _, kind := range [][2]string{{"prepare", "rollback"}, {"do", "undo"}} {
		var callers sync.WaitGroup
		turns := make(chan struct{}, 40)
		branches := make([]participant.Branch, 100)
		for i := range branches {
			branches[i] = newBranch()
			for _, call := range []string{kind[0], kind[1], kind[0], kind[1]} {
				callers.Go(func() {
					turns <- struct{}{}
					defer func() { <-turns }()
					err := calls[call](context.Background(), branches[i])
					if err != nil && (call == kind[1] || !errors.Is(err, participant.ErrRolledBack)) {
						t.Errorf("%s answered %v", call, err)
					}
				})
			}
		}
		callers.Wait()
		s.counts(stockAtFirst, 0, 0)
		for _, b := range branches {
			if err := calls[kind[0]](t.Context(), b); !errors.Is(err, participant.ErrRolledBack) {
				t.Fatalf("a late %s answered %v", kind[0], err)
			}
		}
	}
}

// A coordinator that knows a branch from InDoubt alone has no payload for it.
func TestRollbackWithoutPayload(t *testing.T) {
	s := openShop(t)
	p := s.twoPhase(nil)
	b := newBranch()
	ok(t, p.Prepare(t.Context(), b))
	s.counts(stockAtFirst-1, 1, 0)
	b.Payload = nil
	ok(t, p.Rollback(t.Context(), b))
	s.counts(stockAtFirst, 0, 0)
	confirmed := newBranch()
	ok(t, p.Prepare(t.Context(), confirmed))
	confirmed.Payload = []byte("something else")
	ok(t, p.Commit(t.Context(), confirmed))
	s.counts(stockAtFirst-1, 0, 1)
	done := newBranch()
	one := s.onePhase(nil)
	ok(t, one.Commit(t.Context(), done))
	done.Payload = nil
	ok(t, one.Rollback(t.Context(), done))
	s.counts(stockAtFirst-1, 0, 1)
	// A payload that only a later version of the package can read.
	later := newBranch()
	ok(t, p.Prepare(t.Context(), later))
	key := "dtc:{shop}:branch:shop:till:" + later.Transaction.String()
	ok(t, s.client.HSet(t.Context(), key, "payload", `{"moreKeys":["{shop}:left"]}`).Err())
	for name, call := range map[string]func(context.Context, participant.Branch) error{"Commit": p.Commit, "Rollback": p.Rollback} {
		if err := call(t.Context(), later); !errors.As(err, new(*redisbranch.PayloadError)) {
			t.Errorf("%s answered %v", name, err)
		}
	}
	s.counts(stockAtFirst-2, 1, 1)
}

func TestInDoubt_ManyAndAfterLoss(t *testing.T) {
	s := openShop(t)
	p := s.twoPhase(nil)
	const many = 9000 // more than Lua can unpack
	all := make([]any, many)
	for i := range all {
		all[i] = uuid.Must(uuid.NewV7()).String()
	}
	ok(t, s.client.SAdd(t.Context(), "dtc:{shop}:open:shop:till", all...).Err())
	ids, err := p.InDoubt(t.Context(), "till")
	ok(t, err)
	if len(ids) != many {
		t.Errorf("%d are listed", len(ids))
	}

	old := newBranch()
	ok(t, p.Prepare(t.Context(), old))
	ok(t, s.client.FlushAll(t.Context()).Err())
	for name, err := range map[string]error{
		"Prepare": p.Prepare(t.Context(), newBranch()), "Commit": p.Commit(t.Context(), old), "Rollback": p.Rollback(t.Context(), old),
	} {
		if !errors.Is(err, redisbranch.ErrLost) {
			t.Errorf("%s answered %v", name, err)
		}
	}
	if _, err := p.InDoubt(t.Context(), "till"); !errors.Is(err, redisbranch.ErrLost) {
		t.Errorf("InDoubt answered %v", err)
	}
	p = s.twoPhase(nil)
	if err := p.Commit(t.Context(), old); !errors.Is(err, participant.ErrNotPrepared) {
		t.Errorf("Commit of what was lost answered %v", err)
	}
	var forgotten *participant.ForgottenError
	if err := p.Prepare(t.Context(), branchOf(time.Now().Add(-time.Minute))); !errors.As(err, &forgotten) {
		t.Errorf("Prepare of what may have been rolled back before the loss answered %v", err)
	}
	ok(t, p.Rollback(t.Context(), old))
}

// What is settled expires; from then on its transaction is too old to begin.
func TestRemember(t *testing.T) {
	s := openShop(t)
	short := &redisbranch.Options{Remember: 300 * time.Millisecond}
	_, _ = s.twoPhase(short), s.onePhase(short)
	// Long before this test the participant was opened.
	ok(t, s.client.HSet(t.Context(), "dtc:{shop}:participant:shop", "born", 0).Err())
	two, one := s.twoPhase(short), s.onePhase(short)
	ctx := t.Context()
	begun := func(begin func(context.Context, participant.Branch) error) (b participant.Branch) {
		eventually(t, func(ctx context.Context) error { // a slow machine may forget it before it begins
			b = newBranch()
			return begin(ctx, b)
		})
		return b
	}
	prepared, committed, rolledBack, done := begun(two.Prepare), begun(two.Prepare), begun(two.Rollback), begun(one.Commit)
	ok(t, two.Commit(ctx, committed))
	eventually(t, func(ctx context.Context) error {
		keys, err := s.client.Keys(ctx, "dtc:{shop}:branch:*").Result()
		if err == nil && len(keys) != 1 {
			err = errors.New("not all have expired")
		}
		return err
	})
	for name, err := range map[string]error{
		"Prepare":               two.Prepare(ctx, rolledBack),
		"Prepare of a new one":  two.Prepare(ctx, branchOf(time.Now().Add(-time.Second))),
		"one-phase Commit":      one.Commit(ctx, done),
		"one-phase Rollback":    one.Rollback(ctx, done),
		"one-phase Commit, new": one.Commit(ctx, branchOf(time.Now().Add(-time.Second))),
	} {
		var forgotten *participant.ForgottenError
		if !errors.As(err, &forgotten) {
			t.Errorf("%s answered %v", name, err)
		}
	}
	ok(t, two.Commit(ctx, committed))
	ok(t, two.Rollback(ctx, rolledBack))
	ok(t, two.Commit(ctx, prepared))
	s.counts(stockAtFirst-3, 0, 3)

	// Of a transaction whose clock is ahead it is remembered for longer.
	ahead := branchOf(time.Now().Add(time.Hour))
	ok(t, two.Rollback(ctx, ahead))
	key := "dtc:{shop}:branch:shop:till:" + ahead.Transaction.String()
	if ttl, err := s.client.PTTL(ctx, key).Result(); err != nil || ttl < 59*time.Minute {
		t.Errorf("remembered for %v, %v", ttl, err)
	}

	// Who remembers longer from now on does not know what was dropped before.
	two = s.twoPhase(nil)
	var forgotten *participant.ForgottenError
	if err := two.Prepare(ctx, branchOf(time.Now().Add(-time.Second))); !errors.As(err, &forgotten) {
		t.Errorf("Prepare answered %v", err)
	}
	ok(t, two.Prepare(ctx, newBranch()))
}
