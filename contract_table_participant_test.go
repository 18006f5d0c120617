package dtc_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// Row: a participant hangs in phase one.
func TestContract_ParticipantHangs(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b, release := newTwo(t, "a"), newTwo(t, "b"), make(chan struct{})
		b.next(prepare, deaf(release))
		id := r.begin(a, b)
		began := time.Now()
		err := r.Commit(background, id)
		is(t, err, dtc.ErrRolledBack, dtc.ErrTimeout, dtc.ErrParticipantFailedToCommit)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the caller was held up for %v, want ParticipantTimeout", took)
		}
		a.expect("prepare rollback")
		if at := a.history()[1].begun.Sub(began); at != 5*time.Second {
			t.Errorf("a was told after %v", at)
		}
		b.expect("prepare")
		r.live(0)
		pass(10 * time.Minute)
		b.expect("prepare") // nothing else until its call has returned
		if free := r.execute(a); free != nil {
			t.Errorf("another transaction: %v", free)
		}
		close(release)
		synctest.Wait()
		b.expect("prepare rollback")
		pass(time.Minute)
		a.expect("prepare rollback prepare commit")
		b.expect("prepare rollback")
		d, err := r.Inspect(background, id)
		ok(t, err)
		if d.Finished.IsZero() {
			t.Errorf("%+v: want it finished", d.Summary)
		}
	})
}

// Row: a one-phase participant hangs in phase one.
func TestContract_ParticipantHangs_OnePhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a, b, c, release := newTwo(t, "a"), newOne(t, "b"), newOne(t, "c"), make(chan struct{})
		c.next(commit, deaf(release))
		is(t, r.execute(a, b, c), dtc.ErrRolledBack, dtc.ErrTimeout)
		a.expect("prepare rollback")
		b.expect("commit rollback")
		close(release)
		pass(time.Minute)
		c.expect("commit rollback")
	})
}

// Row: a participant answers yes after the deadline.
func TestContract_YesAfterDeadline(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		b.next(prepare, late(40*time.Second))
		id := r.begin(a, b)
		is(t, r.Commit(background, id), dtc.ErrRolledBack)
		pass(time.Minute)
		r.outcome(id, dtc.RolledBack)
		a.expect("prepare rollback")
		b.expect("prepare rollback")
		is(t, r.Commit(background, id), dtc.ErrRolledBack)
	})
}

// Row: a participant refuses.
func TestContract_ParticipantRefuses(t *testing.T) {
	for name, misbehaves := range map[string]act{"error": refuse, "panic": panics(errRefused), "goexit": goexit} {
		t.Run(name, func(t *testing.T) {
			eachJournal(t, func(t *testing.T, j journal.Journal) {
				r := start(t, dtc.Config{Journal: j})
				a, b, c := newTwo(t, "a"), newTwo(t, "b"), newOne(t, "c")
				b.next(prepare, misbehaves)
				began := time.Now()
				err := r.execute(a, b, c)
				is(t, err, dtc.ErrRolledBack, dtc.ErrParticipantFailedToCommit)
				if name != "goexit" {
					is(t, err, errRefused)
				}
				isNot(t, err, dtc.ErrTimeout, dtc.ErrParticipantFailedToRollback)
				if took := time.Since(began); took != 0 {
					t.Errorf("it took %v: the others are to be rolled back at once", took)
				}
				a.expect("prepare rollback")
				b.expect("prepare rollback")
				c.expect("rollback")
			})
		})
	}
}

// Row: a participant calls back into the coordinator: no deadlock.
func TestContract_ParticipantCallsBack(t *testing.T) {
	kinds := map[string]func(t *testing.T) (participant.Participant, *fake){
		"one-phase":    func(t *testing.T) (participant.Participant, *fake) { p := newOne(t, "p"); return p, p.fake },
		"two-phase":    func(t *testing.T) (participant.Participant, *fake) { p := newTwo(t, "p"); return p, p.fake },
		"non-blocking": func(t *testing.T) (participant.Participant, *fake) { p := newNonBlockingTwo(t, "p"); return p, p.fake },
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, dtc.Config{})
				p, f := kind(t)
				other := newTwo(t, "other")
				callback := func(_ context.Context, b participant.Branch) error {
					id := b.Transaction
					_, err := r.Outcome(background, id)
					ok(t, err)
					_, err = r.Inspect(background, id)
					ok(t, err)
					is(t, r.Enlist(background, id, newTwo(t, "late"), nil), dtc.ErrNotActive)
					ok(t, r.execute(other))
					ok(t, r.Rollback(background, r.begin(other)))
					ctx, cancel := context.WithTimeout(background, time.Millisecond)
					defer cancel()
					if name != "non-blocking" { // which must not wait
						is(t, r.Commit(ctx, id), dtc.ErrOutcomeUnknown)
					}
					return nil
				}
				f.every(prepare, callback)
				if name == "one-phase" {
					f.every(commit, callback)
				}
				began := time.Now()
				ok(t, r.execute(p))
				if took := time.Since(began); took > 100*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				f.every(prepare, func(_ context.Context, b participant.Branch) error {
					ctx, cancel := context.WithTimeout(background, time.Millisecond)
					defer cancel()
					_ = r.Rollback(ctx, b.Transaction)
					return nil
				})
				if name != "one-phase" {
					is(t, r.execute(p), dtc.ErrRolledBack)
					if got := f.ops(); got != "prepare commit prepare rollback" {
						t.Errorf("called: %s", got)
					}
				}
			})
		})
	}
}

// Row: 1,000 callers race commit, rollback and the deadline.
func TestContract_ThousandCallersRace(t *testing.T) {
	for round := range 10 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, dtc.Config{})
				a, b := newTwo(t, "a"), newOne(t, "b")
				id, err := r.Begin(background, &dtc.TxOptions{Timeout: time.Second})
				ok(t, err)
				r.enlist(id, a, b)
				commits, rollbacks := make(chan error, 500), make(chan error, 500)
				for range 500 {
					go func() { time.Sleep(time.Second); commits <- r.Commit(background, id) }()
					go func() { time.Sleep(time.Second); rollbacks <- r.Rollback(background, id) }()
				}
				committed := 0
				for range 500 {
					if c := <-commits; c == nil {
						committed++
					} else {
						is(t, c, dtc.ErrRolledBack)
					}
					if rb := <-rollbacks; errors.Is(rb, dtc.ErrCommitted) {
						committed++
					} else if rb != nil {
						is(t, rb, dtc.ErrParticipantFailedToRollback)
					}
				}
				outcome, err := r.Outcome(background, id)
				ok(t, err)
				if want := map[dtc.Outcome]int{dtc.Committed: 1000, dtc.RolledBack: 0}[outcome]; committed != want {
					t.Errorf("outcome %v, but %d of 1000 answers say committed", outcome, committed)
				}
				if a.count(commit)+a.count(rollback) != 1 || (outcome == dtc.Committed) != (a.became(id) == "committed") {
					t.Errorf("outcome %v, a: %s", outcome, a.ops())
				}
				if (outcome == dtc.Committed) != (b.became(id) == "committed") {
					t.Errorf("outcome %v, b: %s", outcome, b.ops())
				}
			})
		})
	}
}
