package dtc_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// lister is a Recoverer whose lists are made by the test.
type lister struct {
	two
	mu    sync.Mutex
	list  func(coordinator string) ([]uuid.UUID, error)
	asked []string
}

func newLister(t *testing.T, name string) *lister {
	return &lister{two: *newTwo(t, name), list: func(string) ([]uuid.UUID, error) { return nil, nil }}
}

func (l *lister) InDoubt(_ context.Context, coordinator string) ([]uuid.UUID, error) {
	l.mu.Lock()
	l.asked = append(l.asked, coordinator)
	list := l.list
	l.mu.Unlock()
	return list(coordinator)
}

func (l *lister) lists(f func(string) ([]uuid.UUID, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = f
}

func (l *lister) scans() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.asked)
}

// A branch that no transaction accounts for is rolled back when two lists name
// it, and its id cannot begin any more.
func TestContractInDoubt_UnknownIsRolledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		orphan := uuid.Must(uuid.NewV7())
		pass(time.Second)
		p := newLister(t, "p")
		p.recovered = true
		p.lists(func(string) ([]uuid.UUID, error) {
			if p.became(orphan) != "" {
				return nil, nil
			}
			return []uuid.UUID{orphan}, nil
		})
		r := start(t, dtc.Config{Name: "shop", Journal: newDisk(t).journal(), Participants: []participant.Participant{p}})
		synctest.Wait()
		if p.ops() != "" || p.scans() != 1 {
			t.Errorf("after one list: %q, %d lists", p.ops(), p.scans())
		}
		pass(time.Minute)
		p.expect("rollback")
		if p.asked[0] != "shop" {
			t.Errorf("asked for the branches of %q", p.asked[0])
		}
		r.outcome(orphan, dtc.RolledBack)
		is(t, second(r.Begin(background, &dtc.TxOptions{ID: orphan})), dtc.ErrNotActive)
		if len(r.events.of(dtc.EventInDoubt)) == 0 {
			t.Error("no event tells of it")
		}
		pass(time.Hour)
		p.expect("rollback")
	})
}

// Scans go on while the coordinator is open: a prepare that lands late is found.
func TestContractInDoubt_LatePrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{Name: "shop", Journal: newDisk(t).journal()})
		p := newRecoverer(t, "p")
		id := r.begin(p)
		ok(t, r.Rollback(background, id))
		p.expect("rollback")
		pass(10 * time.Minute)
		// A prepare that was on its way all the time takes effect after all, at a
		// participant that has lost its tombstone.
		p.mu.Lock()
		p.state[id] = "prepared"
		p.mu.Unlock()
		pass(2 * time.Minute)
		p.expect("rollback rollback")
		r.outcome(id, dtc.RolledBack)

		late := uuid.Must(uuid.NewV7())
		pass(time.Minute)
		p.mu.Lock()
		p.state[late] = "prepared"
		p.mu.Unlock()
		pass(2 * time.Minute)
		if got := p.of(late); got != rollback {
			t.Errorf("an unknown branch was told %q", got)
		}
	})
}

// What is live, in whatever phase, parked or committed is not rolled back because
// a participant lists it.
func TestContractInDoubt_LiveIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{
			Name: "shop", Journal: newDisk(t).journal(),
			RecoveryInterval: time.Second, TransactionTimeout: time.Hour, ParticipantTimeout: 10 * time.Minute,
		})
		p, q := newRecoverer(t, "p"), newRecoverer(t, "q")
		q.next(prepare, late(time.Minute))
		q.next(commit, late(time.Minute))
		active := r.begin(p)
		p.mu.Lock()
		p.state[active] = "prepared" // unprepared work is listed too
		p.mu.Unlock()
		ok(t, r.execute(p, q))
		if got := p.of(active); got != "" {
			t.Errorf("an active transaction was told %q", got)
		}
		p.expect("prepare commit")
		q.expect("prepare commit")
		ok(t, r.Commit(background, active))

		p.every(commit, refuse)
		parked := r.begin(p, q)
		ok(t, r.Commit(background, parked))
		pass(time.Hour)
		if p.count(rollback)+q.count(rollback) != 0 {
			t.Errorf("p: %s; q: %s", p.ops(), q.ops())
		}
		p.every(commit, nil)
		pass(time.Minute)
		r.outcome(parked, dtc.Committed)
		if p.became(parked) != "committed" {
			t.Errorf("p is %q", p.became(parked))
		}
	})
}

// A recoverer needs no intent record: what the power failure left prepared is
// found by asking.
func TestContractInDoubt_WithoutIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, release := newDisk(t), make(chan struct{})
		r := start(t, dtc.Config{Name: "shop", Journal: d.journal()})
		a, b := newRecoverer(t, "a"), newRecoverer(t, "b")
		b.next(prepare, deaf(release))
		id := r.begin(a, b)
		go func() { _ = r.Commit(background, id) }()
		synctest.Wait()
		found := d.crash()
		close(release)
		ok(t, r.Close())
		pass(time.Second)

		p, q := newRecoverer(t, "a"), newRecoverer(t, "b")
		p.state[id] = "prepared"
		after := reopen(t, found, p, q)
		after.outcome(id, dtc.RolledBack)
		pass(time.Minute)
		p.expect("rollback")
		q.expect("")
	})
}

// With a journal that does not last, branches of earlier runs are listed, never
// resolved.
func TestContractInDoubt_MemoryListsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		earlier := uuid.Must(uuid.NewV7())
		pass(time.Second)
		p := newLister(t, "p")
		p.lists(func(string) ([]uuid.UUID, error) { return []uuid.UUID{earlier}, nil })
		r := start(t, dtc.Config{Name: "shop", Journal: journal.Memory(), Participants: []participant.Participant{p}})
		pass(10 * time.Minute)
		p.expect("")
		if p.scans() < 10 || len(r.events.of(dtc.EventInDoubt)) == 0 {
			t.Errorf("%d lists, %d events", p.scans(), len(r.events.of(dtc.EventInDoubt)))
		}
		r.outcome(earlier, dtc.Unknown)
	})
}

// A list that fails, panics, hangs or never ends harms nobody, and is asked for
// again.
func TestContractInDoubt_ListFails(t *testing.T) {
	for name, list := range map[string]func(string) ([]uuid.UUID, error){
		"error": func(string) ([]uuid.UUID, error) { return nil, errRefused },
		"panic": func(string) ([]uuid.UUID, error) { panic("boom") },
		"goexit": func(string) ([]uuid.UUID, error) {
			runtime.Goexit()
			return nil, nil
		},
		"slow": func(string) ([]uuid.UUID, error) { idle(time.Minute); return nil, errors.New("late") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newLister(t, "p")
				p.lists(list)
				r := start(t, dtc.Config{Name: "shop", Journal: newDisk(t).journal(), Participants: []participant.Participant{p}})
				pass(5 * time.Minute)
				if p.scans() < 3 {
					t.Errorf("asked %d times in five minutes", p.scans())
				}
				health, err := r.Participants(background)
				ok(t, err)
				if name != "slow" && (health[0].Failures == 0 || health[0].Err == nil) {
					t.Errorf("health: %+v", health[0])
				}
				ok(t, r.execute(p))
				p.lists(func(string) ([]uuid.UUID, error) { return nil, nil })
				pass(2 * time.Minute)
			})
		})
	}
}

// A recoverer is refused where the coordinator has no name to list by.
func TestContractInDoubt_NameRequired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRecoverer(t, "p")
		if _, err := dtc.Open(quietSystem(), dtc.Config{Participants: []participant.Participant{p}}); err == nil {
			t.Error("Open took it")
		}
		r := start(t, dtc.Config{})
		if err := r.execute(p); err == nil {
			t.Error("Execute took it")
		}
		if err := r.Register(p); err == nil {
			t.Error("Register took it")
		}
		p.expect("")
		r.live(0)
	})
}

// While the journal has failed, nothing is resolved.
func TestContractInDoubt_JournalFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Name: "shop", Journal: j})
		p := newRecoverer(t, "p")
		j.on(puts(journal.Commit, burns), nil)
		id := r.begin(p, newRecoverer(t, "q"))
		is(t, r.Commit(background, id), dtc.ErrOutcomeUnknown)
		orphan := uuid.Must(uuid.NewV7())
		p.mu.Lock()
		p.state[orphan] = "prepared"
		p.mu.Unlock()
		pass(10 * time.Minute)
		p.expect("prepare")
	})
}

// A branch that is being told again, for its transaction has finished, is not
// rolled back when the outcome expires meanwhile.
func TestContractInDoubt_ExpiresMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{Name: "shop", Journal: newDisk(t).journal(), MaxHistory: 1})
		b := newLister(t, "b")
		id := r.begin(b)
		ok(t, r.Commit(background, id))
		b.fake.mu.Lock()
		b.state[id] = "prepared" // restored from a copy
		b.fake.mu.Unlock()
		b.every(commit, refuse)
		b.every(rollback, func(context.Context, participant.Branch) error {
			t.Error("rolled back")
			return nil
		})
		b.lists(func(string) ([]uuid.UUID, error) {
			if b.became(id) == "prepared" {
				return []uuid.UUID{id}, nil
			}
			return nil, nil
		})
		pass(2 * time.Minute)
		for range 2 {
			ok(t, r.execute(newTwo(t, "x")))
		}
		pass(3 * time.Minute)
		b.every(commit, nil)
		pass(time.Minute)
		if b.became(id) != "committed" {
			t.Errorf("b is %q: %s", b.became(id), b.ops())
		}
	})
}

// Three participants list one branch each that no transaction knows, under one id.
// That one of them does not take its rollback at once holds up none of the others
// until the next regular question.
func TestContractInDoubt_SeveralUnderOneID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{Name: "shop", Journal: newDisk(t).journal(), RecoveryInterval: time.Hour})
		id := uuid.Must(uuid.NewV7())
		pass(time.Second)
		ok(t, r.Close())
		r = start(t, dtc.Config{Name: "shop", Journal: newDisk(t).journal(), RecoveryInterval: time.Hour})
		var listers []*lister
		var ps []participant.Participant
		for _, name := range []string{"a", "b", "c"} {
			l := newLister(t, name)
			l.recovered = true
			l.lists(func(string) ([]uuid.UUID, error) {
				if l.became(id) == "" {
					return []uuid.UUID{id}, nil
				}
				return nil, nil
			})
			for range 3 {
				l.next(rollback, refuse)
			}
			listers, ps = append(listers, l), append(ps, l)
		}
		ok(t, r.Register(ps...))
		pass(10 * time.Minute)
		for _, l := range listers {
			if got := l.became(id); got != "rolled back" {
				t.Errorf("%s is %q: %s", l.name, got, l.ops())
			}
		}
	})
}

// unprepared has a participant hold work that no call has told it of, and list it
// until it is told what to do with it.
func unprepared(l *lister, id uuid.UUID) {
	l.lists(func(string) ([]uuid.UUID, error) {
		if s := l.became(id); s == "" || s == "prepared" {
			return []uuid.UUID{id}, nil
		}
		return nil, nil
	})
}

// restored has a participant list a branch that it had committed, as its data come
// from a copy.
func restored(l *lister, id uuid.UUID) {
	l.fake.mu.Lock()
	l.state[id] = "prepared"
	l.fake.mu.Unlock()
	unprepared(l, id)
}

// An application that has done its work at a participant and could not enlist it any
// more dies, and the transaction has been committed without it. The participant lists
// the work, which was never prepared: it is rolled back, and the transaction stays
// committed, where its members are told so if they list it again.
func TestContractInDoubt_NoMember(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		r := start(t, dtc.Config{Name: "shop", Journal: j, RecoveryInterval: time.Second})
		member, other, unlisted := newLister(t, "member"), newLister(t, "other"), newTwo(t, "unlisted")
		ok(t, r.Register(other))
		id := r.begin(member, unlisted)
		ok(t, r.Commit(background, id))
		before, err := r.Inspect(background, id)
		ok(t, err)
		ended := len(r.events.of(dtc.EventEnded))

		unprepared(other, id)
		other.next(rollback, refuse, refuse)
		restored(member, id)
		pass(time.Minute)
		other.expect("rollback rollback rollback")
		member.expect("prepare commit commit")
		unlisted.expect("prepare commit")
		r.outcome(id, dtc.Committed)
		ok(t, r.Commit(background, id))
		if after, err := r.Inspect(background, id); err != nil || !after.Finished.Equal(before.Finished) {
			t.Errorf("finished %v, then %v (%v)", before.Finished, after.Finished, err)
		}
		told := r.events.of(dtc.EventEnded)[ended:]
		for _, e := range told {
			if dtc.Outcome(e.Outcome) != dtc.Committed {
				t.Errorf("ended as %v", e.Outcome)
			}
		}
		if len(told) != 2 {
			t.Errorf("ended %d times more, want once for each participant", len(told))
		}
	})
}
