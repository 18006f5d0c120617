package dtc_test

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
)

// What the coordinator keeps of who was told to commit.

// TestContractInDoubt_NoMember after the coordinator was opened again: the journal
// knows the members.
func TestContractInDoubt_NoMemberReopened(t *testing.T) {
	for name, find := range map[string]func(*disk, *rig) *disk{
		"closed":  func(d *disk, r *rig) *disk { _ = r.Close(); return d },
		"crashed": func(d *disk, r *rig) *disk { return d.crash() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk(t)
				r := start(t, dtc.Config{Name: "shop", Journal: d.journal()})
				first, second := newLister(t, "first"), newLister(t, "second")
				id, another := r.begin(first), r.begin(second)
				ok(t, r.Commit(background, id))
				ok(t, r.Commit(background, another))
				found := find(d, r)
				ok(t, r.Close())

				p, q := newLister(t, "first"), newLister(t, "second")
				after := reopen(t, found, p, q)
				pass(time.Minute)
				restored(p, id)
				unprepared(q, id)
				pass(2 * time.Minute)
				if got := p.became(id); got != "committed" {
					t.Errorf("the member is %q: %s", got, p.ops())
				}
				if got := q.of(id); got != rollback {
					t.Errorf("who is no member was told %q", got)
				}
				after.outcome(id, dtc.Committed)
				restored(q, another)
				unprepared(p, another)
				pass(2 * time.Minute)
				if p.of(another) != rollback || q.became(another) != "committed" {
					t.Errorf("first was told %q, second is %q", p.of(another), q.became(another))
				}
				after.outcome(another, dtc.Committed)
			})
		})
	}
}

// Who holds such work and cannot roll it back takes no slot from others, and its
// branch is told nothing else when the actor dies that tells it.
func TestContractInDoubt_NoMemberStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var deaths atomic.Int32
		r := start(t, dtc.Config{
			Name: "shop", Journal: newDisk(t).journal(), RecoverySlots: 1, RecoveryInterval: time.Second,
			OnEvent: func(e dtc.Event) {
				if e.Kind == dtc.EventCalled && e.Op.String() == rollback && deaths.Add(1) <= 2 {
					runtime.Goexit()
				}
			},
		})
		dead, well := newLister(t, "dead"), newLister(t, "well")
		ok(t, r.Register(dead))
		id := r.begin(well)
		ok(t, r.Commit(background, id))
		dead.every(rollback, refuse)
		unprepared(dead, id)
		pass(time.Minute)
		if deaths.Load() < 3 || dead.count(rollback) == 0 || dead.count(commit) != 0 {
			t.Errorf("%d calls: %s", deaths.Load(), dead.ops())
		}

		well.next(commit, refuse)
		parked := r.begin(well)
		ok(t, r.Commit(background, parked))
		pass(20 * time.Second)
		if well.became(parked) != "committed" {
			t.Error("who is well waits for who is not")
		}
		r.outcome(id, dtc.Committed)
		dead.every(rollback, nil)
		pass(10 * time.Minute)
		if dead.became(id) != "rolled back" {
			t.Errorf("dead is %q", dead.became(id))
		}
		r.outcome(id, dtc.Committed)
	})
}

// Members are those who were told to commit and can list their branches, and only a
// transaction that was committed has some.
func TestContractInDoubt_Members(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Name: "shop", Journal: d.journal()})
		a, b, reader := newRecoverer(t, "a"), newRecoverer(t, "b"), newRecoverer(t, "reader")
		reader.every(prepare, readOnly)
		none := newTwo(t, "none")
		none.every(prepare, refuse)
		ok(t, r.execute(newOne(t, "one"), b, reader, newTwo(t, "two"), a))
		ok(t, r.execute(newTwo(t, "two 2"), newTwo(t, "two 3")))
		is(t, r.execute(newOne(t, "one 2"), a, none), dtc.ErrRolledBack)
		ok(t, r.Close())
		j := d.journal()
		defer j.Close()
		var got [][]string
		for e, err := range j.Outcomes() {
			ok(t, err)
			got = append(got, e.Members)
		}
		if want := [][]string{{"b", "a"}, nil, nil}; !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("members: %q, want %q", got, want)
		}
	})
}

// A branch was settled by hand while nobody had registered its participant: that may
// be one that lists it, later on, and then it is told what was decided.
func TestContractInDoubt_MemberNotRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Name: "shop", Journal: d.journal()})
		p := newLister(t, "p")
		p.every(commit, refuse)
		id := r.begin(p)
		ok(t, r.Commit(background, id))
		found := d.crash()
		ok(t, r.Close())

		after := reopen(t, found)
		ok(t, after.Resolve(background, id, dtc.Resolution{Participant: "p", Act: dtc.ActCommitted, Reason: "seen"}))
		found = found.crash()
		ok(t, after.Close())
		q := newLister(t, "p")
		restored(q, id)
		again := reopen(t, found, q)
		pass(time.Minute)
		q.expect("commit")
		again.outcome(id, dtc.Committed)
	})
}

// What a finished transaction has had rolled back does not make a member of it:
// neither work that was no part of it, nor a branch that came too late.
func TestContractInDoubt_NeverAMember(t *testing.T) {
	again := func(r *rig, p *lister, id uuid.UUID) {
		for want := p.count(rollback) + 1; want <= 3; want++ {
			p.fake.mu.Lock()
			delete(p.state, id)
			p.fake.mu.Unlock()
			unprepared(p, id)
			pass(time.Minute)
			if p.count(rollback) != want || p.count(commit) != 0 {
				t.Errorf("was told %q", p.ops())
			}
			r.outcome(id, dtc.Committed)
		}
	}
	t.Run("no part", func(t *testing.T) {
		eachJournal(t, func(t *testing.T, j journal.Journal) {
			r := start(t, dtc.Config{Name: "shop", Journal: j})
			p := newLister(t, "p")
			ok(t, r.Register(p))
			id := r.begin(newTwo(t, "x"), newTwo(t, "y"))
			ok(t, r.Commit(background, id))
			again(r, p, id)
		})
	})
	t.Run("too late", func(t *testing.T) {
		eachJournal(t, func(t *testing.T, j journal.Journal) {
			var once sync.Once
			asked, goOn := make(chan struct{}), make(chan struct{})
			r := start(t, dtc.Config{Name: "shop", Journal: j, OnEvent: func(e dtc.Event) {
				if e.Kind == dtc.EventCommitAsked {
					once.Do(func() { close(asked) })
					<-goOn
				}
			}})
			p := newLister(t, "p")
			ok(t, r.Register(p))
			var id uuid.UUID
			is(t, r.Run(background, nil, func(tx *dtc.Tx) error {
				id = tx.ID()
				go func() { _ = r.Commit(background, id) }()
				<-asked
				ok(t, tx.Enlist(background, p, nil))
				close(goOn)
				return nil
			}), dtc.ErrCommitted, dtc.ErrNotActive)
			pass(time.Minute)
			again(r, p, id)
		})
	})
}
