package dtc_test

import (
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
)

// A journal that has failed is not asked to write any more, whatever is still
// under way.
func TestContract_JournalFails_ForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: j})
		a := newTwo(t, "a")
		first, second := r.begin(a), r.begin(a)
		asked := 0
		j.on(func(journal.Batch) error {
			asked++
			return errDisk
		}, nil)
		is(t, r.Commit(background, first), dtc.ErrJournalFailed)
		j.heal()
		is(t, r.Commit(background, second), dtc.ErrJournalFailed)
		pass(time.Minute)
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// Row: the journal fails, at the commit record, which may be on disk or not.
func TestContract_JournalFails_Commit(t *testing.T) {
	for name, written := range map[string]bool{"not written": false, "written": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(t)
				j := &faulty{Journal: d.journal()}
				r := start(t, dtc.Config{Journal: j})
				a, b := newTwo(t, "a"), newTwo(t, "b")
				fault := puts(journal.Commit, burns)
				if written {
					j.on(nil, fault)
				} else {
					j.on(fault, nil)
				}
				id, idle := r.begin(a, b), r.begin(a)
				err := r.Commit(background, id)
				is(t, err, dtc.ErrOutcomeUnknown, dtc.ErrJournalFailed, errDisk)
				isNot(t, err, dtc.ErrRolledBack, dtc.ErrCommitted)
				if e := as[*dtc.OutcomeUnknownError](t, err); e.ID != id {
					t.Errorf("names %s, want %s", e.ID, id)
				}
				is(t, second(r.Outcome(background, id)), dtc.ErrOutcomeUnknown)
				r.outcome(id, dtc.Unknown)
				is(t, r.Commit(background, id), dtc.ErrOutcomeUnknown, dtc.ErrJournalFailed)
				is(t, r.Rollback(background, id), dtc.ErrOutcomeUnknown, dtc.ErrJournalFailed)

				is(t, second(r.Begin(background, nil)), dtc.ErrJournalFailed)
				is(t, r.execute(a), dtc.ErrJournalFailed)
				is(t, r.Commit(background, idle), dtc.ErrRolledBack, dtc.ErrJournalFailed)
				pass(time.Minute)
				a.expect("prepare rollback") // of idle; of id nobody is told anything
				b.expect("prepare")
				if len(r.events.of(dtc.EventJournalFailed)) != 1 {
					t.Errorf("%d events tell of the journal", len(r.events.of(dtc.EventJournalFailed)))
				}
				ok(t, ignore(r.Close(), errDisk))

				want, ops := dtc.RolledBack, "rollback"
				if written {
					want, ops = dtc.Committed, "commit"
				}
				after := reopen(t, d, newTwo(t, "a"), newTwo(t, "b"))
				after.outcome(id, want)
				after.outcome(idle, dtc.RolledBack)
				after.called(id, ops, ops)
			})
		})
	}
}

// ignore returns err, unless it is this one.
func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

// reopened is a coordinator that finds a journal, with new participants.
type reopened struct {
	*rig
	fakes        []*fake
	participants []participant.Participant
}

func reopen(t *testing.T, d *disk, ps ...participant.Participant) *reopened {
	t.Helper()
	return reopenWith(t, d, dtc.Config{Name: "shop"}, ps...)
}

// reopenWith opens the journal; what its participants hold is as they left it.
func reopenWith(t *testing.T, d *disk, c dtc.Config, ps ...participant.Participant) *reopened {
	t.Helper()
	c.Journal, c.Participants = d.journal(), ps
	o := &reopened{participants: ps}
	for _, p := range ps {
		f := fakeOf(p)
		f.recovered = true
		o.fakes = append(o.fakes, f)
	}
	o.rig = start(t, c)
	return o
}

func fakeOf(p participant.Participant) *fake {
	if f, isFake := p.(interface{ self() *fake }); isFake {
		return f.self()
	}
	panic(fmt.Sprintf("%T is no fake", p))
}

// called fails the test unless the participants are called so, in their order, a
// minute later.
func (o *reopened) called(id uuid.UUID, ops ...string) {
	o.t.Helper()
	pass(time.Minute)
	for i, want := range ops {
		if got := o.fakes[i].of(id); got != want {
			o.t.Errorf("after reopening %s was called: %q, want %q", o.fakes[i].name, got, want)
		}
	}
	if d, err := o.Inspect(background, id); err != nil || d.Parked {
		o.t.Errorf("after reopening: %+v, %v; want it finished", d.Summary, err)
	}
}

// Row: the journal fails, at any other record: rolled back, joined.
func TestContract_JournalFails_OtherRecords(t *testing.T) {
	begun := func(r *rig, ps ...participant.Participant) error { return r.execute(ps...) }
	for kind, c := range map[journal.Kind]struct {
		who func(*testing.T) participant.Participant
		ops string
	}{
		journal.Intent:     {func(t *testing.T) participant.Participant { return newTwo(t, "p") }, "rollback"},
		journal.Delegation: {func(t *testing.T) participant.Participant { return newDelegate(t, "p") }, "rollback"},
	} {
		t.Run(kind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &faulty{Journal: newDisk(t).journal()}
				r := start(t, dtc.Config{Journal: j})
				j.on(puts(kind, burns), nil)
				p := c.who(t)
				err := begun(r, p)
				is(t, err, dtc.ErrRolledBack, dtc.ErrJournalFailed, errDisk)
				isNot(t, err, dtc.ErrOutcomeUnknown)
				synctest.Wait()
				fakeOf(p).expect(c.ops)
				is(t, second(r.Begin(background, nil)), dtc.ErrJournalFailed)
			})
		})
	}
}

// Row: the journal fails, at a durable enlistment.
func TestContract_JournalFails_Enlistment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: j})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		id, err := r.Begin(background, &dtc.TxOptions{Durable: true})
		ok(t, err)
		r.enlist(id, a)
		j.on(puts(journal.Enlistment, burns), nil)
		err = r.Enlist(background, id, b, nil)
		is(t, err, dtc.ErrNotActive, dtc.ErrJournalFailed)
		is(t, r.Commit(background, id), dtc.ErrRolledBack)
		synctest.Wait()
		a.expect("rollback")
	})
}

// Row: the journal fails, at a rollback record: the answer stands, and the
// participant goes on being told.
func TestContract_JournalFails_Rollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: j, Name: "shop"})
		a := newRecoverer(t, "a")
		a.every(rollback, refuse)
		j.on(puts(journal.Rollback, burns), nil)
		id := r.begin(a)
		is(t, r.Rollback(background, id), dtc.ErrParticipantFailedToRollback)
		r.outcome(id, dtc.RolledBack)
		a.every(rollback, nil)
		pass(time.Minute)
		if a.became(id) != "rolled back" {
			t.Errorf("a is %q, and was called: %s", a.became(id), a.ops())
		}
		r.outcome(id, dtc.RolledBack)
	})
}

// Row: the journal fails while many wait: each is told, none is told wrong.
func TestContract_JournalFails_Many(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		j := &faulty{Journal: d.journal()}
		r := start(t, dtc.Config{Journal: j})
		a := newTwo(t, "a")
		committed := 0
		j.on(puts(journal.Commit, func() error {
			if committed++; committed > 20 {
				return errDisk
			}
			return nil
		}), nil)
		type answer struct {
			id  uuid.UUID
			err error
		}
		ids := make([]uuid.UUID, 100)
		for i := range ids {
			ids[i] = r.begin(a) // all of them now: nothing begins when the journal has failed
		}
		answers := make(chan answer, len(ids))
		for _, id := range ids {
			go func() { answers <- answer{id, r.Commit(background, id)} }()
		}
		told := map[uuid.UUID]error{}
		for range 100 {
			x := <-answers
			told[x.id] = x.err
			if x.err != nil {
				is(t, x.err, dtc.ErrJournalFailed)
			}
		}
		ok(t, ignore(r.Close(), errDisk))
		after := reopen(t, d, newTwo(t, "a"))
		pass(time.Minute)
		for id, err := range told {
			switch outcome, _ := after.Outcome(background, id); {
			case err == nil && outcome != dtc.Committed, errors.Is(err, dtc.ErrRolledBack) && outcome != dtc.RolledBack:
				t.Errorf("told %v, and is %v", err, outcome)
			case outcome != dtc.Committed && outcome != dtc.RolledBack:
				t.Errorf("told %v, and is %v", err, outcome)
			}
		}
	})
}

// Row: the journal is open elsewhere, of a newer format, or damaged.
func TestContract_JournalUnusable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := pebble.Open(dir, nil)
	ok(t, err)
	r := start(t, dtc.Config{Journal: j, Name: "shop"})
	is(t, second(pebble.Open(dir, nil)), journal.ErrLocked)
	ok(t, r.execute(newTwo(t, "a")))
	ok(t, r.Close())

	for _, want := range []error{journal.ErrFormat, journal.ErrCorrupt, journal.ErrLocked} {
		for _, part := range []string{"header", "records", "outcomes"} {
			_, err := dtc.Open(quietSystem(), dtc.Config{Journal: unreadable{journal.Memory(), part, want}})
			is(t, err, want)
		}
	}

	other, err := pebble.Open(dir, nil)
	ok(t, err)
	if _, err := dtc.Open(quietSystem(), dtc.Config{Journal: other, Name: "bank"}); err == nil ||
		!strings.Contains(err.Error(), "shop") || !strings.Contains(err.Error(), "bank") {
		t.Errorf("opened another coordinator's journal: %v", err)
	}
	again := start(t, dtc.Config{Journal: other}) // still open, and tells its name
	ok(t, again.execute(newTwo(t, "a")))
	ok(t, again.Close())
}

// unreadable is a journal of which a part cannot be read. What makes a journal on
// disk so is a matter of its own package.
type unreadable struct {
	journal.Journal
	part string
	err  error
}

func (u unreadable) Header() (journal.Header, error) {
	if u.part == "header" {
		return journal.Header{}, u.err
	}
	return u.Journal.Header()
}

func (u unreadable) Records(after uuid.UUID) iter.Seq2[journal.Record, error] {
	if u.part == "records" {
		return func(yield func(journal.Record, error) bool) { yield(journal.Record{}, u.err) }
	}
	return u.Journal.Records(after)
}

func (u unreadable) Outcomes() iter.Seq2[journal.Ended, error] {
	if u.part == "outcomes" {
		return func(yield func(journal.Ended, error) bool) { yield(journal.Ended{}, u.err) }
	}
	return u.Journal.Outcomes()
}
