package dtc_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// What an operator sees of one transaction, from begin to end.
func TestContractOperator_Inspect(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, b, c := newTwo(t, "a"), newTwo(t, "b"), newOne(t, "c")
		a.every(prepare, late(time.Second))
		b.next(prepare, late(2*time.Second))
		b.every(commit, refuse)
		began := time.Now()
		id, err := r.Begin(background, &dtc.TxOptions{Label: "order 7", Timeout: 10 * time.Second})
		ok(t, err)
		r.enlist(id, a, b, c)
		look := func(state, path string, standings ...string) dtc.Detail {
			t.Helper()
			d, err := r.Inspect(background, id)
			ok(t, err)
			if d.ID != id || d.State != state || d.Path != path {
				t.Errorf("%s, state %q, path %q; want %q, %q", d.ID, d.State, d.Path, state, path)
			}
			if len(standings) > 0 && len(d.Branches) != len(standings) {
				t.Fatalf("branches: %+v", d.Branches)
			}
			for i, want := range standings {
				if got := d.Branches[i]; got.Standing != want || got.Participant != "abc"[i:i+1] || got.TwoPhase != (i < 2) {
					t.Errorf("branch %+v, want %q", got, want)
				}
			}
			return d
		}
		d := look("active", "", "enlisted", "enlisted", "enlisted")
		if d.Label != "order 7" || !d.Began.Equal(began) || !d.Deadline.Equal(began.Add(10*time.Second)) || d.Outcome != dtc.Active {
			t.Errorf("%+v", d)
		}
		answer := make(chan error, 1)
		go func() { answer <- r.Commit(background, id) }()
		pass(1500 * time.Millisecond)
		look("preparing", "with intent", "prepared", "asked to prepare", "enlisted")
		pass(time.Second)
		d = look("committing", "with intent", "committed", "prepared", "committed")
		if d.Branches[1].Done || !errors.Is(d.Branches[1].Err, errRefused) || !d.Branches[0].Done || !d.Deadline.IsZero() {
			t.Errorf("%+v", d)
		}
		ok(t, <-answer)
		synctest.Wait()
		d = look("committing", "with intent")
		if !d.Parked || d.NextTry.IsZero() || len(d.Waiting) != 1 || d.Label != "order 7" || len(d.Branches) != 3 {
			t.Errorf("%+v", d)
		}
		pass(5 * time.Minute)
		if d = look("committing", "with intent"); d.Tries == 0 {
			t.Errorf("%+v: taken up in vain, but not counted", d.Summary)
		}
		b.every(commit, nil)
		pass(time.Minute)
		d = look("committed", "with intent")
		if d.Parked || d.Finished.IsZero() || d.Outcome != dtc.Committed || len(d.Waiting) != 0 {
			t.Errorf("%+v", d)
		}
	})
}

// Listings, filtered and in pages.
func TestContractOperator_Transactions(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a, dead := newTwo(t, "a"), newTwo(t, "dead")
		dead.every(commit, refuse)
		dead.every(rollback, refuse)
		var ids []uuid.UUID
		for range 3 {
			ids = append(ids, r.begin(a), r.begin(a), r.begin(a), r.begin(dead), r.begin(dead))
			last := ids[len(ids)-5:]
			ok(t, r.Commit(background, last[1]))
			ok(t, r.Rollback(background, last[2]))
			go func() { ok(t, r.Commit(background, last[3])) }()
			go func() { is(t, r.Rollback(background, last[4]), dtc.ErrParticipantFailedToRollback) }()
		}
		pass(6 * time.Second)
		pick := func(nth ...int) (list []uuid.UUID) {
			for i, id := range ids {
				for _, n := range nth {
					if i%5 == n {
						list = append(list, id)
					}
				}
			}
			return list
		}
		for name, c := range map[string]struct {
			filter dtc.Filter
			want   []uuid.UUID
		}{
			"zero":        {dtc.Filter{}, pick(0, 3, 4)},
			"finished":    {dtc.Filter{Finished: true}, ids},
			"parked":      {dtc.Filter{Parked: true}, pick(3, 4)},
			"active":      {dtc.Filter{Outcome: dtc.Active, Finished: true}, pick(0)},
			"committed":   {dtc.Filter{Outcome: dtc.Committed, Finished: true}, pick(1, 3)},
			"rolled back": {dtc.Filter{Outcome: dtc.RolledBack, Parked: true}, pick(4)},
			"limit":       {dtc.Filter{Finished: true, Limit: 4}, ids[:4]},
			"after":       {dtc.Filter{Finished: true, After: ids[6]}, ids[7:]},
			"page":        {dtc.Filter{Finished: true, After: ids[6], Limit: 2}, ids[7:9]},
			"beyond":      {dtc.Filter{Finished: true, After: ids[14]}, nil},
		} {
			list, err := r.Transactions(background, c.filter)
			ok(t, err)
			var got []uuid.UUID
			for _, s := range list {
				got = append(got, s.ID)
			}
			if len(got) != len(c.want) {
				t.Errorf("%s: %d are listed, want %d", name, len(got), len(c.want))
				continue
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%s: number %d is %s, want %s", name, i, got[i], c.want[i])
				}
			}
		}
	})
}

// Retry delivers now what would be delivered later.
func TestContractOperator_Retry(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Journal: j})
		a := newTwo(t, "a")
		a.every(commit, refuse)
		id := r.begin(a)
		ok(t, r.Commit(background, id))
		pass(time.Hour)
		before := a.count(commit)
		ok(t, r.Retry(background, id))
		synctest.Wait()
		if n := a.count(commit); n != before+1 {
			t.Errorf("%d calls after Retry, want one more than %d", n, before)
		}
		a.every(commit, nil)
		ok(t, r.Retry(background, id))
		synctest.Wait()
		d, err := r.Inspect(background, id)
		ok(t, err)
		if d.Finished.IsZero() {
			t.Errorf("%+v: want it finished", d.Summary)
		}
		ok(t, r.Retry(background, id))
		active := r.begin(a)
		ok(t, r.Retry(background, active))
		r.outcome(active, dtc.Active)
		is(t, r.Retry(background, uuid.Must(uuid.NewV7())), dtc.ErrTransactionNotFound)
	})
}

// Resolve takes a person's word: the branch is called no more, and how it was
// settled stays with the outcome.
func TestContractOperator_Resolve(t *testing.T) {
	for name, c := range map[string]struct {
		act  dtc.Act
		undo bool
		word string
	}{
		"committed": {act: dtc.ActCommitted, word: "committed"}, "forgotten": {act: dtc.ActForgotten, word: "forgotten"},
		"rolled back though decided": {act: dtc.ActRolledBack, word: "rolled back"},
		"rolled back":                {act: dtc.ActRolledBack, undo: true, word: "rolled back"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(t)
				r := start(t, dtc.Config{Journal: d.journal()})
				a, b := newTwo(t, "a"), newTwo(t, "b")
				b.every(commit, refuse)
				b.every(rollback, refuse)
				id := r.begin(a, b)
				want := dtc.Committed
				if c.undo {
					want = dtc.RolledBack
					is(t, r.Rollback(background, id), dtc.ErrParticipantFailedToRollback)
				} else {
					ok(t, r.Commit(background, id))
				}
				pass(time.Minute)
				calls := len(b.history())
				ok(t, r.Resolve(background, id, dtc.Resolution{Participant: "b", Act: c.act, Reason: "paid by hand"}))
				pass(time.Hour / 2)
				if len(b.history()) > calls {
					t.Errorf("b was called after it was settled: %s", b.ops())
				}
				check := func(r *rig) {
					t.Helper()
					detail, err := r.Inspect(background, id)
					ok(t, err)
					if detail.Finished.IsZero() || detail.Outcome != want {
						t.Errorf("%+v", detail.Summary)
					}
					for _, part := range []string{"b", c.word, "paid by hand"} {
						if !strings.Contains(detail.Heuristic, part) {
							t.Errorf("heuristic: %q lacks %q", detail.Heuristic, part)
						}
					}
				}
				check(r)
				if len(r.events.of(dtc.EventSettled)) != 1 || len(r.log.with("level=INFO", "settled by hand", "paid by hand")) != 1 {
					t.Errorf("told %d times:\n%s", len(r.events.of(dtc.EventSettled)), r.log)
				}
				ok(t, r.Close())
				check(reopen(t, d, newTwo(t, "a"), newTwo(t, "b")).rig)
			})
		})
	}
}

// What is settled while other branches are still waited for is not told again
// after a restart.
func TestContractOperator_ResolveSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Journal: d.journal()})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		a.every(commit, refuse)
		b.every(commit, refuse)
		id := r.begin(a, b)
		ok(t, r.Commit(background, id))
		pass(time.Minute)
		ok(t, r.Resolve(background, id, dtc.Resolution{Participant: "b", Act: dtc.ActCommitted, Reason: "paid by hand"}))
		pass(time.Minute)
		detail, err := r.Inspect(background, id)
		ok(t, err)
		if !detail.Parked || len(detail.Waiting) != 1 || !strings.Contains(detail.Heuristic, "paid by hand") {
			t.Errorf("%+v: want it waiting for a alone", detail.Summary)
		}
		ok(t, r.Close())
		after := reopen(t, d, newTwo(t, "a"), newTwo(t, "b"))
		after.called(id, commit, "")
	})
}

// When Resolve has returned, a power failure takes nothing of it away: neither
// that the branch is not to be called, nor who said so; also where it was the last
// one.
func TestContractOperator_ResolveIsForced(t *testing.T) {
	for name, others := range map[string]act{"others are waited for": refuse, "it was the last": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(t)
				r := start(t, dtc.Config{Journal: d.journal()})
				a, b := newTwo(t, "a"), newTwo(t, "b")
				if others != nil {
					a.every(commit, others)
				}
				b.every(commit, refuse)
				id := r.begin(a, b)
				ok(t, r.Commit(background, id))
				pass(time.Minute)
				ok(t, r.Resolve(background, id, dtc.Resolution{Participant: "b", Act: dtc.ActCommitted, Reason: "paid by hand"}))
				left := d.crash()
				ok(t, r.Close())
				after := reopen(t, left, newTwo(t, "a"), newTwo(t, "b"))
				detail, err := after.Inspect(background, id)
				ok(t, err)
				if !strings.Contains(detail.Heuristic, "paid by hand") {
					t.Errorf("heuristic: %q", detail.Heuristic)
				}
				pass(time.Hour)
				if got := len(after.fakes[1].history()); got > 0 {
					t.Errorf("b was called %d times", got)
				}
				after.outcome(id, dtc.Committed)
			})
		})
	}
}

// Where the journal fails, whoever settled a branch hears of it.
func TestContractOperator_ResolveUnforced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: j})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		b.every(commit, refuse)
		id := r.begin(a, b)
		ok(t, r.Commit(background, id))
		pass(time.Minute)
		j.on(func(journal.Batch) error { return errDisk }, nil)
		err := r.Resolve(background, id, dtc.Resolution{Participant: "b", Act: dtc.ActCommitted, Reason: "paid by hand"})
		is(t, err, dtc.ErrJournalFailed)
	})
}

// What cannot be settled by hand.
func TestContractOperator_ResolveRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		b.every(commit, refuse)
		good := dtc.Resolution{Participant: "b", Act: dtc.ActCommitted, Reason: "test"}
		active := r.begin(a, b)
		is(t, r.Resolve(background, active, good), dtc.ErrUnsettled)
		parked := r.begin(a, b)
		ok(t, r.Commit(background, parked))
		finished := r.begin(a)
		ok(t, r.Commit(background, finished))
		pass(time.Minute)
		is(t, r.Resolve(background, finished, good), dtc.ErrUnsettled)
		for _, name := range []string{"a", "nobody", ""} {
			wrong := good
			wrong.Participant = name
			is(t, r.Resolve(background, parked, wrong), dtc.ErrUnsettled)
		}
		is(t, r.Resolve(background, uuid.Must(uuid.NewV7()), good), dtc.ErrTransactionNotFound)
		as[*dtc.ConfigError](t, r.Resolve(background, parked, dtc.Resolution{Participant: "b", Act: dtc.ActCommitted}))
		as[*dtc.ConfigError](t, r.Resolve(background, parked, dtc.Resolution{Participant: "b", Reason: "test"}))
		as[*dtc.ConfigError](t, r.Resolve(background, parked, dtc.Resolution{Participant: "b", Act: 99, Reason: "test"}))
		b.every(commit, nil)
		pass(time.Minute)
		if b.effects[parked] != 1 {
			t.Errorf("b is not told any more: %s", b.ops())
		}
	})
}

// A delegate that will never say is settled by hand, and that is the outcome.
func TestContractOperator_ResolveDelegate(t *testing.T) {
	for act, want := range map[dtc.Act]dtc.Outcome{dtc.ActCommitted: dtc.Committed, dtc.ActRolledBack: dtc.RolledBack} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, dtc.Config{})
			d := newDelegate(t, "d")
			d.every(onePhase, refuse)
			d.every(ask, refuse)
			id := r.begin(d)
			is(t, r.Commit(background, id), dtc.ErrOutcomeUnknown)
			is(t, r.Resolve(background, id, dtc.Resolution{Participant: "d", Act: dtc.ActForgotten, Reason: "x"}), dtc.ErrUnsettled)
			ok(t, r.Resolve(background, id, dtc.Resolution{Participant: "d", Act: act, Reason: "asked by phone"}))
			pass(time.Minute)
			r.outcome(id, want)
		})
	}
}

// How the participants fare.
func TestContractOperator_Participants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{Participants: []participant.Participant{newTwo(t, "unused")}})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		a.next(prepare, refuse) // an answer like any other
		is(t, r.execute(a, b), dtc.ErrRolledBack)
		b.next(prepare, late(7*time.Second))
		is(t, r.execute(a, b), dtc.ErrTimeout)
		list, err := r.Participants(background)
		ok(t, err)
		if len(list) != 3 || list[0].Participant != "a" || list[1].Participant != "b" || list[2].Participant != "unused" {
			t.Fatalf("%+v", list)
		}
		if !list[0].Healthy || list[0].Failures != 0 || list[0].Calls != 4 {
			t.Errorf("a: %+v", list[0])
		}
		if list[1].Healthy || list[1].Timeouts == 0 || list[1].Since.IsZero() || list[1].Err == nil {
			t.Errorf("b: %+v", list[1])
		}
		pass(time.Minute)
		list, _ = r.Participants(background)
		if !list[1].Healthy || list[1].Busy < 7*time.Second {
			t.Errorf("b, when it has answered: %+v", list[1])
		}
		if len(r.events.of(dtc.EventUnhealthy)) != 1 || len(r.events.of(dtc.EventHealthy)) != 1 {
			t.Errorf("%d, %d events", len(r.events.of(dtc.EventUnhealthy)), len(r.events.of(dtc.EventHealthy)))
		}
	})
}

// A name never changes its kind; another value of the same kind takes its place.
func TestContractOperator_Register(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{Name: "shop"})
		first, second := newTwo(t, "p"), newTwo(t, "p")
		ok(t, r.Register(first, first))
		for name, other := range map[string]participant.Participant{
			"one-phase": newOne(t, "p"), "recoverer": newRecoverer(t, "p"), "delegate": newDelegate(t, "p"),
		} {
			for how, err := range map[string]error{
				"Register": r.Register(other), "Execute": r.execute(other), "Enlist": r.Enlist(background, r.begin(), other, nil),
			} {
				if !errors.Is(err, dtc.ErrInvalidName) {
					t.Errorf("%s of a %s: %v", how, name, err)
				}
			}
			fakeOf(other).expect("")
		}
		ok(t, r.Register(second))
		ok(t, r.execute(&wrapper{first}))
		first.expect("prepare commit") // the very value that was enlisted
		second.expect("")
		is(t, r.Register(newTwo(t, "q"), nil), dtc.ErrInvalidName)
	})
}

// What is settled while the transaction is live leaves nothing in a journal
// that does not last.
func TestContractOperator_ResolveLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := journal.Memory()
		r := start(t, dtc.Config{Journal: j})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		a.next(commit, refuse, refuse)
		b.every(commit, refuse)
		id := r.begin(a, b)
		committed := make(chan error, 1)
		go func() { committed <- r.Commit(background, id) }()
		synctest.Wait()
		ok(t, r.Resolve(background, id, dtc.Resolution{Participant: "b", Act: dtc.ActCommitted, Reason: "paid by hand"}))
		ok(t, <-committed)
		if record, found, err := j.Record(id); found || err != nil {
			t.Errorf("the journal holds %+v (%v)", record, err)
		}
	})
}
