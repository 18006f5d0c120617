package dtc_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// crashCase is a transaction that the power fails on while one participant is in
// a call.
type crashCase struct {
	make  func(t *testing.T) []participant.Participant
	hold  int                                // the participant in a call
	in    string                             // in this one
	first func(ps []participant.Participant) // before the commit
	again func(ps []participant.Participant) // before the journal is opened again
	how   func(*rig, uuid.UUID) error        // nil: Commit
	o     *dtc.TxOptions
	want  dtc.Outcome
	told  []string // what each is called after the journal was opened again
}

// Whatever the last record says, recovery does what it must and nothing else.
func TestContractRecovery_EachRecord(t *testing.T) {
	for name, c := range crashCases() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t) })
		})
	}
}

func crashCases() map[string]crashCase {
	twos := func(t *testing.T) []participant.Participant {
		return []participant.Participant{newTwo(t, "a"), newTwo(t, "b")}
	}
	mixed := func(t *testing.T) []participant.Participant {
		return []participant.Participant{newTwo(t, "a"), newTwo(t, "b"), newOne(t, "c"), newTwo(t, "d")}
	}
	single := func(t *testing.T) []participant.Participant { return []participant.Participant{newDelegate(t, "a")} }
	recoverers := func(t *testing.T) []participant.Participant {
		return []participant.Participant{newRecoverer(t, "a"), newRecoverer(t, "b")}
	}
	readOnlyVoter := func(ps []participant.Participant) { fakeOf(ps[3]).next(prepare, readOnly) }
	giveUp := func(r *rig, id uuid.UUID) error { return r.Rollback(background, id) }
	return map[string]crashCase{
		"intent, preparing": {make: twos, hold: 1, in: prepare, want: dtc.RolledBack, told: []string{rollback, rollback}},
		"intent, working":   {make: mixed, hold: 2, in: commit, first: readOnlyVoter, want: dtc.RolledBack, told: []string{rollback, rollback, rollback, rollback}},
		"commit":            {make: twos, hold: 1, in: commit, want: dtc.Committed, told: []string{commit, commit}},
		"commit, some need no call": {
			make: mixed, hold: 1, in: commit, first: readOnlyVoter, want: dtc.Committed, told: []string{commit, commit, "", ""},
		},
		"commit, recoverers": {make: recoverers, hold: 1, in: commit, want: dtc.Committed, told: []string{commit, commit}},
		"delegation, committed": {
			make: single, hold: 0, in: onePhase, want: dtc.Committed, told: []string{ask},
			again: func(ps []participant.Participant) { fakeOf(ps[0]).every(ask, remembersAll(fakeOf(ps[0]))) },
		},
		"delegation, never arrived": {make: single, hold: 0, in: onePhase, want: dtc.RolledBack, told: []string{ask + " " + rollback}},
		"enlistment": {
			make: twos, o: &dtc.TxOptions{Durable: true}, hold: -1,
			want: dtc.RolledBack, told: []string{rollback, rollback},
		},
		"enlistment, then commit": {
			make: twos, o: &dtc.TxOptions{Durable: true}, hold: 1, in: commit,
			want: dtc.Committed, told: []string{commit, commit},
		},
		"rollback, nobody else to tell": {
			make: recoverers, how: giveUp, hold: 1, in: rollback,
			want: dtc.RolledBack, told: []string{"", rollback},
		},
	}
}

// remembersAll has a fake answer as if it had committed every branch.
func remembersAll(f *fake) act {
	return func(_ context.Context, b participant.Branch) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.state[b.Transaction] = "committed"
		return nil
	}
}

func (c crashCase) run(t *testing.T) {
	d, release := newDisk(t), make(chan struct{})
	r := start(t, dtc.Config{Journal: d.journal(), Name: "shop"})
	ps := c.make(t)
	if c.hold >= 0 {
		fakeOf(ps[c.hold]).every(c.in, deaf(release))
	}
	if c.first != nil {
		c.first(ps)
	}
	id, err := r.Begin(background, c.o)
	ok(t, err)
	r.enlist(id, ps...)
	if c.hold >= 0 {
		go func() {
			if c.how != nil {
				_ = c.how(r, id)
			} else {
				_ = r.Commit(background, id)
			}
		}()
	}
	pass(10 * time.Second) // parked by now, if it is decided
	found := d.crash()
	close(release)
	ok(t, r.Close())

	ps = c.make(t)
	for _, p := range ps {
		fakeOf(p).recovered = true
	}
	if c.again != nil {
		c.again(ps)
	}
	after := reopen(t, found, ps...)
	after.called(id, c.told...)
	after.outcome(id, c.want)
	ok(t, after.Close())
	for _, p := range ps {
		before := len(fakeOf(p).history())
		once := reopen(t, found, p)
		pass(time.Minute)
		once.outcome(id, c.want)
		if n := len(fakeOf(p).history()); n != before {
			t.Errorf("%s was called again: %s", p.Name(), fakeOf(p).ops())
		}
		ok(t, once.Close())
	}
}

// A participant that nobody has registered is a state that shows, not a loop of
// errors. Registering it is all that is needed.
func TestContractRecovery_Unregistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Journal: d.journal()})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		a.every(commit, refuse)
		b.every(commit, refuse)
		id := r.begin(a, b)
		ok(t, r.Commit(background, id))
		ok(t, r.Close())

		p, q := newTwo(t, "a"), newTwo(t, "b")
		after := reopen(t, d, p)
		pass(time.Hour)
		p.expect("commit")
		after.outcome(id, dtc.Committed)
		if n := len(after.events.of(dtc.EventUnregistered)); n != 1 {
			t.Errorf("told %d times that b is not registered, want once", n)
		}
		detail, err := after.Inspect(background, id)
		ok(t, err)
		if !detail.Parked || len(detail.Waiting) != 1 {
			t.Errorf("%+v: want it waiting for b", detail.Summary)
		}
		q.recovered = true
		ok(t, after.Register(q))
		synctest.Wait()
		q.expect("commit")
		p.expect("commit")
	})
}

// What is not in a journal that lasts was rolled back, if it is from before the
// journal was read, and after all that has expired.
func TestContractRecovery_PresumedRolledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Journal: d.journal(), MaxHistory: 1})
		a := newTwo(t, "a")
		var ids []uuid.UUID
		for range 3 {
			pass(time.Second)
			ids = append(ids, r.begin(a))
			ok(t, r.Commit(background, ids[len(ids)-1]))
		}
		pass(time.Second)
		undone := r.begin(a) // nothing is forced of it
		found := d.crash()
		pass(time.Second)

		after := reopenWith(t, found, dtc.Config{MaxHistory: 1}, newTwo(t, "a"))
		after.outcome(undone, dtc.RolledBack)
		is(t, after.Commit(background, undone), dtc.ErrRolledBack)
		ok(t, after.Rollback(background, undone))
		is(t, after.Enlist(background, undone, a, nil), dtc.ErrNotActive)
		after.outcome(ids[2], dtc.Committed)
		is(t, second(after.Outcome(background, ids[0])), dtc.ErrTransactionNotFound)
		after.outcome(ids[0], dtc.Unknown)

		pass(time.Second)
		unheard := uuid.Must(uuid.NewV7())
		is(t, second(after.Outcome(background, unheard)), dtc.ErrTransactionNotFound)
		after.outcome(unheard, dtc.Unknown)
		is(t, second(after.Outcome(background, uuid.New())), dtc.ErrTransactionNotFound)
		is(t, second(after.Outcome(background, uuid.Nil)), dtc.ErrTransactionNotFound)
		err := second(after.Begin(background, &dtc.TxOptions{ID: undone}))
		is(t, err, dtc.ErrNotActive)
		is(t, after.Execute(background, &dtc.TxOptions{ID: ids[0]}), dtc.ErrNotActive)
		ok(t, r.Rollback(background, undone))
	})
}

// With a journal that does not last nothing is presumed.
func TestContractRecovery_MemoryPresumesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := uuid.Must(uuid.NewV7())
		pass(time.Second)
		r := start(t, dtc.Config{})
		r.outcome(old, dtc.Unknown)
		is(t, second(r.Outcome(background, old)), dtc.ErrTransactionNotFound)
		is(t, r.Commit(background, old), dtc.ErrTransactionNotFound)
	})
}

// What was answered is there after a power failure at that very moment.
func TestContractRecovery_AnsweredSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		j := &faulty{Journal: d.journal()}
		r := start(t, dtc.Config{Journal: j, Name: "shop"})
		a, b, c := newTwo(t, "a"), newOne(t, "b"), newDelegate(t, "c")
		type moment struct {
			id    uuid.UUID
			found *disk
		}
		var moments []moment
		for _, ps := range [][]participant.Participant{{a}, {a, b}, {b}, {c}, {a, c}} {
			id := r.begin(ps...)
			ok(t, r.Commit(background, id))
			moments = append(moments, moment{id, d.crash()})
		}
		for _, m := range moments {
			delegate := newDelegate(t, "c")
			delegate.every(ask, remembersAll(delegate.fake))
			after := reopen(t, m.found, newTwo(t, "a"), newOne(t, "b"), delegate)
			pass(time.Minute)
			after.outcome(m.id, dtc.Committed)
			if got := after.fakes[1].ops(); got != "" {
				t.Errorf("the one-phase branch was called again: %s", got)
			}
			ok(t, after.Close())
		}
	})
}

// Recovery forces what it read before it acts on it: what a process that was
// killed had only written could still be lost with the machine.
func TestContractRecovery_ForcesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Name: "shop", Journal: d.journal()})
		dead := newTwo(t, "a")
		dead.every(commit, refuse)
		id := r.begin(dead)
		ok(t, r.Commit(background, id))
		ok(t, r.Close())

		var events []string
		tell := func(what string) error {
			events = append(events, what)
			return nil
		}
		j := &faulty{Journal: d.journal()}
		j.on(nil, func(b journal.Batch) error {
			if b.Force {
				return tell("forced")
			}
			return nil
		})
		a := newTwo(t, "a")
		a.recovered = true
		a.every(commit, func(context.Context, participant.Branch) error { return tell("told") })
		again := start(t, dtc.Config{Name: "shop", Journal: j, Participants: []participant.Participant{a}})
		pass(time.Minute)
		if len(events) < 2 || events[0] != "forced" || events[1] != "told" {
			t.Errorf("what happened: %q", events)
		}
		again.outcome(id, dtc.Committed)
	})
}
