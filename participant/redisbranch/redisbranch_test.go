package redisbranch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/redisbranch"
)

// Two actions and two compensations of each of 400 branches come at once: each
// branch ends rolled back, and nothing is lost or counted twice.
func TestRace(t *testing.T) {
	s := openShop(t)
	calls := s.calls()
	for _, kind := range [][2]string{{"prepare", "rollback"}, {"do", "undo"}} {
		var callers sync.WaitGroup
		turns := make(chan struct{}, 40)
		branches := make([]participant.Branch, 400)
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
}

func TestInDoubt_ManyAndAfterLoss(t *testing.T) {
	s := openShop(t, "save ")
	p := s.twoPhase(nil)
	const many = 9000 // more than Lua can unpack
	_, err := s.client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		for range many {
			pipe.SAdd(t.Context(), "dtc:{shop}:open:shop:till", uuid.Must(uuid.NewV7()).String())
		}
		return nil
	})
	ok(t, err)
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
	prepared, committed, rolledBack, done := newBranch(), newBranch(), newBranch(), newBranch()
	ok(t, two.Prepare(ctx, prepared))
	ok(t, two.Prepare(ctx, committed))
	ok(t, two.Commit(ctx, committed))
	ok(t, two.Rollback(ctx, rolledBack))
	ok(t, one.Commit(ctx, done))
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

// A step that fails after a write is run once; a person mends it.
func TestTorn(t *testing.T) {
	s := openShop(t)
	const wrong = `redis.call('INCR', KEYS[3])
		redis.call('LPUSH', KEYS[1], 'oops')`
	const refuses = `redis.call('INCR', KEYS[3])
		return redis.error_reply('changed my mind')`
	two, err := redisbranch.OpenTwoPhase(t.Context(), "shop", s.client, redisbranch.TCC{Confirm: wrong, Cancel: refuses}, nil)
	ok(t, err)
	one, err := redisbranch.OpenOnePhase(t.Context(), "shop", s.client, redisbranch.Action{Do: wrong}, nil)
	ok(t, err)
	type calls []func(context.Context, participant.Branch) error
	for step, c := range map[string]struct {
		before, repeated calls
		after            func(context.Context, participant.Branch) error
	}{
		"Confirm": {calls{two.Prepare}, calls{two.Commit, two.Commit, two.Rollback}, two.Commit},
		"Cancel":  {calls{two.Prepare}, calls{two.Rollback, two.Rollback}, two.Rollback},
		"Do":      {nil, calls{one.Commit, one.Commit, one.Rollback}, one.Rollback},
	} {
		ok(t, s.client.Set(t.Context(), "{shop}:taken", 0, 0).Err())
		b := newBranch()
		for _, call := range c.before {
			ok(t, call(t.Context(), b))
		}
		for _, call := range c.repeated {
			var torn *redisbranch.TornError
			if err := call(t.Context(), b); !errors.As(err, &torn) || torn.Step != step || torn.Transaction != b.Transaction {
				t.Fatalf("%s answered %v", step, err)
			}
		}
		s.counts(stockAtFirst, 0, 1)
		ids, err := two.InDoubt(t.Context(), "till")
		ok(t, err)
		if !slices.Contains(ids, b.Transaction) {
			t.Errorf("%s: the torn branch is not listed", step)
		}
		ok(t, two.Mend(t.Context(), b))
		if err := two.Mend(t.Context(), b); !errors.Is(err, redisbranch.ErrNotTorn) {
			t.Errorf("the second Mend answered %v", err)
		}
		ok(t, c.after(t.Context(), b))
		s.counts(stockAtFirst, 0, 1)
	}
}

// A step that fails before a write has no effect, and can be run again.
func TestFailsClean(t *testing.T) {
	s := openShop(t)
	p, err := redisbranch.OpenTwoPhase(t.Context(), "shop", s.client, redisbranch.TCC{
		Try:     `redis.call('GET', KEYS[1]) if ARGV[1] then error('no ' .. ARGV[1]) end`,
		Confirm: `redis.call('LLEN', KEYS[1]) redis.call('INCR', KEYS[3])`,
	}, nil)
	ok(t, err)
	refused, b := newBranch(), newBranch()
	refused.Payload = payload("way")
	var failed *redisbranch.ScriptError
	if err := p.Prepare(t.Context(), refused); !errors.As(err, &failed) || !strings.Contains(failed.Reason, "no way") {
		t.Errorf("Prepare answered %v", err)
	}
	ok(t, p.Rollback(t.Context(), refused))
	ok(t, p.Prepare(t.Context(), b))
	if err := p.Commit(t.Context(), b); !errors.As(err, &failed) || failed.Step != "Confirm" {
		t.Errorf("Commit answered %v", err)
	}
	ok(t, s.client.Del(t.Context(), "{shop}:left").Err())
	ok(t, p.Commit(t.Context(), b))
	ok(t, p.Commit(t.Context(), b))
	s.counts(0, 0, 1)
}
