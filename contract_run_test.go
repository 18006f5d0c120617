package dtc_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

var errWork = errors.New("out of stock")

// enlistAll is work that enlists.
func enlistAll(ps ...participant.Participant) func(*dtc.Tx) error {
	return func(tx *dtc.Tx) error {
		for _, p := range ps {
			if err := tx.Enlist(background, p, []byte(secret)); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestContractRun_Commits(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b := newTwo(t, "a"), newOne(t, "b")
		var id uuid.UUID
		ok(t, r.Run(background, &dtc.TxOptions{Label: "order 7"}, func(tx *dtc.Tx) error {
			id = tx.ID()
			r.outcome(id, dtc.Active)
			d, err := r.Inspect(background, id)
			ok(t, err)
			if d.Label != "order 7" || d.State != "active" {
				t.Errorf("%+v", d)
			}
			return enlistAll(a, b, a)(tx) // a again: no effect
		}))
		r.outcome(id, dtc.Committed)
		a.expect("prepare commit")
		b.expect("commit")
	})
}

// Run and Execute are the same transaction: same calls, same forced records.
func TestContractRun_ExecuteIsTheSame(t *testing.T) {
	for name, script := range map[string]func(a, b *two, c *one){
		"commits":  func(a, b *two, c *one) {},
		"refused":  func(a, b *two, c *one) { b.next(prepare, refuse) },
		"readonly": func(a, b *two, c *one) { a.next(prepare, readOnly) },
		"worked":   func(a, b *two, c *one) { c.next(commit, refuse) },
		"timeout":  func(a, b *two, c *one) { b.next(prepare, obedient) },
		"retried":  func(a, b *two, c *one) { b.next(commit, refuse, refuse) },
	} {
		t.Run(name, func(t *testing.T) {
			eachJournal(t, func(t *testing.T, j journal.Journal) {
				r := start(t, dtc.Config{Journal: j})
				var ops [3]string
				var errs [3]error
				var forced [3]int
				for i, how := range []func(ps ...participant.Participant) error{
					func(ps ...participant.Participant) error { return r.Run(background, nil, enlistAll(ps...)) },
					r.execute,
					func(ps ...participant.Participant) error { return r.Commit(background, r.begin(ps...)) },
				} {
					a, b, c, before := newTwo(t, "a"), newTwo(t, "b"), newOne(t, "c"), r.Stats().Forced
					script(a, b, c)
					errs[i] = how(a, b, c)
					pass(time.Minute)
					ops[i] = a.ops() + "; " + b.ops() + "; " + c.ops()
					forced[i] = r.forced(before)
				}
				for i := range 2 {
					if ops[i] != ops[2] || forced[i] != forced[2] {
						t.Errorf("Run, Execute and single steps called\n%q, forced %v", ops, forced)
					}
					for _, target := range []error{dtc.ErrRolledBack, dtc.ErrTimeout, dtc.ErrParticipantFailedToCommit, errRefused} {
						if errors.Is(errs[i], target) != errors.Is(errs[2], target) {
							t.Errorf("Run, Execute and single steps answered %q", errs)
						}
					}
				}
				r.live(0)
			})
		})
	}
}

func TestContractRun_Error(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		var id uuid.UUID
		fail := func(tx *dtc.Tx) error {
			id = tx.ID()
			return errors.Join(enlistAll(a, b)(tx), errWork)
		}
		err := r.Run(background, nil, fail)
		is(t, err, errWork, dtc.ErrRolledBack)
		isNot(t, err, dtc.ErrOutcomeUnknown, dtc.ErrCommitted)
		a.expect("rollback")
		b.expect("rollback")
		r.outcome(id, dtc.RolledBack)

		b.every(rollback, refuse)
		err = r.Run(background, nil, fail)
		is(t, err, errWork, dtc.ErrRolledBack, dtc.ErrParticipantFailedToRollback, errRefused)
		b.every(rollback, nil)

		ctx, cancel := context.WithCancel(background)
		cancelled := func(tx *dtc.Tx) error { cancel(); return fail(tx) }
		is(t, r.Run(ctx, nil, cancelled), errWork, dtc.ErrRolledBack) // waits whatever ctx says
		a.expect("rollback rollback rollback")
		r.live(0)
	})
}

// The function's error is joined with what the rollback found.
func TestContractRun_ErrorAndOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a := newTwo(t, "a")
		err := r.Run(background, nil, func(tx *dtc.Tx) error {
			ok(t, enlistAll(a)(tx))
			ok(t, r.Commit(background, tx.ID()))
			return errWork
		})
		is(t, err, errWork, dtc.ErrCommitted)
		isNot(t, err, dtc.ErrRolledBack)
		a.expect("prepare commit")

		err = r.Run(background, nil, func(tx *dtc.Tx) error { pass(time.Minute); return errWork })
		is(t, err, errWork, dtc.ErrRolledBack, dtc.ErrTimeout)
		err = r.Run(background, nil, func(tx *dtc.Tx) error { pass(time.Minute); return nil })
		is(t, err, dtc.ErrRolledBack, dtc.ErrTimeout)
		if e := as[*dtc.TimeoutError](t, err); e.Phase != "active" || e.After != 30*time.Second {
			t.Errorf("%+v", e)
		}
	})
}

func TestContractRun_Panic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxTransactions: 1})
		a := newTwo(t, "a")
		var id uuid.UUID
		func() {
			defer func() {
				if p := recover(); p != errWork {
					t.Errorf("the panic that goes on is %v", p)
				}
			}()
			_ = r.Run(background, nil, func(tx *dtc.Tx) error {
				id = tx.ID()
				ok(t, enlistAll(a)(tx))
				panic(errWork)
			})
		}()
		a.expect("rollback")
		r.outcome(id, dtc.RolledBack)

		var wg sync.WaitGroup
		wg.Go(func() {
			_ = r.Run(background, nil, func(tx *dtc.Tx) error {
				ok(t, enlistAll(a)(tx))
				return goexit(background, participant.Branch{})
			})
			t.Error("Run returned after Goexit")
		})
		wg.Wait()
		a.expect("rollback rollback")
		r.live(0)
	})
}

// A Tx takes no more once its function has returned.
func TestContractRun_TxAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		var kept *dtc.Tx
		ok(t, r.Run(background, nil, func(tx *dtc.Tx) error { kept = tx; return enlistAll(a)(tx) }))
		is(t, kept.Enlist(background, b, nil), dtc.ErrNotActive)
		b.expect("")
		is(t, r.Run(background, nil, func(tx *dtc.Tx) error {
			ok(t, tx.Enlist(background, a, []byte("one")))
			err := tx.Enlist(background, a, []byte("two"))
			if e := as[*dtc.AlreadyEnlistedError](t, err); e.Participant != "a" || e.ID != tx.ID() {
				t.Errorf("%+v", e)
			}
			ctx, cancel := context.WithCancel(background)
			cancel()
			is(t, tx.Enlist(ctx, b, nil), context.Canceled)
			return err
		}), dtc.ErrAlreadyEnlisted, dtc.ErrRolledBack)
		b.expect("")
	})
}

// Many goroutines enlist: each that is told yes is part of the transaction, and
// nobody else is.
func TestContractRun_EnlistRace(t *testing.T) {
	for _, steps := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, dtc.Config{MaxParticipants: 100})
			var ps []*two
			for i := range 150 {
				ps = append(ps, newTwo(t, fmt.Sprint("p", i)))
			}
			results := make(chan int, len(ps)*7)
			race := func(enlist func(participant.Participant) error) {
				var wg sync.WaitGroup
				for i, p := range ps {
					for range 7 {
						wg.Go(func() {
							if err := enlist(p); err == nil {
								results <- i
							} else {
								is(t, err, dtc.ErrTooManyParticipants)
							}
						})
					}
				}
				wg.Wait()
				close(results)
			}
			if steps {
				id := r.begin()
				race(func(p participant.Participant) error { return r.Enlist(background, id, p, nil) })
				ok(t, r.Commit(background, id))
			} else {
				ok(t, r.Run(background, nil, func(tx *dtc.Tx) error {
					race(func(p participant.Participant) error { return tx.Enlist(background, p, nil) })
					return nil
				}))
			}
			enlisted := map[int]bool{}
			for i := range results {
				enlisted[i] = true
			}
			if len(enlisted) != 100 {
				t.Errorf("%d were told that they are enlisted, want 100", len(enlisted))
			}
			for i, p := range ps {
				want := ""
				if enlisted[i] {
					want = "prepare commit"
				}
				p.expect(want)
			}
		})
	}
}
