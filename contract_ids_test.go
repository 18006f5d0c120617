package dtc_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
)

// An id that the application chose makes Begin, Run and Execute idempotent.
func TestContractIDs_Idempotent(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a := newTwo(t, "a")
		id := uuid.Must(uuid.NewV7())
		o := &dtc.TxOptions{ID: id}
		for range 3 {
			got, err := r.Begin(background, o)
			ok(t, err)
			if got != id {
				t.Errorf("began %s, want %s", got, id)
			}
			r.live(1)
		}
		r.enlist(id, a)
		ok(t, r.Commit(background, id))
		err := second(r.Begin(background, o))
		is(t, err, dtc.ErrNotActive, dtc.ErrCommitted)
		if e := as[*dtc.NotActiveError](t, err); e.ID != id || e.Outcome != dtc.Committed {
			t.Errorf("%+v", e)
		}
		for range 2 {
			ok(t, r.Run(background, o, func(*dtc.Tx) error { t.Error("work was called"); return nil }))
			ok(t, r.Execute(background, o, enlistments(a)...))
		}
		a.expect("prepare commit")

		undone := &dtc.TxOptions{ID: uuid.Must(uuid.NewV7())}
		a.next(prepare, refuse)
		is(t, r.Execute(background, undone, enlistments(a)...), dtc.ErrRolledBack)
		is(t, r.Execute(background, undone, enlistments(a)...), dtc.ErrRolledBack)
		is(t, r.Run(background, undone, func(*dtc.Tx) error { t.Error("work was called"); return nil }), dtc.ErrRolledBack)
		is(t, second(r.Begin(background, undone)), dtc.ErrNotActive, dtc.ErrRolledBack)
		a.expect("prepare commit prepare rollback")
		r.live(0)
	})
}

// The same id executed by many at once is one transaction.
func TestContractIDs_Race(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxTransactions: 1})
		a := newTwo(t, "a")
		a.every(prepare, late(time.Second))
		o := &dtc.TxOptions{ID: uuid.Must(uuid.NewV7())}
		answers := make(chan error, 200)
		for range 200 {
			go func() { answers <- r.Execute(background, o, enlistments(a)...) }()
		}
		for range 200 {
			ok(t, <-answers)
		}
		a.expect("prepare commit")
		r.live(0)
	})
}

// The same id run by many at once is one transaction too. A function that comes
// late finds that it cannot enlist, and its error rolls back what is not decided;
// all agree on what became of it.
func TestContractIDs_RunRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxTransactions: 1})
		a := newTwo(t, "a")
		a.every(prepare, late(time.Second))
		o := &dtc.TxOptions{ID: uuid.Must(uuid.NewV7())}
		answers := make(chan error, 200)
		for range 200 {
			go func() { answers <- r.Run(background, o, enlistAll(a)) }()
		}
		rolledBack := 0
		for range 200 {
			if errors.Is(<-answers, dtc.ErrRolledBack) {
				rolledBack++
			}
		}
		outcome, err := r.Outcome(background, o.ID)
		ok(t, err)
		if want := map[dtc.Outcome]int{dtc.RolledBack: 200}[outcome]; rolledBack != want {
			t.Errorf("outcome %v, but %d of 200 were told rolled back", outcome, rolledBack)
		}
		if n := a.count(prepare); n > 1 || a.count(commit)+a.count(rollback) != 1 {
			t.Errorf("a was called: %s", a.ops())
		}
		r.live(0)
	})
}

// The same id again over a restart is the same transaction.
func TestContractIDs_AfterReopening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Journal: d.journal()})
		a := newTwo(t, "a")
		o, open := &dtc.TxOptions{ID: uuid.Must(uuid.NewV7())}, &dtc.TxOptions{ID: uuid.Must(uuid.NewV7())}
		ok(t, r.Execute(background, o, enlistments(a)...))
		ok(t, second(r.Begin(background, open)))
		ok(t, r.Close())
		pass(time.Second)
		after := reopen(t, d, newTwo(t, "a"))
		ok(t, after.Execute(background, o, enlistments(after.participants...)...))
		ok(t, after.Run(background, o, enlistAll(after.participants...)))
		is(t, after.Execute(background, open, enlistments(after.participants...)...), dtc.ErrNotActive)
		after.fakes[0].expect("")
	})
}

// Ids that cannot be chosen.
func TestContractIDs_Invalid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a := newTwo(t, "a")
		// The clock of ids never goes back, from one bubble to the next.
		ahead := uuid.Must(uuid.NewV7())
		move := func(ms int64) {
			for i := range 6 {
				ms += int64(ahead[5-i])
				ahead[5-i] = byte(ms)
				ms >>= 8
			}
		}
		move(61_000)
		variant := uuid.Must(uuid.NewV7())
		variant[8] = 0xff
		for name, id := range map[string]uuid.UUID{
			"version 4": uuid.New(), "version 1": uuid.Must(uuid.NewUUID()), "all ones": uuid.Max,
			"ahead": ahead, "variant": variant,
		} {
			o := &dtc.TxOptions{ID: id}
			for how, err := range map[string]error{
				"Begin": second(r.Begin(background, o)), "Execute": r.Execute(background, o, enlistments(a)...),
				"Run": r.Run(background, o, enlistAll(a)),
			} {
				if !errors.Is(err, dtc.ErrInvalidID) {
					t.Errorf("%s of %s: %v", how, name, err)
				}
				if e := as[*dtc.InvalidIDError](t, err); e.ID != id || e.Reason == "" {
					t.Errorf("%+v", e)
				}
			}
		}
		a.expect("")
		r.live(0)
		move(-2_000) // still ahead, by less than a minute
		ok(t, r.Execute(background, &dtc.TxOptions{ID: ahead}, enlistments(a)...))
		var config *dtc.ConfigError
		for _, o := range []dtc.TxOptions{{Timeout: -1}, {Label: "a\nb"}, {Label: string(make([]byte, 200))}} {
			if err := second(r.Begin(background, &o)); !errors.As(err, &config) {
				t.Errorf("%+v: %v", o, err)
			}
		}
	})
}

// An id that is older than what can be known is refused, not begun anew.
func TestContractIDs_TooOld(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		before := uuid.Must(uuid.NewV7())
		pass(time.Second)
		r := start(t, dtc.Config{Journal: j, Retention: time.Minute})
		a := newTwo(t, "a")
		is(t, r.Execute(background, &dtc.TxOptions{ID: before}, enlistments(a)...), dtc.ErrNotActive)
		is(t, second(r.Begin(background, &dtc.TxOptions{ID: before})), dtc.ErrNotActive)
		is(t, r.Run(background, &dtc.TxOptions{ID: before}, enlistAll(a)), dtc.ErrNotActive)
		a.expect("")

		unused := uuid.Must(uuid.NewV7())
		pass(time.Second)
		used := &dtc.TxOptions{ID: uuid.Must(uuid.NewV7())}
		ok(t, r.Execute(background, used, enlistments(a)...))
		pass(2 * time.Minute)
		is(t, r.Execute(background, used, enlistments(a)...), dtc.ErrNotActive) // expired: never twice
		is(t, r.Execute(background, &dtc.TxOptions{ID: unused}, enlistments(a)...), dtc.ErrNotActive)
		a.expect("prepare commit")
		ok(t, r.execute(a))
	})
}

// Outcomes expire by age and by number, the oldest first, and stay expired.
func TestContractIDs_Expiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Journal: d.journal(), MaxHistory: 10})
		a := newTwo(t, "a")
		var ids []uuid.UUID
		for range 30 {
			ids = append(ids, r.begin(a))
			ok(t, r.Commit(background, ids[len(ids)-1]))
			synctest.Wait() // it finishes right after it has answered
		}
		check := func(r *rig, from int) {
			t.Helper()
			for i, id := range ids {
				outcome, err := r.Outcome(background, id)
				if i < from {
					is(t, err, dtc.ErrTransactionNotFound)
					is(t, r.Rollback(background, id), dtc.ErrTransactionNotFound)
					is(t, r.Enlist(background, id, a, nil), dtc.ErrTransactionNotFound)
					is(t, second(r.Inspect(background, id)), dtc.ErrTransactionNotFound)
				} else if outcome != dtc.Committed {
					t.Errorf("number %d: %v, %v", i, outcome, err)
				}
			}
		}
		check(r, 20)
		ok(t, r.Close())
		after := reopenWith(t, d, dtc.Config{MaxHistory: 10, Retention: time.Hour}, newTwo(t, "a"))
		check(after.rig, 20)
		pass(time.Hour + 2*time.Second)
		check(after.rig, 30)
		ok(t, after.Close())
		check(reopen(t, d).rig, 30)
	})
}

// Who runs a transaction again under its ID, while it is being committed, waits for
// the outcome with the first: what is enlisted again is there already.
func TestContractIDs_RunAgainWhilePreparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a, release := newTwo(t, "a"), make(chan struct{})
		a.next(prepare, deaf(release))
		o := &dtc.TxOptions{ID: uuid.Must(uuid.NewV7())}
		run := func() error {
			return r.Run(background, o, func(tx *dtc.Tx) error { return tx.Enlist(background, a, []byte(secret)) })
		}
		first, second := make(chan error), make(chan error)
		go func() { first <- run() }()
		synctest.Wait()
		go func() { second <- run() }()
		synctest.Wait()
		ok(t, r.Enlist(background, o.ID, a, []byte(secret)))
		is(t, r.Enlist(background, o.ID, newTwo(t, "b"), nil), dtc.ErrNotActive)
		is(t, r.Enlist(background, o.ID, a, []byte("another")), dtc.ErrAlreadyEnlisted)
		close(release)
		ok(t, <-first)
		ok(t, <-second)
		a.expect("prepare commit")
		is(t, r.Enlist(background, o.ID, a, []byte(secret)), dtc.ErrNotActive)
	})
}
