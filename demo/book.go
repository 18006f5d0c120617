package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/google/uuid"
)

// book is what the shop itself knows, in four files of its data directory. The
// services and the coordinator do not read it; the audit compares it with what
// they hold.
//
//	opening.jsonl   the balances that the services' accounts began with
//	orders.jsonl    the orders that were taken
//	attempts.jsonl  under which transaction an order was tried; forced before that begins
//	answers.jsonl   what the customers were told
type book struct {
	opening      map[account]int64
	orders       []*entry // in the order in which they were taken
	byName       map[string]*entry
	contradicted []string // answers that contradict each other

	openingFile, ordersFile, attemptsFile, answersFile *notebook
}

// account is an account of one service.
type account struct {
	Service string `json:"service"`
	Name    string `json:"account"`
}

// opened is a line of opening.jsonl.
type opened struct {
	account
	Balance int64 `json:"balance"`
}

// attempt is a line of attempts.jsonl.
type attempt struct {
	Order       string    `json:"order"`
	Transaction uuid.UUID `json:"transaction"`
}

// answer is a line of answers.jsonl.
type answer struct {
	Order   string `json:"order"`
	Outcome string `json:"outcome"`
	Cause   cause  `json:"cause,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// entry is what is known of one order.
type entry struct {
	order    order
	attempts []uuid.UUID // only the last one may still happen
	answer   *answer     // nil before the customer was told
}

// last is the transaction under which the order was tried last; uuid.Nil if it
// never was.
func (e *entry) last() uuid.UUID {
	if len(e.attempts) == 0 {
		return uuid.Nil
	}
	return e.attempts[len(e.attempts)-1]
}

// openBook reads the book in a directory, or begins it.
func openBook(dir string) (*book, error) {
	b := &book{opening: make(map[account]int64), byName: make(map[string]*entry)}
	var err error
	for _, f := range []struct {
		file **notebook
		name string
		use  func([]byte) error
	}{
		{&b.openingFile, "opening.jsonl", b.readOpening},
		{&b.ordersFile, "orders.jsonl", b.readOrder},
		{&b.attemptsFile, "attempts.jsonl", b.readAttempt},
		{&b.answersFile, "answers.jsonl", b.readAnswer},
	} {
		if *f.file, err = openNotebook(filepath.Join(dir, f.name), f.use); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	return b, nil
}

func (b *book) close() error {
	var err error
	for _, f := range []*notebook{b.openingFile, b.ordersFile, b.attemptsFile, b.answersFile} {
		if f != nil {
			err = errors.Join(err, f.close())
		}
	}
	return err
}

func (b *book) readOpening(data []byte) error {
	var o opened
	err := json.Unmarshal(data, &o)
	b.opening[o.account] = o.Balance
	return err
}

func (b *book) readOrder(data []byte) error {
	var o order
	err := json.Unmarshal(data, &o)
	b.enter(o)
	return err
}

func (b *book) readAttempt(data []byte) error {
	var a attempt
	if err := json.Unmarshal(data, &a); err != nil {
		return err
	}
	e := b.byName[a.Order]
	if e == nil {
		return fmt.Errorf("order %q was tried but never taken", a.Order)
	}
	e.attempts = append(e.attempts, a.Transaction)
	return nil
}

func (b *book) readAnswer(data []byte) error {
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		return err
	}
	e := b.byName[a.Order]
	switch {
	case e == nil:
		return fmt.Errorf("order %q was answered but never taken", a.Order)
	case e.answer != nil && e.answer.Outcome != a.Outcome:
		b.contradicted = append(b.contradicted, a.Order)
	default:
		e.answer = &a
	}
	return nil
}

func (b *book) enter(o order) {
	e := &entry{order: o}
	b.orders = append(b.orders, e)
	b.byName[o.Name] = e
}

// take enters new orders, and forces them. Nothing may have been tried of them.
func (b *book) take(orders []order) error {
	var n notes
	for _, o := range orders {
		n.add(o)
		b.enter(o)
	}
	return b.ordersFile.force(n)
}

// open enters opening balances of those accounts that are new, and forces them.
func (b *book) open(service string, balances map[string]int64) error {
	var n notes
	for name, balance := range balances {
		a := account{service, name}
		if _, known := b.opening[a]; !known {
			n.add(opened{a, balance})
			b.opening[a] = balance
		}
	}
	return b.openingFile.force(n)
}

// try gives each of the orders the id of a new transaction, and forces that: from
// then on they may begin.
func (b *book) try(entries []*entry) error {
	var n notes
	for _, e := range entries {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		e.attempts = append(e.attempts, id)
		n.add(attempt{e.order.Name, id})
	}
	return b.attemptsFile.force(n)
}

// tell tells the customer what became of the order. It is what the customer goes
// by from then on, whatever becomes of this process.
func (b *book) tell(e *entry, a *answer) error {
	e.answer = a
	return b.answersFile.add(a)
}

// unanswered are the orders whose customers wait.
func (b *book) unanswered() []*entry {
	var all []*entry
	for _, e := range b.orders {
		if e.answer == nil {
			all = append(all, e)
		}
	}
	return all
}
