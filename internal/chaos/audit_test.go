package chaos

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"github.com/seed-d36415c0/dtc"
)

// settle lets everything come to its end, which nothing may keep it from any
// more.
func (w *world) settle() {
	time.Sleep(15 * time.Minute)
	synctest.Wait()
}

// audit checks that all transactions have ended, alike everywhere, and as was
// told. It returns how many calm ones were not committed.
func (w *world) audit() (harmed int) {
	w.t.Helper()
	if n := w.Stats().Live; n != 0 {
		w.errorf("%d transactions are live", n)
	}
	left, err := w.Transactions(background, dtc.Filter{})
	if err != nil || len(left) != 0 {
		w.errorf("%d transactions are unfinished: %+v, %v", len(left), left, err)
	}
	for _, a := range w.tales {
		w.auditOne(a)
		if a.calm && a.told != nil {
			harmed++
		}
	}
	for _, c := range w.clerks {
		c.mu.Lock()
		for _, wrong := range c.wrongs {
			w.errorf("%s", wrong)
		}
		c.mu.Unlock()
	}
	return harmed
}

// auditOne checks one transaction against what the application was told and what
// the participants know.
func (w *world) auditOne(a *tale) {
	outcome, err := w.Outcome(background, a.id)
	begun := !errors.Is(err, dtc.ErrTransactionNotFound)
	if begun && outcome != dtc.Committed && outcome != dtc.RolledBack {
		w.errorf("%s: outcome %v, %v", a.id, outcome, err)
	}
	committed := outcome == dtc.Committed
	switch {
	case committed && !a.asked:
		w.errorf("%s: committed, and nobody asked for it", a.id)
	case a.asked && a.told == nil && !committed && (w.starts == 1 || w.effects(a) > 0):
		w.errorf("%s: was told it is committed, and is %v", a.id, outcome)
	case a.asked && errors.Is(a.told, dtc.ErrRolledBack) && committed:
		w.errorf("%s: was told it is rolled back, and is %v", a.id, outcome)
	}
	for _, c := range a.enlisted {
		b := c.state(a.id)
		switch readOnly := b.moody && !b.prepared && !b.rolledBack; {
		case committed && (b.effects != 1 || b.rolledBack) && !readOnly:
			w.errorf("%s: is committed, and at %s %+v", a.id, c.name, b)
		case !committed && (b.effects != 0 || (b.prepared || b.committed) && !b.rolledBack):
			w.errorf("%s: is %v (%v), and at %s %+v", a.id, outcome, a.told, c.name, b)
		}
	}
}

// effects counts what a transaction has done. One that has done nothing is not
// remembered.
func (w *world) effects(a *tale) (n int) {
	for _, c := range a.enlisted {
		n += c.state(a.id).effects
	}
	return n
}

// checkSlots checks that as many transactions can begin as may, and no more.
func (w *world) checkSlots() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(background, time.Second)
	defer cancel()
	for n := range slots + 1 {
		id, err := w.Begin(ctx, nil)
		if (err == nil) != (n < slots) {
			w.errorf("of %d slots, number %d: %v", slots, n+1, err)
		}
		if err == nil {
			defer func() { _ = w.Rollback(background, id) }()
		}
	}
}
