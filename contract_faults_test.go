package dtc_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// killer ends the goroutine of a transaction's actor, as a panic would, at its
// n-th event.
type killer struct{ after atomic.Int64 }

func (k *killer) listen(e dtc.Event) {
	if e.Transaction != uuid.Nil && e.Kind != dtc.EventActorFailed && k.after.Add(-1) == 0 {
		runtime.Goexit()
	}
}

// A transaction's actor that dies, at whatever step of whatever transaction, is
// brought back: its callers are told the truth, all branches end alike, nobody
// else notices, and its slot is freed.
func TestContractFaults_ActorDies(t *testing.T) {
	for name, scenario := range deaths() {
		t.Run(name, func(t *testing.T) {
			eachJournal(t, func(t *testing.T, j journal.Journal) {
				k := &killer{}
				r := start(t, dtc.Config{Journal: j, OnEvent: k.listen, Name: "shop"})
				bystander := newTwo(t, "bystander")
				for n := int64(1); ; n++ {
					other := r.begin(bystander)
					k.after.Store(n)
					d := &death{t: t, r: r, n: n, at: fmt.Sprint("dies at event ", n)}
					scenario(d)
					pass(time.Minute)
					d.check()
					died := k.after.Load() <= 0
					k.after.Store(0)
					r.outcome(other, dtc.RolledBack) // by its deadline
					ok(t, r.execute(bystander))
					r.live(0)
					if !died {
						if n < 5 {
							t.Errorf("only %d steps", n)
						}
						return
					}
				}
			})
		})
	}
}

// death is one transaction whose actor dies.
type death struct {
	t  *testing.T
	r  *rig
	n  int64
	at string
	id uuid.UUID
	fs []*fake
	// told is what the application was told.
	committed, rolledBack bool
}

func deaths() map[string]func(*death) {
	return map[string]func(*death){
		"commit": func(d *death) {
			d.run(nil, newTwo(d.t, d.name("a")), newTwo(d.t, d.name("b")), newOne(d.t, d.name("c")))
		},
		"refused": func(d *death) {
			b := newTwo(d.t, d.name("b"))
			b.every(prepare, refuse)
			d.run(nil, newTwo(d.t, d.name("a")), b)
		},
		"recoverers": func(d *death) { d.run(nil, newRecoverer(d.t, d.name("a")), newRecoverer(d.t, d.name("b"))) },
		"delegate":   func(d *death) { d.run(nil, newDelegate(d.t, d.name("a"))) },
		"durable": func(d *death) {
			d.run(&dtc.TxOptions{Durable: true}, newTwo(d.t, d.name("a")), newTwo(d.t, d.name("b")))
		},
		"parked": func(d *death) {
			b := newTwo(d.t, d.name("b"))
			b.next(commit, late(7*time.Second))
			d.run(nil, newTwo(d.t, d.name("a")), b)
		},
		"retried": func(d *death) {
			b := newTwo(d.t, d.name("b"))
			b.next(commit, refuse, refuse)
			d.run(nil, newTwo(d.t, d.name("a")), b)
		},
		"hangs": func(d *death) {
			b := newTwo(d.t, d.name("b"))
			b.next(prepare, late(20*time.Second))
			d.run(nil, newTwo(d.t, d.name("a")), b)
		},
	}
}

// name is a name of its own for each round: the participants are new.
func (d *death) name(s string) string { return fmt.Sprint(s, d.n) }

// run begins, enlists and commits; whatever is refused is rolled back.
func (d *death) run(o *dtc.TxOptions, ps ...participant.Participant) {
	var err error
	if d.id, err = d.r.Begin(background, o); err != nil {
		d.t.Fatalf("%s: Begin: %v", d.at, err)
	}
	for _, p := range ps {
		if err := d.r.Enlist(background, d.id, p, []byte(secret)); err != nil {
			is(d.t, err, dtc.ErrNotActive)
			_ = d.r.Rollback(background, d.id)
			break
		}
		d.fs = append(d.fs, fakeOf(p))
	}
	err = d.r.Commit(background, d.id)
	d.committed, d.rolledBack = err == nil, errors.Is(err, dtc.ErrRolledBack)
	if err != nil && !d.rolledBack {
		is(d.t, err, dtc.ErrOutcomeUnknown)
	}
}

// check: one outcome, everywhere, and nobody was told another.
func (d *death) check() {
	d.t.Helper()
	outcome, err := d.r.Outcome(background, d.id)
	if outcome != dtc.Committed && outcome != dtc.RolledBack {
		d.t.Errorf("%s: outcome %v, %v", d.at, outcome, err)
	}
	if d.committed && outcome != dtc.Committed || d.rolledBack && outcome != dtc.RolledBack {
		d.t.Errorf("%s: was told committed %v, rolled back %v, and is %v", d.at, d.committed, d.rolledBack, outcome)
	}
	want := map[dtc.Outcome]string{dtc.Committed: "committed", dtc.RolledBack: "rolled back"}[outcome]
	for _, f := range d.fs {
		if f.became(d.id) != want || f.effects[d.id] > 1 {
			d.t.Errorf("%s: outcome %v, and %s is %q after %s", d.at, outcome, f.name, f.became(d.id), f.ops())
		}
	}
	if detail, err := d.r.Inspect(background, d.id); err != nil || detail.Finished.IsZero() {
		d.t.Errorf("%s: %+v, %v: want it finished", d.at, detail.Summary, err)
	}
}

// An actor that dies again and again is left to the journal, and listed.
func TestContractFaults_ActorKeepsDying(t *testing.T) {
	eachJournal(t, func(t *testing.T, j journal.Journal) {
		var healed atomic.Bool
		r := start(t, dtc.Config{Journal: j, OnEvent: func(e dtc.Event) {
			if e.Kind == dtc.EventAnswered && e.Participant == "b" && e.Op.String() == commit && !healed.Load() {
				runtime.Goexit()
			}
		}})
		a, b := newTwo(t, "a"), newTwo(t, "b")
		id := r.begin(a, b)
		ok(t, r.Commit(background, id))
		r.live(0)
		r.outcome(id, dtc.Committed)
		pass(10 * time.Minute)
		list, err := r.Transactions(background, dtc.Filter{Parked: true})
		ok(t, err)
		if len(list) != 1 || list[0].ID != id {
			t.Errorf("listed: %+v", list)
		}
		ok(t, r.execute(a))
		healed.Store(true)
		pass(2 * time.Minute)
		d, err := r.Inspect(background, id)
		ok(t, err)
		if d.Finished.IsZero() || b.effects[id] != 1 {
			t.Errorf("%+v, b: %s", d.Summary, b.ops())
		}
	})
}

// Requests that are on their way to an actor that dies are answered.
func TestContractFaults_ActorDies_Requests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &killer{}
		r := start(t, dtc.Config{OnEvent: k.listen})
		a := newTwo(t, "a")
		for n := range int64(50) {
			id := r.begin(a)
			k.after.Store(n % 12)
			answers := make(chan error, 8)
			for range 2 {
				go func() { answers <- r.Commit(background, id) }()
				go func() { answers <- r.Rollback(background, id) }()
				go func() { answers <- r.Enlist(background, id, newTwo(t, "late"), nil) }()
				go func() { answers <- second(r.Inspect(background, id)) }()
			}
			for range 8 {
				<-answers
			}
			k.after.Store(0)
			pass(time.Minute)
			if outcome, err := r.Outcome(background, id); outcome != dtc.Committed && outcome != dtc.RolledBack {
				t.Errorf("outcome %v, %v", outcome, err)
			}
		}
		r.live(0)
	})
}

// A journal that panics is a journal that failed.
func TestContractFaults_JournalPanics(t *testing.T) {
	for _, kind := range []journal.Kind{journal.Intent, journal.Commit} {
		t.Run(kind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &faulty{Journal: journal.Memory()}
				r := start(t, dtc.Config{Journal: j})
				j.on(puts(kind, func() error { panic("boom") }), nil)
				a := newTwo(t, "a")
				err := r.execute(a)
				is(t, err, dtc.ErrJournalFailed)
				if kind == journal.Commit {
					is(t, err, dtc.ErrOutcomeUnknown)
				} else {
					is(t, err, dtc.ErrRolledBack)
				}
				is(t, second(r.Begin(background, nil)), dtc.ErrJournalFailed)
			})
		})
	}
}

// unreadableRecord is a journal whose records cannot be read one by one.
type unreadableRecord struct {
	journal.Journal
	how atomic.Pointer[func() error]
}

func (u *unreadableRecord) Record(id uuid.UUID) (journal.Record, bool, error) {
	if how := u.how.Load(); how != nil {
		return journal.Record{}, false, (*how)()
	}
	return u.Journal.Record(id)
}

// A record that cannot be read for a while is read later.
func TestContractFaults_RecordUnreadable(t *testing.T) {
	for name, how := range map[string]func() error{"error": burns, "panic": func() error { panic("boom") }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &unreadableRecord{Journal: newDisk(t).journal()}
				r := start(t, dtc.Config{Journal: j})
				a := newTwo(t, "a")
				a.every(commit, refuse)
				id := r.begin(a)
				ok(t, r.Commit(background, id))
				j.how.Store(&how)
				a.every(commit, nil)
				pass(time.Minute)
				r.outcome(id, dtc.Committed)
				if list, _ := r.Transactions(background, dtc.Filter{}); len(list) != 1 {
					t.Errorf("listed: %+v", list)
				}
				_, _ = r.Inspect(background, id) // must not panic
				j.how.Store(nil)
				pass(2 * time.Minute)
				if a.effects[id] != 1 {
					t.Errorf("a was called: %s", a.ops())
				}
				r.outcome(id, dtc.Committed)
			})
		})
	}
}

// An event listener that panics, or ends its goroutine, harms nothing.
func TestContractFaults_ListenerPanics(t *testing.T) {
	for name, listen := range map[string]func(dtc.Event){
		"panic": func(dtc.Event) { panic("boom") },
		"error": func(e dtc.Event) { panic(e.Err) },
	} {
		t.Run(name, func(t *testing.T) {
			eachJournal(t, func(t *testing.T, j journal.Journal) { worksAsEver(t, dtc.Config{Journal: j, OnEvent: listen}) })
		})
	}
}

// hostileHandler is a log handler that panics.
type hostileHandler struct{ enabled, handle bool }

func (h hostileHandler) Enabled(context.Context, slog.Level) bool {
	if h.enabled {
		panic("enabled")
	}
	return true
}

func (h hostileHandler) Handle(context.Context, slog.Record) error {
	if h.handle {
		panic("handle")
	}
	return errors.New("disk full")
}
func (h hostileHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h hostileHandler) WithGroup(string) slog.Handler      { return h }

// A log handler that panics or fails harms nothing.
func TestContractFaults_LogHandlerPanics(t *testing.T) {
	for name, h := range map[string]hostileHandler{
		"fails": {}, "handle": {handle: true}, "enabled": {enabled: true}, "both": {enabled: true, handle: true},
	} {
		t.Run(name, func(t *testing.T) {
			eachJournal(t, func(t *testing.T, j journal.Journal) {
				worksAsEver(t, dtc.Config{Journal: j, Logger: slog.New(h)})
			})
		})
	}
}

// worksAsEver runs what a coordinator is for.
func worksAsEver(t *testing.T, c dtc.Config) {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(&lines{}, nil))
	}
	r, err := dtc.Open(quietSystem(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { ok(t, r.Close()) }()
	a, b := newTwo(t, "a"), newTwo(t, "b")
	ok(t, r.Execute(background, nil, enlistments(a, b)...))
	b.next(prepare, refuse)
	is(t, r.Execute(background, nil, enlistments(a, b)...), dtc.ErrRolledBack)
	b.next(commit, refuse, panics("boom"))
	ok(t, r.Execute(background, nil, enlistments(a, b)...))
	b.next(rollback, obedient, refuse)
	id, err := r.Begin(background, nil)
	ok(t, err)
	ok(t, r.Enlist(background, id, b, nil))
	is(t, r.Rollback(background, id), dtc.ErrParticipantFailedToRollback)
	pass(time.Minute)
	ok(t, r.Rollback(background, id))
	if n := r.Stats().Live; n != 0 {
		t.Errorf("%d are live", n)
	}
	b.expect("prepare commit prepare rollback prepare commit commit commit rollback rollback rollback")
}

// nilError is an error that is nil, but not to who compares.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

// slyError panics when it is looked at.
type slyError struct{}

func (slyError) Error() string   { panic("sly") }
func (slyError) Is(e error) bool { panic("sly") }

// Errors of participants that are odd values are told as they are.
func TestContractFaults_OddErrors(t *testing.T) {
	var typedNil *nilError
	for name, odd := range map[string]error{
		"typed nil": typedNil, "panics": slyError{}, "canceled": context.Canceled,
		"deadline": context.DeadlineExceeded, "joined": errors.Join(errRefused, participant.ErrRolledBack),
		"own sentinel": dtc.ErrOutcomeUnknown, "committed": dtc.ErrCommitted,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, dtc.Config{})
				a, b := newTwo(t, "a"), newTwo(t, "b")
				b.next(prepare, fails(odd))
				began := time.Now()
				err := r.execute(a, b)
				if e := as[*dtc.RolledBackError](t, err); e.Error() == "" {
					t.Error("says nothing")
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("took %v", took)
				}
				found := false
				for _, e := range all[*dtc.ParticipantFailedToCommitError](err) {
					found = found || e.Participant == "b"
				}
				if !found {
					t.Errorf("b is not among the causes: %v", err)
				}
				if name != "panics" {
					isNot(t, err, dtc.ErrTimeout)
				}
				pass(time.Minute)
				a.expect("prepare rollback")
				b.expect("prepare rollback")
			})
		})
	}
}
