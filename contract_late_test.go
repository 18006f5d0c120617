package dtc_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
)

// What comes too late for a transaction's actor is answered all the same.

// within fails the test if f takes longer.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > limit {
		t.Errorf("took %v, want at most %v", took, limit)
	}
}

// An enlistment that Run's function was told of, behind the message that ends the
// transaction: its branch is rolled back, and nothing stays behind.
func TestContractLate_EnlistBehindTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, goOn := make(chan struct{}), make(chan struct{})
		r := start(t, dtc.Config{MaxTransactions: 1, WaitForSlot: true, OnEvent: func(e dtc.Event) {
			if e.Kind == dtc.EventCommitAsked {
				close(asked)
				<-goOn
			}
		}})
		p := newTwo(t, "p")
		p.next(rollback, refuse)
		ok(t, r.Register(p))
		var id uuid.UUID
		began := make(chan error)
		err := r.Run(background, nil, func(tx *dtc.Tx) error {
			id = tx.ID()
			go func() { _ = r.Commit(background, id) }()
			<-asked
			ok(t, tx.Enlist(background, p, nil))
			go func() {
				another, err := r.Begin(background, nil)
				began <- err
				began <- r.Rollback(background, another)
			}()
			synctest.Wait()
			close(goOn)
			return nil
		})
		is(t, err, dtc.ErrCommitted, dtc.ErrNotActive)
		within(t, time.Second, func() { ok(t, <-began) })
		ok(t, <-began)
		pass(time.Minute)
		p.expect("rollback rollback")
		r.live(0)
		if d, err := r.Inspect(background, id); err != nil || d.Finished.IsZero() {
			t.Errorf("%+v, %v", d, err)
		}
		within(t, time.Second, func() { ok(t, r.Close()) })
	})
}

// The function commits by itself, and something is enlisted behind that: Run does
// not claim to have committed what is rolled back, and the transaction ends.
func TestContractLate_EnlistBehindOwnCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTwo(t, "p")
		var tx *dtc.Tx
		r := start(t, dtc.Config{OnEvent: func(e dtc.Event) {
			if e.Kind == dtc.EventCommitAsked && tx != nil {
				ok(t, tx.Enlist(background, p, nil))
				tx = nil
			}
		}})
		ok(t, r.Register(p))
		var id uuid.UUID
		err := r.Run(background, nil, func(running *dtc.Tx) error {
			tx, id = running, running.ID()
			return r.Commit(background, id)
		})
		is(t, err, dtc.ErrNotActive)
		pass(time.Hour)
		p.expect("rollback")
		if d, err := r.Inspect(background, id); err != nil || d.State != "committed" {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

// The same without help: who ends an empty transaction races its first Enlist.
func TestContractLate_EnlistRacesTheEnd(t *testing.T) {
	r := start(t, dtc.Config{})
	p := newTwo(t, "p")
	ok(t, r.Register(p))
	for range 3_000 {
		_ = r.Run(background, nil, func(tx *dtc.Tx) error {
			go func() { _ = r.Rollback(background, tx.ID()) }()
			for range 3 {
				runtime.Gosched()
			}
			return tx.Enlist(background, p, nil)
		})
	}
	ctx, cancel := context.WithTimeout(background, 10*time.Second)
	defer cancel()
	for {
		unfinished, err := r.Transactions(ctx, dtc.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if len(unfinished) == 0 {
			return
		}
		runtime.Gosched()
	}
}

// A durable enlistment whose record is still being forced when the transaction
// has ended.
func TestContractLate_DurableEnlist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: j})
		p, q := newTwo(t, "p"), newTwo(t, "q")
		id, err := r.Begin(background, &dtc.TxOptions{Durable: true})
		ok(t, err)
		ok(t, r.Enlist(background, id, p, nil))
		forced := make(chan struct{})
		j.on(puts(journal.Enlistment, func() error {
			<-forced
			return nil
		}), nil)
		enlisted := make(chan error)
		go func() { enlisted <- r.Enlist(background, id, q, nil) }()
		synctest.Wait()
		ok(t, r.Rollback(background, id))
		is(t, <-enlisted, dtc.ErrNotActive)
		close(forced)
	})
}

// A caller who asks when the coordinator closes, and the journal hangs.
func TestContractLate_AskWhileClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: j})
		id := r.begin(newTwo(t, "a"))
		j.on(puts(journal.Commit, func() error {
			time.Sleep(time.Minute)
			return nil
		}), nil)
		first, second, closed := make(chan error), make(chan error), make(chan error)
		go func() { first <- r.Commit(background, id) }()
		pass(time.Second)
		go func() { closed <- r.Close() }()
		is(t, <-first, dtc.ErrOutcomeUnknown)
		pass(2 * time.Second) // the first grace is over, the second is not
		go func() { second <- r.Commit(background, id) }()
		is(t, <-second, dtc.ErrOutcomeUnknown, dtc.ErrClosed)
		ok(t, <-closed)
	})
}

// A transaction that is live when the coordinator drains goes on as it would.
func TestContractLate_EnlistWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		id := r.begin(newTwo(t, "a"))
		drained := make(chan error)
		go func() { drained <- r.Drain(background) }()
		synctest.Wait()
		ok(t, r.Enlist(background, id, newTwo(t, "new"), nil))
		ok(t, r.Commit(background, id))
		ok(t, <-drained)
	})
}

// The commit record is being forced, and the actor dies. What the journal shows
// counts only if the journal is well.
func TestContractLate_ActorDiesWhileForcing(t *testing.T) {
	for name, c := range map[string]struct {
		before, after error // of the append
		unreadable    bool  // for a moment
		want          dtc.Outcome
		ops           string
	}{
		"forced":                      {want: dtc.Committed, ops: "prepare commit"},
		"forced, and unreadable":      {unreadable: true, want: dtc.Committed, ops: "prepare commit"},
		"fails, and is written":       {after: errDisk, want: dtc.Unknown, ops: "prepare"},
		"fails, and is not written":   {before: errDisk, want: dtc.Unknown, ops: "prepare"},
		"fails, and cannot be read":   {before: errDisk, unreadable: true, want: dtc.Unknown, ops: "prepare"},
		"written, and cannot be read": {after: errDisk, unreadable: true, want: dtc.Unknown, ops: "prepare"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var kill atomic.Bool
				j := &faulty{Journal: newDisk(t).journal()}
				readable := &reader{Journal: j}
				r := start(t, dtc.Config{Journal: readable, OnEvent: func(e dtc.Event) {
					if e.Kind == dtc.EventCommitAsked && kill.Load() {
						runtime.Goexit()
					}
				}})
				a := newTwo(t, "a")
				id := r.begin(a)
				forcing := puts(journal.Commit, func() error {
					time.Sleep(time.Second)
					return c.before
				})
				j.on(forcing, puts(journal.Commit, func() error { return c.after }))
				for range 2 {
					go func() { _ = r.Commit(background, id) }()
					synctest.Wait()
					kill.Store(true)
				}
				if c.unreadable {
					failsOnce(&readable.record)
				}
				pass(time.Minute)
				if got, _ := r.Outcome(background, id); got != c.want || a.ops() != c.ops {
					t.Errorf("%v, %q; want %v, %q", got, a.ops(), c.want, c.ops)
				}
			})
		})
	}
}

// The actor dies that has a late branch of a committed transaction rolled back: its
// successor goes on with that, and tells it nothing else.
func TestContractLate_ActorDiesWithALateBranch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		asked, goOn := make(chan struct{}), make(chan struct{})
		r := start(t, dtc.Config{OnEvent: func(e dtc.Event) {
			switch {
			case e.Kind == dtc.EventCommitAsked:
				close(asked)
				<-goOn
			case e.Kind == dtc.EventRetry && dead.CompareAndSwap(false, true):
				runtime.Goexit()
			}
		}})
		p := newTwo(t, "p")
		p.next(rollback, refuse)
		ok(t, r.Register(p))
		var id uuid.UUID
		_ = r.Run(background, nil, func(tx *dtc.Tx) error {
			id = tx.ID()
			go func() { _ = r.Commit(background, id) }()
			<-asked
			ok(t, tx.Enlist(background, p, nil))
			close(goOn)
			return nil
		})
		pass(time.Minute)
		if !dead.Load() {
			t.Error("the actor has not died")
		}
		r.outcome(id, dtc.Committed)
		p.expect("rollback rollback")
		r.live(0)
	})
}

// The actor has died, the journal cannot be read, and the coordinator closes: nobody
// waits for the next look.
func TestContractLate_CloseWhileUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &reader{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: j, Retry: dtc.Backoff{Initial: time.Hour, Max: time.Hour}, OnEvent: func(e dtc.Event) {
			if e.Kind == dtc.EventCommitAsked {
				runtime.Goexit()
			}
		}})
		id := r.begin(newTwo(t, "a"))
		fail := func() error { return errRead }
		j.record.Store(&fail)
		asked := make(chan error)
		go func() { asked <- r.Commit(background, id) }()
		synctest.Wait()
		within(t, time.Minute, func() {
			ok(t, r.Close())
			is(t, <-asked, dtc.ErrOutcomeUnknown)
		})
	})
}
