package dtc_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// cost is what one transaction costs.
type cost struct {
	make   func(t *testing.T) []participant.Participant
	first  func(fs []*fake)
	o      *dtc.TxOptions
	undo   bool // roll back instead
	forced int
	calls  []string
	path   string
	fails  error
}

// Each path forces as many records, and makes as many calls, as it must.
func TestContractCosts(t *testing.T) {
	for name, c := range costs() {
		t.Run(name, func(t *testing.T) {
			eachJournal(t, func(t *testing.T, j journal.Journal) { c.run(t, j) })
		})
	}
}

func costs() map[string]cost {
	who := func(makers ...func(*testing.T, string) participant.Participant) func(t *testing.T) []participant.Participant {
		return func(t *testing.T) (ps []participant.Participant) {
			for i, m := range makers {
				ps = append(ps, m(t, fmt.Sprint("p", i)))
			}
			return ps
		}
	}
	rec := func(t *testing.T, name string) participant.Participant { return newRecoverer(t, name) }
	two := func(t *testing.T, name string) participant.Participant { return newTwo(t, name) }
	one := func(t *testing.T, name string) participant.Participant { return newOne(t, name) }
	del := func(t *testing.T, name string) participant.Participant { return newDelegate(t, name) }
	nbOne := func(t *testing.T, name string) participant.Participant { return newNonBlockingOne(t, name) }
	nbTwo := func(t *testing.T, name string) participant.Participant { return newNonBlockingTwo(t, name) }
	wrapped := func(t *testing.T, name string) participant.Participant { return &wrapper{newRecoverer(t, name)} }
	each := func(op string, a act) func([]*fake) {
		return func(fs []*fake) {
			for _, f := range fs {
				f.every(op, a)
			}
		}
	}
	lastRefuses := func(fs []*fake) { fs[len(fs)-1].every(prepare, refuse) }
	const both, undone = prepare + " " + commit, prepare + " " + rollback
	durable := &dtc.TxOptions{Durable: true}
	return map[string]cost{
		"recoverers":         {make: who(rec, rec), forced: 1, calls: []string{both, both}, path: "presumed abort"},
		"one recoverer":      {make: who(rec), forced: 1, calls: []string{both}, path: "presumed abort"},
		"wrapped recoverer":  {make: who(wrapped), forced: 1, calls: []string{both}, path: "presumed abort"},
		"two-phase":          {make: who(two, two), forced: 2, calls: []string{both, both}, path: "with intent"},
		"one-phase":          {make: who(one), forced: 2, calls: []string{commit}, path: "with intent"},
		"mixed":              {make: who(rec, one, two), forced: 2, calls: []string{both, commit, both}, path: "with intent"},
		"non-blocking":       {make: who(nbTwo, nbOne), forced: 2, calls: []string{both, commit}, path: "with intent"},
		"delegate":           {make: who(del), forced: 1, calls: []string{onePhase}, path: "one-phase"},
		"delegate and other": {make: who(del, rec), forced: 2, calls: []string{both, both}, path: "with intent"},
		"empty":              {make: who(), forced: 0, path: "empty"},
		"read-only":          {make: who(rec, rec), first: each(prepare, readOnly), forced: 0, calls: []string{prepare, prepare}, path: "read-only"},
		"one read-only":      {make: who(rec, rec), first: func(fs []*fake) { fs[0].every(prepare, readOnly) }, forced: 1, calls: []string{prepare, both}},
		"read-only, intent":  {make: who(two, two), first: each(prepare, readOnly), forced: 2, calls: []string{prepare, prepare}},
		"durable":            {make: who(two, rec), o: durable, forced: 3, calls: []string{both, both}},
		"rolled back":        {make: who(two, rec, one, del), undo: true, forced: 0, calls: []string{rollback, rollback, rollback, rollback}},
		"rolled back, all refuse": {
			make: who(rec, rec), undo: true, first: each(rollback, refuse), forced: 1,
		},
		"refused": {
			make: who(rec, rec), first: lastRefuses, forced: 0, calls: []string{undone, undone}, fails: dtc.ErrRolledBack,
		},
		"refused, intent": {
			make: who(one, two, two), first: lastRefuses, forced: 1, calls: []string{rollback, undone, undone}, fails: dtc.ErrRolledBack,
		},
		"refused, a read-only voter": {
			make: who(rec, rec), first: func(fs []*fake) {
				fs[0].every(prepare, readOnly)
				fs[1].every(prepare, act(func(context.Context, participant.Branch) error { idle(time.Second); return errRefused }))
			}, forced: 0, calls: []string{prepare, undone}, fails: dtc.ErrRolledBack,
		},
	}
}

func (c cost) run(t *testing.T, j journal.Journal) {
	counted := &faulty{Journal: j}
	r := start(t, dtc.Config{Journal: counted, Name: "shop"})
	ps := c.make(t)
	var fs []*fake
	for _, p := range ps {
		if w, ok := p.(*wrapper); ok {
			p = w.of
		}
		fs = append(fs, fakeOf(p))
	}
	if c.first != nil {
		c.first(fs)
	}
	id, err := r.Begin(background, c.o)
	ok(t, err)
	before, opened := r.Stats().Forced, counted.forced
	r.enlist(id, ps...)
	switch {
	case c.undo && c.calls != nil:
		ok(t, r.Rollback(background, id))
	case c.undo:
		is(t, r.Rollback(background, id), dtc.ErrParticipantFailedToRollback)
	case c.fails != nil:
		is(t, r.Commit(background, id), c.fails)
	default:
		ok(t, r.Commit(background, id))
	}
	if d, err := r.Inspect(background, id); err != nil || c.path != "" && d.Path != c.path {
		t.Errorf("path %q, %v; want %q", d.Path, err, c.path)
	}
	if got := r.forced(before); got != c.forced {
		t.Errorf("forced %d records, want %d", got, c.forced)
	}
	if got := counted.forced - opened; got != c.forced {
		t.Errorf("the journal was asked to force %d batches, want %d", got, c.forced)
	}
	for i, want := range c.calls {
		fs[i].expect(want)
	}
	if c.undo && c.calls == nil {
		for _, f := range fs {
			f.every(rollback, nil)
		}
	}
	pass(time.Minute)
	for i, want := range c.calls {
		fs[i].expect(want)
	}
}
