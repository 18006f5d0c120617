package dtc_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// A single OnePhaseCommitter decides; what it says, or has to be asked, is the
// outcome.
func TestContractDelegate(t *testing.T) {
	lost := errors.New("connection lost")
	for name, c := range map[string]struct {
		script func(d *delegate)
		want   dtc.Outcome
		ops    string
		is     []error
	}{
		"commits": {func(*delegate) {}, dtc.Committed, onePhase, nil},
		"refuses for good": {func(d *delegate) { d.next(onePhase, fails(errors.Join(errRefused, participant.ErrRolledBack))) },
			dtc.RolledBack, onePhase + " " + rollback, []error{dtc.ErrRolledBack, dtc.ErrParticipantFailedToCommit, errRefused}},
		"lost before": {func(d *delegate) { d.next(onePhase, fails(lost)) },
			dtc.RolledBack, onePhase + " " + ask + " " + rollback, []error{dtc.ErrRolledBack}},
		"lost after": {func(d *delegate) {
			d.next(onePhase, fails(lost))
			d.next(ask, remembersAll(d.fake))
		}, dtc.Committed, onePhase + " " + ask, nil},
		"asked again": {func(d *delegate) {
			d.next(onePhase, fails(lost))
			d.next(ask, refuse, panics("boom"), remembersAll(d.fake))
		}, dtc.Committed, onePhase + " " + ask + " " + ask + " " + ask, nil},
		"panics": {func(d *delegate) { d.next(onePhase, panics("boom")) },
			dtc.RolledBack, onePhase + " " + ask + " " + rollback, []error{dtc.ErrRolledBack}},
		"slow": {func(d *delegate) { d.next(onePhase, late(3*time.Second)) }, dtc.Committed, onePhase, nil},
	} {
		t.Run(name, func(t *testing.T) {
			eachJournal(t, func(t *testing.T, j journal.Journal) {
				r := start(t, dtc.Config{Journal: j})
				d := newDelegate(t, "d")
				c.script(d)
				id := r.begin(d)
				err := r.Commit(background, id)
				if c.is == nil {
					ok(t, err)
				}
				is(t, err, c.is...)
				r.outcome(id, c.want)
				pass(time.Minute)
				d.expect(c.ops)
				r.live(0)
				again := r.Commit(background, id)
				if (again == nil) != (c.is == nil) {
					t.Errorf("asked again: %v", again)
				}
			})
		})
	}
}

// While the delegate does not say, nobody knows; the transaction is listed, frees
// its slot, and is settled when it answers.
func TestContractDelegate_Doubt(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		d := newDelegate(t, "d")
		d.next(onePhase, refuse)
		d.every(ask, refuse)
		id := r.begin(d)
		began := time.Now()
		err := r.Commit(background, id)
		is(t, err, dtc.ErrOutcomeUnknown)
		isNot(t, err, dtc.ErrRolledBack)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("Commit took %v", took)
		}
		r.outcome(id, dtc.Unknown)
		is(t, second(r.Outcome(background, id)), dtc.ErrOutcomeUnknown)
		r.live(0)
		pass(time.Minute)
		is(t, r.Commit(background, id), dtc.ErrOutcomeUnknown)
		is(t, r.Rollback(background, id), dtc.ErrOutcomeUnknown)
		list, err := r.Transactions(background, dtc.Filter{})
		ok(t, err)
		if len(list) != 1 || !list[0].Parked || len(list[0].Waiting) != 1 || !errors.Is(list[0].Waiting[0], errRefused) {
			t.Errorf("listed: %+v", list)
		}
		d.every(ask, remembersAll(d.fake))
		pass(time.Minute)
		r.outcome(id, dtc.Committed)
		ok(t, r.Commit(background, id))
		if d.count(rollback) != 0 {
			t.Errorf("d was called: %s", d.ops())
		}
	})
}

// A delegate that hangs is asked when its call has returned, not before.
func TestContractDelegate_Hangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		d, release := newDelegate(t, "d"), make(chan struct{})
		d.next(onePhase, deaf(release))
		id := r.begin(d)
		is(t, r.Commit(background, id), dtc.ErrOutcomeUnknown)
		d.expect(onePhase)
		r.live(0)
		pass(time.Hour)
		d.expect(onePhase)
		close(release)
		pass(time.Minute)
		r.outcome(id, dtc.Committed)
		if d.count(onePhase) != 1 || d.count(ask) == 0 || d.count(rollback) != 0 {
			t.Errorf("d was called: %s", d.ops())
		}
	})
}

// Close while the delegate has not said: waiters are told so, and the next run
// asks.
func TestContractDelegate_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, release := newDisk(t), make(chan struct{})
		r := start(t, dtc.Config{Journal: disk.journal()})
		d := newDelegate(t, "d")
		d.next(onePhase, deaf(release))
		id := r.begin(d)
		answer := make(chan error, 1)
		go func() { answer <- r.Commit(background, id) }()
		pass(time.Second)
		ok(t, r.Close())
		is(t, <-answer, dtc.ErrOutcomeUnknown)
		close(release)
		synctest.Wait()

		again := newDelegate(t, "d")
		again.every(ask, remembersAll(again.fake))
		after := reopen(t, disk, again)
		pass(time.Minute)
		after.outcome(id, dtc.Committed)
		again.expect(ask)
	})
}

// Close while the commit record is being forced: nobody can know yet.
func TestContractClose_Deciding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, release := newDisk(t), make(chan struct{})
		j := &faulty{Journal: disk.journal()}
		r := start(t, dtc.Config{Journal: j})
		a := newTwo(t, "a")
		j.on(puts(journal.Commit, func() error { <-release; return nil }), nil)
		id := r.begin(a)
		answer := make(chan error, 1)
		go func() { answer <- r.Commit(background, id) }()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- r.Close() }()
		pass(time.Minute)
		select {
		case err := <-answer:
			is(t, err, dtc.ErrOutcomeUnknown, dtc.ErrClosed)
		default:
			t.Error("the caller still waits")
		}
		close(release) // a journal cannot be closed in the middle of a write
		ok(t, <-closed)
		after := reopen(t, disk, newTwo(t, "a"))
		pass(time.Minute)
		after.outcome(id, dtc.Committed)
	})
}

// Close while Begin, Enlist, Commit and the rest come in: each is answered.
func TestContractClose_Race(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j, MaxTransactions: 1000, WaitForSlot: true})
		a, b := newTwo(t, "a"), newOne(t, "b")
		a.every(prepare, late(time.Millisecond))
		const callers = 60
		answers := make(chan error, callers*5)
		for i := range callers {
			wait := time.Duration(i) * 100 * time.Microsecond
			go func() { idle(wait); answers <- r.execute(a, b) }()
			go func() { idle(wait); answers <- r.Run(background, nil, enlistAll(a, b)) }()
			go func() {
				idle(wait)
				id, err := r.Begin(background, nil)
				answers <- err
				if err != nil {
					answers <- err
					answers <- err
					return
				}
				answers <- r.Enlist(background, id, a, nil)
				answers <- r.Commit(background, id)
			}()
		}
		idle(3 * time.Millisecond)
		go func() { ok(t, r.Close()) }()
		ok(t, r.Close())
		told := 0
		for range callers * 5 {
			if err := <-answers; err == nil {
				told++
			} else if !errors.Is(err, dtc.ErrClosed) && !errors.Is(err, dtc.ErrRolledBack) && !errors.Is(err, dtc.ErrNotActive) {
				t.Errorf("answered %v", err)
			}
		}
		if told == 0 {
			t.Error("nothing got through: the test does not test")
		}
	})
}
