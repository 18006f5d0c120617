package dtc_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// trial is a coordinator under load whose power fails at some moment.
type trial struct {
	t    *testing.T
	rand *rand.Rand
	mu   sync.Mutex
	told map[uuid.UUID]error // what Commit answered before the power failed
	over bool
}

// Guarantees 1 to 4, at moments taken at random: what was answered stands, no two
// branches end differently, each takes effect once, and none is forgotten.
func TestContractGuarantees_PowerFails(t *testing.T) {
	rounds := uint64(30)
	if testing.Short() {
		rounds = 10
	}
	for seed := range rounds {
		synctest.Test(t, func(t *testing.T) {
			x := &trial{t: t, rand: rand.New(rand.NewPCG(seed, 7)), told: map[uuid.UUID]error{}}
			x.run(fmt.Sprint("seed ", seed))
		})
	}
}

// cast is the participants: two kinds that prepare, and one that does not.
func (x *trial) cast() []participant.Participant {
	return []participant.Participant{newTwo(x.t, "two"), newRecoverer(x.t, "recoverer"), newOne(x.t, "one")}
}

// misbehave is what any call may do: be late, refuse, or panic.
func (x *trial) misbehave(context.Context, participant.Branch) error {
	x.mu.Lock()
	wait, what := time.Duration(x.rand.IntN(400))*time.Millisecond, x.rand.IntN(20)
	x.mu.Unlock()
	idle(wait)
	switch what {
	case 0:
		panic("boom")
	case 1, 2:
		return errRefused
	}
	return nil
}

func (x *trial) run(at string) {
	disk, moment := newDisk(x.t), time.Duration(x.rand.IntN(3000))*time.Millisecond
	r := start(x.t, dtc.Config{Journal: disk.journal(), Name: "shop", ParticipantTimeout: 300 * time.Millisecond})
	ps := x.cast()
	for _, p := range ps {
		for _, op := range []string{prepare, commit, rollback} {
			fakeOf(p).every(op, x.misbehave)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for !x.isOver() {
				x.transact(r, ps)
			}
		})
	}
	pass(moment)

	// At this moment everybody waits for something: the power fails.
	x.mu.Lock()
	x.over = true
	told := maps.Clone(x.told)
	x.mu.Unlock()
	found, again := disk.crash(), x.cast()
	for i, p := range ps {
		before, after := fakeOf(p), fakeOf(again[i])
		before.mu.Lock()
		after.state, after.effects = maps.Clone(before.state), maps.Clone(before.effects)
		before.mu.Unlock()
	}
	wg.Wait()
	ok(x.t, r.Close())

	after := reopen(x.t, found, again...)
	pass(5 * time.Minute)
	x.audit(after, told, at)
	ok(x.t, after.Close())
}

func (x *trial) isOver() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.over
}

// transact commits, or rolls back, a transaction with some of the participants.
func (x *trial) transact(r *rig, ps []participant.Participant) {
	x.mu.Lock()
	mask, undo := 1+x.rand.IntN(7), x.rand.IntN(5) == 0
	x.mu.Unlock()
	id := r.begin()
	for i, p := range ps {
		if mask&(1<<i) != 0 {
			r.enlist(id, p)
		}
	}
	if undo {
		_ = r.Rollback(background, id)
		return
	}
	err := r.Commit(background, id)
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.over {
		x.told[id] = err
	}
}

func (x *trial) audit(r *reopened, told map[uuid.UUID]error, at string) {
	ids := map[uuid.UUID]bool{}
	for id := range told {
		ids[id] = true
	}
	for _, f := range r.fakes {
		for id := range f.state {
			ids[id] = true
		}
	}
	for id := range ids {
		outcome, err := r.Outcome(background, id)
		answer, answered := told[id]
		switch {
		case outcome != dtc.Committed && outcome != dtc.RolledBack:
			x.t.Errorf("%s: %s is %v, %v", at, id, outcome, err)
		case answered && answer == nil && outcome != dtc.Committed, errors.Is(answer, dtc.ErrRolledBack) && outcome != dtc.RolledBack:
			x.t.Errorf("%s: %s was answered %v, and is %v", at, id, answer, outcome)
		}
		want := map[dtc.Outcome]string{dtc.Committed: "committed", dtc.RolledBack: "rolled back"}[outcome]
		for _, f := range r.fakes {
			if got := f.became(id); got != want && got != "" || f.effects[id] > 1 {
				x.t.Errorf("%s: %s is %v, and at %s %q, %d times", at, id, outcome, f.name, got, f.effects[id])
			}
		}
	}
	if list, _ := r.Transactions(background, dtc.Filter{}); len(list) != 0 {
		x.t.Errorf("%s: %d are not finished: %+v", at, len(list), list[0])
	}
}

// Guarantee 5: with a journal that does not last, a participant for which as many
// wait as may be takes part in no more, until it answers again.
func TestContractGuarantees_ParkedInMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxHistory: 5})
		dead, other := newTwo(t, "dead"), newTwo(t, "other")
		dead.every(commit, refuse)
		for range 5 {
			ok(t, r.execute(dead))
		}
		synctest.Wait()
		err := r.execute(dead, other)
		is(t, err, dtc.ErrTooManyTransactions)
		if e := as[*dtc.TooManyTransactionsError](t, err); e.Limit != 5 {
			t.Errorf("%+v", e)
		}
		id := r.begin(other)
		is(t, r.Enlist(background, id, dead, nil), dtc.ErrTooManyTransactions)
		is(t, r.Run(background, nil, enlistAll(dead)), dtc.ErrTooManyTransactions, dtc.ErrRolledBack)
		ok(t, r.Commit(background, id))
		dead.every(commit, nil)
		pass(time.Minute)
		ok(t, r.execute(dead, other))
	})
}

// Guarantee 5: with one that lasts, what is beyond the bound is on disk alone, and
// is delivered all the same.
func TestContractGuarantees_ParkedOnDiskIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Journal: d.journal(), MaxHistory: 5})
		dead := newTwo(t, "dead")
		dead.every(commit, refuse)
		var ids []uuid.UUID
		for range 20 {
			ids = append(ids, r.begin(dead))
			ok(t, r.Commit(background, ids[len(ids)-1]))
		}
		pass(time.Minute)
		for _, id := range ids {
			r.outcome(id, dtc.Committed)
			ok(t, r.Commit(background, id))
			is(t, r.Rollback(background, id), dtc.ErrCommitted)
			detail, err := r.Inspect(background, id)
			ok(t, err)
			if len(detail.Branches) != 1 {
				t.Errorf("%+v", detail)
			}
		}
		found := d.crash()
		dead.every(commit, nil)
		pass(5 * time.Minute)
		for _, id := range ids {
			if dead.effects[id] != 1 {
				t.Errorf("%s took effect %d times", id, dead.effects[id])
			}
		}
		again := newTwo(t, "dead")
		reopenWith(t, found, dtc.Config{MaxHistory: 5}, again)
		pass(5 * time.Minute)
		for _, id := range ids {
			if again.effects[id] != 1 {
				t.Errorf("after reopening %s took effect %d times", id, again.effects[id])
			}
		}
	})
}

// A durable enlistment that is not forced in time may be there or not.
func TestContractGuarantees_DurableEnlistWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: j})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		id, err := r.Begin(background, &dtc.TxOptions{Durable: true})
		ok(t, err)
		r.enlist(id, a)
		if n := r.Stats().Forced; n != 1 {
			t.Errorf("%d records forced by a durable enlistment", n)
		}
		j.on(puts(journal.Enlistment, func() error { idle(3 * time.Second); return nil }), nil)
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		is(t, r.Enlist(ctx, id, b, nil), dtc.ErrOutcomeUnknown, context.DeadlineExceeded)
		ok(t, r.Enlist(background, id, b, nil)) // the same again: now it is
		ok(t, r.Commit(background, id))
		b.expect("prepare commit")
	})
}

// Guarantee 1, in real time: many transactions, each with many who want it to end
// in different ways.
func TestContractGuarantees_Race(t *testing.T) {
	r := start(t, dtc.Config{MaxTransactions: 1000})
	a, b := newTwo(t, "a"), newNonBlockingTwo(t, "b")
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			id := r.begin(a, b)
			answers := make(chan error, 40)
			for range 20 {
				go func() { answers <- r.Commit(background, id) }()
				go func() {
					if err := r.Rollback(background, id); err != nil {
						answers <- err
					} else {
						answers <- dtc.ErrRolledBack
					}
				}()
			}
			committed, rolledBack := 0, 0
			for range 40 {
				switch err := <-answers; {
				case err == nil, errors.Is(err, dtc.ErrCommitted):
					committed++
				case errors.Is(err, dtc.ErrRolledBack):
					rolledBack++
				default:
					t.Errorf("answered %v", err)
				}
			}
			if committed > 0 && rolledBack > 0 {
				t.Errorf("%d were told committed, %d rolled back", committed, rolledBack)
			}
			want := map[bool]string{true: "committed", false: "rolled back"}[committed > 0]
			if a.became(id) != want || b.became(id) != want {
				t.Errorf("told %s; a is %q, b is %q", want, a.became(id), b.became(id))
			}
		})
	}
	wg.Wait()
}
