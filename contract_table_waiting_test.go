package dtc_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
)

// Row: the cap is reached.
func TestContract_CapReached(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		var ids []uuid.UUID
		for range 100 {
			ids = append(ids, r.begin())
		}
		began := time.Now()
		id, err := r.Begin(background, nil)
		is(t, err, dtc.ErrTooManyTransactions)
		if e := as[*dtc.TooManyTransactionsError](t, err); e.Limit != 100 || id != uuid.Nil {
			t.Errorf("%+v, id %s", e, id)
		}
		is(t, r.Execute(background, nil), dtc.ErrTooManyTransactions)
		called := false
		err = r.Run(background, nil, func(*dtc.Tx) error { called = true; return nil })
		is(t, err, dtc.ErrTooManyTransactions)
		if called || time.Since(began) != 0 {
			t.Errorf("called %v after %v: want a refusal at once", called, time.Since(began))
		}
		ok(t, r.Commit(background, ids[50]))
		ids[50] = r.begin() // the slot is free the moment Commit answers
		is(t, second(r.Begin(background, nil)), dtc.ErrTooManyTransactions)
		for _, id := range ids {
			ok(t, r.Rollback(background, id))
		}
		r.live(0)
	})
}

func second[T any](_ T, err error) error { return err }

// Row: the cap is reached, WaitForSlot: first come, first served.
func TestContract_CapReached_WaitForSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxTransactions: 1, WaitForSlot: true})
		holder := r.begin()
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				id, err := r.Begin(background, nil)
				ok(t, err)
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				ok(t, r.Commit(background, id))
			})
		}
		pass(time.Second)
		if len(order) != 0 {
			t.Errorf("%v began while the slot was taken", order)
		}
		ok(t, r.Rollback(background, holder))
		wg.Wait()
		for i := range order {
			if order[i] != i {
				t.Fatalf("began in the order %v", order)
			}
		}
		r.live(0)
	})
}

// Row: the cap is reached, WaitForSlot: who comes when a slot has just become free
// does not go before those who wait.
func TestContract_CapReached_NoOvertaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The slot is free when the holder's caller has his answer, and a moment later
		// the supervisor hears of it. That moment is held here.
		ending, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		r := start(t, dtc.Config{MaxTransactions: 1, WaitForSlot: true, OnEvent: func(e dtc.Event) {
			if e.Kind == dtc.EventEnded {
				once.Do(func() {
					close(ending)
					<-goOn
				})
			}
		}})
		holder := r.begin()
		first := make(chan uuid.UUID, 1)
		go func() {
			id, err := r.Begin(background, nil)
			ok(t, err)
			first <- id
		}()
		synctest.Wait()
		ok(t, r.Rollback(background, holder))
		<-ending
		r.live(0)
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		if id, err := r.Begin(ctx, nil); err == nil {
			t.Error("overtook one who waited")
			ok(t, r.Rollback(background, id))
		}
		close(goOn)
		ok(t, r.Rollback(background, <-first))
	})
}

// Row: the cap is reached, WaitForSlot: until ctx ends, and no slot is leaked.
func TestContract_CapReached_WaitForSlotCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxTransactions: 1, WaitForSlot: true})
		a := newTwo(t, "a")
		holder := r.begin()
		ctx, cancel := context.WithTimeout(background, 3*time.Second)
		defer cancel()
		results := make(chan error, 3)
		go func() { results <- second(r.Begin(ctx, nil)) }()
		go func() { results <- r.Execute(ctx, nil, enlistments(a)...) }()
		go func() { results <- r.Run(ctx, nil, func(*dtc.Tx) error { t.Error("work was called"); return nil }) }()
		began := time.Now()
		for range 3 {
			err := <-results
			is(t, err, context.DeadlineExceeded)
			isNot(t, err, dtc.ErrOutcomeUnknown)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("waited %v, want as long as ctx", took)
		}
		ok(t, r.Rollback(background, holder))
		ok(t, r.execute(a)) // nobody of those who have gone took the slot
		a.expect("prepare commit")
		r.live(0)
	})
}

// Row: the cap is reached: never a leaked slot, whatever way a transaction ends.
func TestContract_CapReached_NoLeakedSlot(t *testing.T) {
	ends := map[string]func(*rig, *two, *two){
		"commit":   func(r *rig, a, b *two) { ok(r.t, r.execute(a, b)) },
		"rollback": func(r *rig, a, b *two) { ok(r.t, r.Rollback(background, r.begin(a, b))) },
		"refused": func(r *rig, a, b *two) {
			b.next(prepare, refuse)
			is(r.t, r.execute(a, b), dtc.ErrRolledBack)
		},
		"timeout": func(r *rig, a, b *two) {
			b.next(prepare, obedient)
			is(r.t, r.execute(a, b), dtc.ErrTimeout)
		},
		"panic": func(r *rig, a, b *two) {
			b.next(prepare, panics("boom"))
			is(r.t, r.execute(a, b), dtc.ErrRolledBack)
		},
		"deadline": func(r *rig, a, b *two) { r.begin(a, b); pass(31 * time.Second) },
		"ctx": func(r *rig, a, b *two) {
			ctx, cancel := context.WithTimeout(background, time.Second)
			defer cancel()
			b.next(prepare, late(2*time.Second))
			is(r.t, r.Execute(ctx, nil, enlistments(a, b)...), context.DeadlineExceeded)
			pass(3 * time.Second)
		},
		"parked commit": func(r *rig, a, b *two) {
			b.next(commit, refuse, late(20*time.Second))
			ok(r.t, r.execute(a, b))
		},
		"parked rollback": func(r *rig, a, b *two) {
			b.next(prepare, late(20*time.Second))
			is(r.t, r.execute(a, b), dtc.ErrRolledBack)
		},
		"work panics": func(r *rig, a, b *two) {
			defer func() { _ = recover() }()
			_ = r.Run(background, nil, func(tx *dtc.Tx) error {
				ok(r.t, tx.Enlist(background, a, nil))
				panic("boom")
			})
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, dtc.Config{MaxTransactions: 2})
				a, b := newTwo(t, "a"), newTwo(t, "b")
				for range 5 {
					end(r, a, b)
				}
				r.live(0)
				r.begin()
				r.begin()
				is(t, second(r.Begin(background, nil)), dtc.ErrTooManyTransactions)
				pass(time.Minute)
			})
		})
	}
}

// Row: ctx already done (all but Rollback): its error, and nothing happened.
func TestContract_ContextDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a := newTwo(t, "a")
		ctx, cancel := context.WithCancelCause(background)
		id := r.begin(a)
		b := newTwo(t, "b")
		cancel(errors.New("why"))
		for name, call := range map[string]func() error{
			"Begin":        func() error { return second(r.Begin(ctx, nil)) },
			"Enlist":       func() error { return r.Enlist(ctx, id, b, nil) },
			"Commit":       func() error { return r.Commit(ctx, id) },
			"Outcome":      func() error { return second(r.Outcome(ctx, id)) },
			"Execute":      func() error { return r.Execute(ctx, nil, enlistments(b)...) },
			"Run":          func() error { return r.Run(ctx, nil, func(*dtc.Tx) error { t.Error("work was called"); return nil }) },
			"Retry":        func() error { return r.Retry(ctx, id) },
			"Transactions": func() error { return second(r.Transactions(ctx, dtc.Filter{})) },
			"Inspect":      func() error { return second(r.Inspect(ctx, id)) },
			"Participants": func() error { return second(r.Participants(ctx)) },
			"Drain":        func() error { return r.Drain(ctx) },
			"Resolve": func() error {
				return r.Resolve(ctx, id, dtc.Resolution{Participant: "a", Act: dtc.ActForgotten, Reason: "test"})
			},
		} {
			err := call()
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want ctx's error", name, err)
			}
			isNot(t, err, dtc.ErrOutcomeUnknown, dtc.ErrRolledBack)
		}
		synctest.Wait()
		r.live(1)
		r.outcome(id, dtc.Active)
		d, err := r.Inspect(background, id)
		ok(t, err)
		if d.State != "active" || len(d.Branches) != 1 {
			t.Errorf("%+v: want it as it was", d)
		}
		ok(t, r.Commit(background, id)) // not drained either
		ok(t, r.execute(a))
		b.expect("")
	})
}

// Row: ctx ends while waiting.
func TestContract_ContextEndsWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		waits := func(call func(context.Context) error) {
			t.Helper()
			ctx, cancel := context.WithTimeout(background, time.Second)
			defer cancel()
			began := time.Now()
			err := call(ctx)
			is(t, err, dtc.ErrOutcomeUnknown, context.DeadlineExceeded)
			isNot(t, err, dtc.ErrRolledBack, dtc.ErrCommitted)
			if took := time.Since(began); took != time.Second {
				t.Errorf("waited %v, want as long as ctx", took)
			}
		}
		b.next(prepare, late(2*time.Second))
		preparing := r.begin(a, b)
		waits(func(ctx context.Context) error { return r.Commit(ctx, preparing) })
		r.outcome(preparing, dtc.Active)
		pass(2 * time.Second)
		r.outcome(preparing, dtc.Committed) // it goes on

		b.next(commit, late(2*time.Second))
		decided := r.begin(a, b)
		waits(func(ctx context.Context) error { return r.Commit(ctx, decided) })
		r.outcome(decided, dtc.Committed)

		b.next(rollback, late(2*time.Second))
		undone := r.begin(a, b)
		waits(func(ctx context.Context) error { return r.Rollback(ctx, undone) })
		r.outcome(undone, dtc.RolledBack)

		b.next(prepare, late(2*time.Second))
		waits(func(ctx context.Context) error { return r.Execute(ctx, nil, enlistments(a, b)...) })
		pass(2 * time.Second)
		b.next(prepare, late(2*time.Second))
		waits(func(ctx context.Context) error {
			return r.Run(ctx, nil, func(tx *dtc.Tx) error {
				return errors.Join(tx.Enlist(ctx, a, nil), tx.Enlist(ctx, b, nil))
			})
		})
		pass(time.Minute)
		b.expect("prepare commit prepare commit rollback prepare commit prepare commit")
		r.live(0)
	})
}

// Row: ctx ends while the function of Run works: it is rolled back.
func TestContract_ContextEndsWhileWorking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a := newTwo(t, "a")
		ctx, cancel := context.WithCancel(background)
		err := r.Run(ctx, nil, func(tx *dtc.Tx) error {
			ok(t, tx.Enlist(ctx, a, nil))
			cancel()
			return nil
		})
		is(t, err, dtc.ErrRolledBack, context.Canceled)
		a.expect("rollback")
	})
}
