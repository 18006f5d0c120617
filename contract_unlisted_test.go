package dtc_test

import (
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// reader is a journal whose reads can wait, or fail.
type reader struct {
	journal.Journal
	records atomic.Pointer[func() error] // before Records
	record  atomic.Pointer[func() error] // before Record
}

func (r *reader) Record(id uuid.UUID) (journal.Record, bool, error) {
	if err := before(&r.record); err != nil {
		return journal.Record{}, false, err
	}
	return r.Journal.Record(id)
}

func (r *reader) Records(after uuid.UUID) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		if err := before(&r.records); err != nil {
			yield(journal.Record{}, err)
			return
		}
		r.Journal.Records(after)(yield)
	}
}

func before(f *atomic.Pointer[func() error]) error {
	if do := f.Load(); do != nil {
		return (*do)()
	}
	return nil
}

var errRead = errors.New("read error")

// failsOnce has one read fail.
func failsOnce(f *atomic.Pointer[func() error]) {
	var once atomic.Bool
	fail := func() error {
		if once.CompareAndSwap(false, true) {
			return errRead
		}
		return nil
	}
	f.Store(&fail)
}

// leaveUnfinished leaves n committed transactions in the journal that
// participant "a" has not heard of.
func leaveUnfinished(t *testing.T, d *disk, n int) (ids []uuid.UUID) {
	r := start(t, dtc.Config{Name: "shop", Journal: d.journal()})
	a := newTwo(t, "a")
	a.every(commit, refuse)
	for range n {
		id := r.begin(a)
		ok(t, r.Commit(background, id))
		ids = append(ids, id)
	}
	ok(t, r.Close())
	return ids
}

// More transactions are unfinished than the coordinator lists. None is presumed
// rolled back for that, at any moment, also while the journal is being read.
func TestContractUnlisted_WhileListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		ids := leaveUnfinished(t, d, 8)
		j := &reader{Journal: d.journal()}
		r := start(t, dtc.Config{Name: "shop", Journal: j, MaxHistory: 2})
		last := ids[7]
		r.outcome(last, dtc.Committed)
		slow := func() error { time.Sleep(time.Second); return nil }
		j.records.Store(&slow)
		a := newTwo(t, "a")
		a.recovered = true
		ok(t, r.Register(a))
		for range 20 {
			pass(100 * time.Millisecond)
			if a.became(last) == "" {
				r.outcome(last, dtc.Committed)
				ok(t, r.Commit(background, last))
			}
		}
	})
}

// A journal that cannot be read for a moment is read again.
func TestContractUnlisted_ListingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		ids := leaveUnfinished(t, d, 8)
		j := &reader{Journal: d.journal()}
		r := start(t, dtc.Config{Name: "shop", Journal: j, MaxHistory: 4})
		failsOnce(&j.records)
		a := newTwo(t, "a")
		a.recovered = true
		ok(t, r.Register(a))
		pass(time.Hour / 2)
		for i, id := range ids {
			if got := a.became(id); got != "committed" {
				t.Errorf("branch %d is %q", i, got)
			}
		}
	})
}

// Where the journal cannot be read nobody knows, and nothing is presumed: neither
// to those who ask, nor to a participant that lists the branch.
func TestContractUnlisted_Unreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		ids := leaveUnfinished(t, d, 8)
		j := &reader{Journal: d.journal()}
		r := start(t, dtc.Config{Name: "shop", Journal: j, MaxHistory: 2})
		fail := func() error { return errRead }
		j.record.Store(&fail)
		last := ids[7]
		r.outcome(last, dtc.Unknown)
		is(t, r.Commit(background, last), dtc.ErrOutcomeUnknown)
		is(t, r.Rollback(background, last), dtc.ErrOutcomeUnknown)
		l := newLister(t, "a")
		l.recovered = true
		l.lists(func(string) ([]uuid.UUID, error) { return []uuid.UUID{last}, nil })
		l.every(commit, refuse)
		ok(t, r.Register(l))
		pass(30 * time.Second)
		if got := l.became(last); got == "rolled back" {
			t.Errorf("the branch of a committed transaction is rolled back: %s", l.of(last))
		}
	})
}

// slowClose is a journal that takes a while to close.
type slowClose struct{ journal.Journal }

func (s *slowClose) Close() error {
	err := s.Journal.Close()
	time.Sleep(time.Second)
	return err
}

// Nor is anything presumed while the coordinator closes.
func TestContractUnlisted_Closing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		last := leaveUnfinished(t, d, 8)[7]
		r := start(t, dtc.Config{Name: "shop", Journal: &slowClose{d.journal()}, MaxHistory: 2})
		r.outcome(last, dtc.Committed)
		closed := make(chan error)
		go func() { closed <- r.Close() }()
		synctest.Wait()
		if o, _ := r.Outcome(background, last); o == dtc.RolledBack {
			t.Errorf("outcome %v", o)
		}
		if err := r.Rollback(background, last); err == nil {
			t.Error("rolled back")
		}
		ok(t, <-closed)
	})
}

// An id that is no transaction's, but listed by a participant, keeps no other from
// beginning when its outcome has expired; nor does a journal that it has got into.
func TestContractUnlisted_ForeignID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		l := newLister(t, "l")
		l.recovered = true
		foreign := uuid.MustParse("f47ac10b-58cc-4372-a567-0e02b2c3d479") // version 4
		l.lists(func(string) ([]uuid.UUID, error) {
			if l.became(foreign) == "" {
				return []uuid.UUID{foreign}, nil
			}
			return nil, nil
		})
		r := start(t, dtc.Config{Name: "shop", Journal: d.journal(), Participants: []participant.Participant{l}})
		begins := func() {
			t.Helper()
			id, err := r.Begin(background, &dtc.TxOptions{ID: uuid.Must(uuid.NewV7())})
			ok(t, err)
			ok(t, r.Rollback(background, id))
		}
		begins()
		pass(3 * time.Hour)
		if l.became(foreign) != "rolled back" {
			t.Errorf("the foreign branch is %q", l.became(foreign))
		}
		begins()
		ok(t, r.Close())
		j := d.journal()
		ok(t, j.Append(journal.Batch{Force: true, Writes: []journal.Write{
			{Header: &journal.Header{Coordinator: "shop", Horizon: foreign}},
		}}))
		r = start(t, dtc.Config{Name: "shop", Journal: j})
		begins()
	})
}

// Transactions whose participant is dead, more of them than the coordinator lists,
// keep no others from being finished; nor are they forgotten.
func TestContractUnlisted_DeadParticipant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Journal: d.journal()})
		dead, alive := newTwo(t, "dead"), newTwo(t, "alive")
		dead.every(commit, refuse)
		alive.every(commit, refuse)
		begin := func(p participant.Participant) uuid.UUID {
			id := r.begin(p)
			ok(t, r.Commit(background, id))
			return id
		}
		var stuck, others []uuid.UUID
		for range 20 {
			stuck = append(stuck, begin(dead))
		}
		for range 20 {
			others = append(others, begin(alive))
		}
		ok(t, r.Close())
		alive.every(commit, nil)
		r = start(t, dtc.Config{
			Journal: d.journal(), MaxHistory: 8, Participants: []participant.Participant{dead, alive},
		})
		pass(time.Hour / 2)
		for i, id := range others {
			if got := alive.became(id); got != "committed" {
				t.Errorf("%d is %q", i, got)
			}
		}
		dead.every(commit, nil)
		pass(time.Hour / 2)
		for i, id := range stuck {
			if got := dead.became(id); got != "committed" {
				t.Errorf("%d, whose participant was dead, is %q", i, got)
			}
		}
	})
}
