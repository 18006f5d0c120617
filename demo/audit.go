package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
)

// report is what an audit finds.
type report struct {
	committed, rolledBack, unanswered int
	accounted                         int       // accounts
	refusals                          []*answer // the first few of those rolled back
	// offences name the order, or the account and the orders on it.
	offences []string
}

func (r *report) offence(format string, args ...any) {
	r.offences = append(r.offences, fmt.Sprintf(format, args...))
}

// audit reads the files of a data directory that nobody has open: the services'
// own, and the book. It asks of every order whether it happened in all three
// services or in none, as its customer was told, and once; and of every account
// whether its balance is what those orders make of it.
func audit(dir string, o options) (*report, error) {
	at, err := openSite(dir, o)
	if err != nil {
		return nil, err
	}
	b, err := openBook(dir)
	if err != nil {
		return nil, err
	}
	a := &auditor{report: &report{}, book: b}
	if err = a.open(dir, at); err == nil {
		a.all()
	}
	return a.report, errors.Join(err, a.close())
}

// auditor is an audit under way.
type auditor struct {
	*report
	book     *book
	services []*audited
}

// audited is what one service holds.
type audited struct {
	service
	keeper
	outcome  map[uuid.UUID]participant.State
	expected map[string]int64    // balances as the orders make them
	touched  map[string][]string // the orders on an account
}

func (a *auditor) open(dir string, at site) error {
	var tried []uuid.UUID
	for _, e := range a.book.orders {
		tried = append(tried, e.attempts...)
	}
	for _, s := range services() {
		k, err := at.openForAudit(dir, s)
		if err != nil {
			return err
		}
		found := &audited{service: s, keeper: k, expected: make(map[string]int64), touched: make(map[string][]string)}
		a.services = append(a.services, found)
		if found.outcome, err = k.outcomes(tried); err != nil {
			return fmt.Errorf("%s does not tell what became of orders: %w", s.name, err)
		}
	}
	return nil
}

func (a *auditor) close() error {
	err := a.book.close()
	for _, s := range a.services {
		err = errors.Join(err, s.close())
	}
	return err
}

func (a *auditor) all() {
	for _, e := range a.book.orders {
		a.order(e)
	}
	for _, name := range a.book.contradicted {
		a.offence("order %q: its customer was told two different outcomes", name)
	}
	for _, s := range a.services {
		a.accounts(s)
		a.leftovers(s)
	}
}

// order audits one order.
func (a *auditor) order(e *entry) {
	happened := 0
	for _, id := range e.attempts {
		if a.attempt(e, id) {
			happened++
		}
	}
	name := e.order.Name
	if happened > 1 {
		a.offence("order %q happened %d times", name, happened)
	}
	switch {
	case e.answer == nil:
		a.unanswered++
		return
	case e.answer.Outcome == dtc.Committed.String():
		a.committed++
		if happened == 0 {
			a.offence("order %q: its customer was told that it is committed, but it is not", name)
		}
	default:
		a.rolledBack++
		if len(a.refusals) < reasons {
			a.refusals = append(a.refusals, e.answer)
		}
		if happened > 0 {
			a.offence("order %q: its customer was told that it is %s, but it is committed", name, e.answer.Outcome)
		}
	}
}

// attempt audits one transaction of an order, and tells whether it is committed
// anywhere.
func (a *auditor) attempt(e *entry, id uuid.UUID) bool {
	var in, out []string
	for _, s := range a.services {
		switch state := s.outcome[id]; state {
		case participant.Committed:
			in = append(in, s.name)
			s.apply(e.order)
		case participant.Forgotten:
			a.offence("order %q: %s does not remember it", e.order.Name, s.name)
		default:
			out = append(out, s.name+" ("+state.String()+")")
		}
	}
	if len(in) > 0 && len(out) > 0 {
		a.offence("order %q is committed in %s, but not in %s", e.order.Name, strings.Join(in, " and "), strings.Join(out, " and "))
	}
	return len(in) > 0
}

// apply adds an order to what the balances should be.
func (s *audited) apply(o order) {
	for _, entry := range s.entries(o) {
		s.expected[entry.Account] += entry.Delta
		s.touched[entry.Account] = append(s.touched[entry.Account], o.Name)
	}
}

// accounts audits the balances of one service.
func (a *auditor) accounts(s *audited) {
	for opened, balance := range a.book.opening {
		if opened.Service == s.name {
			s.expected[opened.Name] += balance
		}
	}
	held, err := s.balances()
	if err != nil {
		a.offence("%s does not tell its balances: %v", s.name, err)
		return
	}
	a.accounted += len(held)
	for _, name := range slices.Sorted(maps.Keys(s.expected)) {
		found, ok := held[name]
		switch want := s.expected[name]; {
		case !ok:
			a.offence("%s has no account %q; orders on it: %s", s.name, name, s.ordersOn(name))
		case found != want:
			a.offence("%s has %d in %q, but its orders make it %d: %s", s.name, found, name, want, s.ordersOn(name))
		}
		delete(held, name)
	}
	for _, name := range slices.Sorted(maps.Keys(held)) {
		a.offence("%s has an account %q that nobody opened", s.name, name)
	}
}

// ordersOn lists the orders that are committed on an account.
func (s *audited) ordersOn(account string) string {
	names := slices.Compact(s.touched[account])
	const most = 20
	switch {
	case len(names) == 0:
		return "no order"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// leftovers looks for what is still reserved.
func (a *auditor) leftovers(s *audited) {
	held, err := s.held()
	if err != nil {
		a.offence("%s does not tell what it has reserved: %v", s.name, err)
	}
	for _, h := range held {
		a.offence("order %q: %s still holds a reservation for it (transaction %s)", h.memo, s.name, h.transaction)
	}
}
