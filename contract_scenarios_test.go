package dtc_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// Phase one runs in parallel, every prepare has returned before any commit
// starts, and one-phase branches come last, one after the other.
func TestContractScenario_PhasesInOrder(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		var ps []participant.Participant
		for i := range 10 {
			if i%5 == 2 {
				ps = append(ps, newOne(t, fmt.Sprint("p", i)))
			} else {
				ps = append(ps, newTwo(t, fmt.Sprint("p", i)))
			}
			f := fakeOf(ps[i])
			f.every(prepare, late(time.Second))
			if !f.twoPhase {
				f.every(commit, late(time.Second))
			}
		}
		began := time.Now()
		ok(t, r.execute(ps...))
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v, want a second for phase one and one for each one-phase branch", took)
		}
		var prepared, worked time.Time
		for _, p := range ps {
			if f := fakeOf(p); f.twoPhase && f.history()[0].end.After(prepared) {
				prepared = f.history()[0].end
			}
		}
		for _, p := range ps {
			f := fakeOf(p)
			last := f.history()[len(f.history())-1]
			if last.op != commit || last.begun.Before(prepared) {
				t.Errorf("%s: %s before all were prepared", f.name, last.op)
			}
			if !f.twoPhase {
				if last.begun.Before(worked) {
					t.Errorf("%s did its work beside another one", f.name)
				}
				worked = last.end
			}
		}
		for _, p := range ps {
			if f := fakeOf(p); f.twoPhase && f.history()[1].begun.Before(worked) {
				t.Errorf("%s was told to commit before all had worked", f.name)
			}
		}
	})
}

// A one-phase branch that fails stops the others; all are compensated.
func TestContractScenario_WorkFails(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b, c, d := newOne(t, "a"), newOne(t, "b"), newOne(t, "c"), newTwo(t, "d")
		b.next(commit, refuse)
		err := r.execute(a, b, c, d)
		is(t, err, dtc.ErrRolledBack, errRefused)
		if e := as[*dtc.ParticipantFailedToCommitError](t, err); e.Participant != "b" {
			t.Errorf("names %s", e.Participant)
		}
		a.expect("commit rollback")
		b.expect("commit rollback")
		c.expect("rollback")
		d.expect("prepare rollback")
	})
}

// All refuse: each is named.
func TestContractScenario_AllRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		var ps []participant.Participant
		for i := range 5 {
			p := newTwo(t, fmt.Sprint("p", i))
			p.every(prepare, refuse)
			ps = append(ps, p)
		}
		err := r.execute(ps...)
		named := map[string]bool{}
		for _, e := range all[*dtc.ParticipantFailedToCommitError](err) {
			named[e.Participant] = true
		}
		if len(named) == 0 {
			t.Errorf("%v names nobody", err)
		}
		pass(time.Minute)
		for _, p := range ps {
			fakeOf(p).expect("prepare rollback")
		}
	})
}

// Nothing pushes a deadline back, and it needs no caller.
func TestContractScenario_DeadlineIsAbsolute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		began := time.Now()
		id := r.begin()
		var ps []*two
		for i := range 3 {
			p := newTwo(t, fmt.Sprint("p", i))
			ps = append(ps, p)
			r.enlist(id, p)
			_ = second(r.Inspect(background, id))
			pass(9 * time.Second)
		}
		r.outcome(id, dtc.Active)
		d, err := r.Inspect(background, id)
		ok(t, err)
		if got := d.Deadline.Sub(began); got != 30*time.Second {
			t.Errorf("deadline %v after begin", got)
		}
		pass(3 * time.Second)
		r.outcome(id, dtc.RolledBack)
		for _, p := range ps {
			p.expect("rollback")
			if at := p.history()[0].begun.Sub(began); at != 30*time.Second {
				t.Errorf("%s was told after %v", p.name, at)
			}
		}
		err = r.Commit(background, id)
		is(t, err, dtc.ErrRolledBack, dtc.ErrTimeout)
		if e := as[*dtc.TimeoutError](t, err); e.Phase != "active" || e.After != 30*time.Second || e.ID != id || !e.Timeout() {
			t.Errorf("%+v", e)
		}
		r.live(0)
	})
}

// A deadline that falls into phase two decides nothing any more.
func TestContractScenario_DeadlineInPhaseTwo(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		b.next(commit, late(time.Minute))
		id := r.begin(a, b)
		pass(29 * time.Second)
		began := time.Now()
		ok(t, r.Commit(background, id))
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Commit took %v", took)
		}
		pass(5 * time.Minute)
		r.outcome(id, dtc.Committed)
		a.expect("prepare commit")
		if b.count(rollback) != 0 || b.effects[id] != 1 {
			t.Errorf("b was called: %s", b.ops())
		}
	})
}

// Begin to decision takes at most TransactionTimeout, whatever is slow.
func TestContractScenario_SlowInEveryPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{TransactionTimeout: 8 * time.Second})
		var ps []participant.Participant
		for i := range 5 {
			p := newOne(t, fmt.Sprint("p", i))
			p.every(commit, late(3*time.Second))
			ps = append(ps, p)
		}
		began := time.Now()
		id := r.begin(ps...)
		err := r.Commit(background, id)
		is(t, err, dtc.ErrRolledBack, dtc.ErrTimeout)
		for _, e := range r.events.of(dtc.EventDecided) {
			if at := e.Time.Sub(began); at != 8*time.Second {
				t.Errorf("decided after %v", at)
			}
		}
		pass(time.Minute)
		for i, want := range []string{"commit rollback", "commit rollback", "commit rollback", "rollback", "rollback"} {
			fakeOf(ps[i]).expect(want)
		}
	})
}

// Phase two never gives up: growing back-off, until it is acknowledged.
func TestContractScenario_CommitFailsAndHeals(t *testing.T) {
	for name, misbehaves := range map[string]act{"error": refuse, "panic": panics("boom"), "goexit": goexit} {
		t.Run(name, func(t *testing.T) {
			eachJournal(t, func(t *testing.T, j journal.Journal) {
				r := start(t, dtc.Config{Journal: j})
				a, b := newTwo(t, "a"), newTwo(t, "b")
				b.next(commit, misbehaves, misbehaves, misbehaves, misbehaves, misbehaves)
				id := r.begin(a, b)
				ok(t, r.Commit(background, id))
				b.expect("prepare commit commit commit commit commit commit")
				a.expect("prepare commit")
				checkBackoff(t, b.history()[1:])
				r.outcome(id, dtc.Committed)

				b.every(commit, misbehaves)
				id = r.begin(a, b)
				ok(t, r.Commit(background, id))
				pass(20 * time.Minute)
				calls := b.history()
				if gap := calls[len(calls)-1].begun.Sub(calls[len(calls)-2].end); gap < 20*time.Second || gap > 40*time.Second {
					t.Errorf("waits %v after a while, want about Retry.Max", gap)
				}
				ok(t, r.execute(a)) // others go on meanwhile
				b.every(commit, nil)
				pass(time.Minute)
				if b.became(id) != "committed" {
					t.Error("b was not told any more")
				}
				r.outcome(id, dtc.Committed)
			})
		})
	}
}

// One dead participant never stops transactions that do not need it, and gets
// what waits for it at once when it is back.
func TestContractScenario_DeadParticipant(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j, MaxTransactions: 5, RecoverySlots: 3})
		dead, other := newTwo(t, "dead"), newTwo(t, "other")
		dead.every(commit, obedient)
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				for {
					err := r.execute(dead, other)
					if !errors.Is(err, dtc.ErrTooManyTransactions) {
						ok(t, err)
						return
					}
					idle(time.Second)
				}
			})
		}
		wg.Wait()
		pass(time.Minute)
		began := time.Now()
		for range 20 {
			ok(t, r.execute(other))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("others were held up for %v", took)
		}
		flaky := newTwo(t, "flaky")
		flaky.every(commit, refuse)
		for range 5 { // parked beside the others, and not behind them
			id := r.begin(flaky)
			ok(t, r.Commit(background, id))
			flaky.every(commit, nil)
			pass(time.Second)
			if flaky.became(id) != "committed" {
				t.Error("who is well again waits behind who is not")
			}
			flaky.every(commit, refuse)
		}
		list, err := r.Transactions(background, dtc.Filter{Parked: true, Outcome: dtc.Committed})
		ok(t, err)
		if len(list) != 40 {
			t.Errorf("%d are parked, want 40", len(list))
		}
		pass(time.Hour)
		dead.every(commit, nil)
		pass(31 * time.Second) // the next probe at the latest
		if list, _ := r.Transactions(background, dtc.Filter{}); len(list) != 0 {
			t.Errorf("%d still wait", len(list))
		}
		if n := other.count(commit); n != 60 {
			t.Errorf("other was told %d times, want once for each", n)
		}
	})
}

// Caps under a stampede: exactly as many as there are slots.
func TestContractScenario_BeginRace(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		for range 3 {
			var began atomic.Int64
			var mu sync.Mutex
			var ids []uuid.UUID
			var wg sync.WaitGroup
			for range 1000 {
				wg.Go(func() {
					id, err := r.Begin(background, nil)
					if err != nil {
						is(t, err, dtc.ErrTooManyTransactions)
						return
					}
					began.Add(1)
					mu.Lock()
					ids = append(ids, id)
					mu.Unlock()
				})
			}
			wg.Wait()
			if n := began.Load(); n != 100 {
				t.Errorf("%d began, want 100", n)
			}
			r.live(100)
			for _, id := range ids {
				wg.Go(func() { ok(t, r.Rollback(background, id)) })
			}
			wg.Wait()
			r.live(0)
		}
	})
}

// Never more than the limit, and nobody waits for ever, while many come and go.
func TestContractScenario_SlotsUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxTransactions: 7, WaitForSlot: true})
		var busy, most atomic.Int64
		p := newTwo(t, "p")
		p.every(prepare, func(context.Context, participant.Branch) error {
			n := busy.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(time.Millisecond)
			busy.Add(-1)
			return nil
		})
		var wg sync.WaitGroup
		var done atomic.Int64
		for i := range 500 {
			wg.Go(func() {
				ctx := context.Context(background)
				if i%5 == 0 {
					c, cancel := context.WithTimeout(ctx, time.Duration(i)*100*time.Microsecond)
					defer cancel()
					ctx = c
				}
				if err := r.Execute(ctx, nil, enlistments(p)...); err == nil {
					done.Add(1)
				} else {
					is(t, err, context.DeadlineExceeded)
				}
			})
		}
		wg.Wait()
		pass(time.Minute)
		if most.Load() != 7 || done.Load() < 400 {
			t.Errorf("at most %d at a time, %d done", most.Load(), done.Load())
		}
		r.live(0)
	})
}

// What is polled all through goes forward only.
func TestContractScenario_OutcomeIsMonotone(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		slow := &faulty{Journal: j}
		var durable atomic.Bool
		slow.on(puts(journal.Commit, func() error { idle(time.Second); return nil }),
			puts(journal.Commit, func() error { durable.Store(true); return nil }))
		r := start(t, dtc.Config{Journal: slow})
		a := newTwo(t, "a")
		a.every(prepare, late(time.Second))
		a.every(commit, late(time.Second))
		for _, refused := range []bool{false, true} {
			durable.Store(false)
			if refused {
				a.next(prepare, late(time.Second), refuse)
				a.next(prepare, refuse)
			}
			id := r.begin(a)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					last := dtc.Active
					for {
						outcome, err := r.Outcome(background, id)
						ok(t, err)
						if last != dtc.Active && outcome != last {
							t.Errorf("went from %v to %v", last, outcome)
						}
						if outcome == dtc.Committed && !durable.Load() {
							t.Error("committed, and not durable")
						}
						last = outcome
						select {
						case <-stop:
							return
						case <-time.After(10 * time.Millisecond):
						}
					}
				})
			}
			_ = r.Commit(background, id)
			pass(time.Second)
			close(stop)
			wg.Wait()
		}
	})
}
