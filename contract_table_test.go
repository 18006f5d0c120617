package dtc_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// The tests of this file and of contract_table_*_test.go are the rows of the
// table "Contract, case by case", in its order.

// Row: Commit returns nil.
func TestContract_CommitReturnsNil(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b, c := newTwo(t, "a"), newTwo(t, "b"), newOne(t, "c")
		id := r.begin(a, b, c)
		r.outcome(id, dtc.Active)
		ok(t, r.Commit(background, id))
		r.outcome(id, dtc.Committed)
		a.expect("prepare commit")
		b.expect("prepare commit")
		c.expect("commit")
		r.live(0)
		pass(30 * time.Minute)
		r.outcome(id, dtc.Committed)
		a.expect("prepare commit")
	})
}

// Row: Commit returns nil. It waits for acknowledgements, at most
// ParticipantTimeout past the decision; the rest is delivered in the background
// and shows in Inspect.
func TestContract_CommitReturnsNil_Unacknowledged(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		b.every(commit, refuse)
		id := r.begin(a, b)
		began := time.Now()
		ok(t, r.Commit(background, id))
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Commit took %v, want ParticipantTimeout", took)
		}
		r.live(0)
		r.outcome(id, dtc.Committed)
		d, err := r.Inspect(background, id)
		ok(t, err)
		if !d.Parked || d.Outcome != dtc.Committed || len(d.Waiting) != 1 {
			t.Errorf("Inspect: %+v, want it parked and waiting for b", d.Summary)
		} else if e := as[*dtc.ParticipantFailedToCommitError](t, d.Waiting[0]); e.Participant != "b" || !errors.Is(e, errRefused) {
			t.Errorf("waits for %v, want b and what it said", e)
		}
		a.expect("prepare commit")
		b.every(commit, nil)
		pass(time.Minute)
		d, err = r.Inspect(background, id)
		ok(t, err)
		if d.Parked || d.Finished.IsZero() {
			t.Errorf("Inspect: %+v, want it finished", d.Summary)
		}
		a.expect("prepare commit")
		if b.effects[id] != 1 {
			t.Errorf("b committed %d times", b.effects[id])
		}
	})
}

// Row: Commit fails.
func TestContract_CommitFails(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b, c, d := newTwo(t, "a"), newTwo(t, "b"), newTwo(t, "c"), newTwo(t, "d")
		b.next(prepare, refuse)
		c.next(prepare, late(time.Second))
		d.every(rollback, refuse)
		id := r.begin(a, b, c, d)
		err := r.Commit(background, id)
		is(t, err, dtc.ErrRolledBack, dtc.ErrParticipantFailedToCommit, dtc.ErrParticipantFailedToRollback, errRefused)
		isNot(t, err, dtc.ErrOutcomeUnknown, dtc.ErrCommitted)
		if e := as[*dtc.RolledBackError](t, err); e.ID != id {
			t.Errorf("names transaction %s, want %s", e.ID, id)
		}
		named := map[string]bool{}
		for _, e := range all[*dtc.ParticipantFailedToCommitError](err) {
			named[e.Participant] = e.ID == id
		}
		if !named["b"] || named["a"] || named["d"] {
			t.Errorf("failed to commit: %v, want b", named)
		}
		back := all[*dtc.ParticipantFailedToRollbackError](err)
		if len(back) != 1 || back[0].Participant != "d" || back[0].ID != id || !errors.Is(back[0], errRefused) {
			t.Errorf("failed to roll back: %v, want d", back)
		}
		r.outcome(id, dtc.RolledBack)
		d.every(rollback, nil)
		pass(time.Minute)
		if d.became(id) != "rolled back" {
			t.Errorf("d is %q: its rollback was not told again", d.became(id))
		}
		a.expect("prepare rollback")
		b.expect("prepare rollback")
		c.expect("prepare rollback")
	})
}

// Row: Commit fails: a TimeoutError where a deadline decided.
func TestContract_CommitFails_Deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		b.next(prepare, obedient)
		began := time.Now()
		err := r.execute(a, b)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %v, want ParticipantTimeout", took)
		}
		is(t, err, dtc.ErrRolledBack, dtc.ErrTimeout)
		e := as[*dtc.ParticipantFailedToCommitError](t, err)
		if e.Participant != "b" {
			t.Errorf("names %q, want b", e.Participant)
		}
		if e := as[*dtc.TimeoutError](t, e); e.After != 5*time.Second || e.Phase != "prepare" {
			t.Errorf("TimeoutError: %+v", e)
		}

		b.next(prepare, obedient)
		id, err := r.Begin(background, &dtc.TxOptions{Timeout: 2 * time.Second})
		ok(t, err)
		r.enlist(id, a, b)
		pass(time.Second)
		err = r.Commit(background, id)
		is(t, err, dtc.ErrRolledBack, dtc.ErrTimeout)
		own := false
		for _, e := range all[*dtc.TimeoutError](err) {
			own = own || e.After == 2*time.Second && e.ID == id
		}
		if !own {
			t.Errorf("%v: want the transaction's own deadline among the causes", err)
		}
	})
}

// Row: Commit again, Commit after Rollback.
func TestContract_CommitAgain(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a := newTwo(t, "a")
		id := r.begin(a)
		ok(t, r.Commit(background, id))
		ok(t, r.Commit(background, id))
		undone := r.begin(a)
		ok(t, r.Rollback(background, undone))
		for range 2 {
			err := r.Commit(background, undone)
			is(t, err, dtc.ErrRolledBack)
			isNot(t, err, dtc.ErrOutcomeUnknown)
		}
		a.expect("prepare commit rollback")
		pass(time.Hour + time.Second)
		for _, id := range []uuid.UUID{id, undone} {
			err := r.Commit(background, id)
			if e := as[*dtc.TransactionNotFoundError](t, err); e.ID != id {
				t.Errorf("names %s, want %s", e.ID, id)
			}
			is(t, err, dtc.ErrTransactionNotFound)
		}
		a.expect("prepare commit rollback")
	})
}

// Row: Rollback.
func TestContract_Rollback(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b, c := newTwo(t, "a"), newOne(t, "b"), newTwo(t, "c")
		id := r.begin(a, b, c)
		ok(t, r.Rollback(background, id))
		r.outcome(id, dtc.RolledBack)
		for _, f := range []*fake{a.fake, b.fake, c.fake} {
			f.expect("rollback")
		}
		ok(t, r.Rollback(background, id))
		a.expect("rollback")
		if n := r.Stats().Forced; n != 0 {
			t.Errorf("an acknowledged rollback forced %d records", n)
		}
	})
}

// Row: Rollback, joined errors of those who have not acknowledged.
func TestContract_Rollback_Unacknowledged(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b, c := newTwo(t, "a"), newOne(t, "b"), newTwo(t, "c")
		b.every(rollback, refuse)
		c.every(rollback, obedient)
		id := r.begin(a, b, c)
		began := time.Now()
		err := r.Rollback(background, id)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Rollback took %v, want ParticipantTimeout", took)
		}
		is(t, err, dtc.ErrParticipantFailedToRollback, errRefused)
		isNot(t, err, dtc.ErrParticipantFailedToCommit, dtc.ErrOutcomeUnknown)
		named := map[string]bool{}
		for _, e := range all[*dtc.ParticipantFailedToRollbackError](err) {
			named[e.Participant] = e.ID == id
		}
		if len(named) != 2 || !named["b"] || !named["c"] {
			t.Errorf("failed to roll back: %v, want b and c", named)
		}
		r.outcome(id, dtc.RolledBack)
		r.live(0)
		b.every(rollback, nil)
		c.every(rollback, nil)
		pass(2 * time.Minute)
		ok(t, r.Rollback(background, id))
	})
}

// Row: Rollback with a ctx that is done is delivered all the same.
func TestContract_Rollback_ContextDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a := newTwo(t, "a")
		id := r.begin(a)
		ctx, cancel := context.WithCancel(background)
		cancel()
		err := r.Rollback(ctx, id)
		if err != nil {
			is(t, err, dtc.ErrOutcomeUnknown, context.Canceled)
		}
		synctest.Wait()
		r.outcome(id, dtc.RolledBack)
		a.expect("rollback")
		r.live(0)
	})
}

// Row: Rollback on a committed transaction is ErrCommitted and nothing else.
func TestContract_Rollback_Committed(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		id := r.begin(a, b)
		ok(t, r.Commit(background, id))
		if err := r.Rollback(background, id); err != dtc.ErrCommitted {
			t.Errorf("Rollback after Commit: %v, want ErrCommitted itself", err)
		}
		b.next(commit, late(20*time.Second))
		parked := r.begin(a, b)
		ok(t, r.Commit(background, parked))
		if err := r.Rollback(background, parked); err != dtc.ErrCommitted {
			t.Errorf("Rollback while parked: %v, want ErrCommitted itself", err)
		}
		pass(time.Minute)
		a.expect("prepare commit prepare commit")
		b.expect("prepare commit prepare commit")
	})
}

// Row: a participant's rollback fails or panics.
func TestContract_ParticipantRollbackFails(t *testing.T) {
	acts := map[string]act{"error": refuse, "panic": panics("boom"), "goexit": goexit}
	for name, misbehaves := range acts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, dtc.Config{})
				a, b, c := newTwo(t, "a"), newTwo(t, "b"), newTwo(t, "c")
				b.next(rollback, misbehaves, misbehaves, misbehaves)
				id := r.begin(a, b, c)
				began := time.Now()
				ok(t, r.Rollback(background, id)) // three retries are over long before ParticipantTimeout
				b.expect("rollback rollback rollback rollback")
				a.expect("rollback")
				c.expect("rollback")
				for _, f := range []*fake{a.fake, c.fake} {
					if at := f.history()[0].begun; !at.Equal(began) {
						t.Errorf("%s was told %v late", f.name, at.Sub(began))
					}
				}
				checkBackoff(t, b.history())
				health, err := r.Participants(background)
				ok(t, err)
				if h := health[1]; h.Participant != "b" || h.Failures != 3 || h.Calls != 4 || !h.Healthy {
					t.Errorf("health: %+v, want 3 failures of 4 calls", h)
				} else if name == "panic" && h.Panics != 3 {
					t.Errorf("health: %+v, want 3 panics", h)
				}
				if len(r.log.with("level=WARN", "participant=b", "told again")) == 0 {
					t.Errorf("no warning of b in the log:\n%s", r.log)
				}
			})
		})
	}
}

// checkBackoff fails the test unless each wait is longer than the one before.
func checkBackoff(t *testing.T, calls []call) {
	t.Helper()
	for i := 2; i < len(calls); i++ {
		before, now := calls[i-1].begun.Sub(calls[i-2].end), calls[i].begun.Sub(calls[i-1].end)
		if now <= before {
			t.Errorf("waited %v, then %v: no back-off", before, now)
		}
	}
}

// Row: no participant.
func TestContract_NoParticipant(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		id := r.begin()
		ok(t, r.Commit(background, id))
		r.outcome(id, dtc.Committed)
		ok(t, r.Execute(background, nil))
		ok(t, r.Run(background, nil, func(*dtc.Tx) error { return nil }))
		if n := r.Stats().Forced; n != 0 {
			t.Errorf("%d records were forced, want none", n)
		}
		r.live(0)
	})
}

// Row: Enlist when not active.
func TestContract_EnlistNotActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a, late, release := newTwo(t, "a"), newTwo(t, "late"), make(chan struct{})
		refused := func(id uuid.UUID, when string, outcome dtc.Outcome) {
			t.Helper()
			err := r.Enlist(background, id, late, nil)
			is(t, err, dtc.ErrNotActive)
			if e := as[*dtc.NotActiveError](t, err); e.ID != id || e.Participant != "late" || e.Outcome != outcome {
				t.Errorf("%s: %+v, want outcome %v", when, e, outcome)
			}
		}
		committed := r.begin(a)
		ok(t, r.Commit(background, committed))
		refused(committed, "committed", dtc.Committed)
		undone := r.begin(a)
		ok(t, r.Rollback(background, undone))
		refused(undone, "rolled back", dtc.RolledBack)
		expired := r.begin(a)
		pass(31 * time.Second)
		refused(expired, "expired", dtc.RolledBack)

		a.next(prepare, deaf(release))
		preparing := r.begin(a)
		done := make(chan error)
		go func() { done <- r.Commit(background, preparing) }()
		synctest.Wait()
		refused(preparing, "preparing", dtc.Active)
		close(release)
		ok(t, <-done)
		late.expect("")

		err := r.Run(background, nil, func(tx *dtc.Tx) error {
			_ = r.Rollback(background, tx.ID())
			return tx.Enlist(background, late, nil)
		})
		is(t, err, dtc.ErrNotActive, dtc.ErrRolledBack)
		late.expect("")
	})
}

// Row: participant 11.
func TestContract_Participant11(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		var ps []*two
		id := r.begin()
		for i := range 10 {
			ps = append(ps, newTwo(t, fmt.Sprint("p", i)))
			r.enlist(id, ps[i])
		}
		eleventh := newTwo(t, "p10")
		err := r.Enlist(background, id, eleventh, nil)
		is(t, err, dtc.ErrTooManyParticipants)
		if e := as[*dtc.TooManyParticipantsError](t, err); e.ID != id || e.Limit != 10 {
			t.Errorf("%+v", e)
		}
		r.enlist(id, ps[3]) // again: no effect, and no further participant
		ok(t, r.Commit(background, id))
		for _, p := range ps {
			p.expect("prepare commit")
		}
		eleventh.expect("")
		var list []participant.Participant
		for _, p := range append(ps, eleventh) {
			list = append(list, p)
		}
		is(t, r.execute(list...), dtc.ErrTooManyParticipants)
		err = r.Run(background, nil, func(tx *dtc.Tx) error {
			for _, p := range list[:10] {
				ok(t, tx.Enlist(background, p, nil))
			}
			is(t, tx.Enlist(background, eleventh, nil), dtc.ErrTooManyParticipants)
			return nil
		})
		ok(t, err)
		eleventh.expect("")
		r.live(0)
	})
}

// Row: Enlist again: the same name and payload has no effect; another payload is
// refused, and the transaction goes on.
func TestContract_EnlistAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxParticipants: 1})
		a := newTwo(t, "a")
		id := r.begin(a)
		ok(t, r.Enlist(background, id, a, []byte(secret)))
		err := r.Enlist(background, id, a, []byte("another"))
		is(t, err, dtc.ErrAlreadyEnlisted)
		if e := as[*dtc.AlreadyEnlistedError](t, err); e.ID != id || e.Participant != "a" {
			t.Errorf("%+v", e)
		}
		ok(t, r.Commit(background, id))
		a.expect("prepare commit")
	})
}
