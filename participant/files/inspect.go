package files

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// Pending is a branch that holds paths until it is decided, or until its commit is
// finished.
type Pending struct {
	Coordinator string
	Transaction uuid.UUID
	// Paths are those that it changes, sorted.
	Paths []string
	// Decided tells that its commit was begun: it is being finished, or something is
	// in the way, which a call of Commit tells.
	Decided bool
}

// Pending lists the prepared branches of all coordinators, the oldest transaction
// first.
func (t *Tree) Pending() ([]Pending, error) {
	var all []Pending
	err := t.read(func() error {
		for k, p := range t.book.all() {
			b := Pending{Coordinator: k.Coordinator, Transaction: k.Transaction, Decided: p.decided}
			for _, s := range p.Steps {
				b.Paths = append(b.Paths, s.Path)
			}
			slices.Sort(b.Paths)
			all = append(all, b)
		}
		return nil
	})
	return all, err
}

// Branch returns what is known of a branch: unknown, prepared, read-only,
// committed, rolled back or forgotten. One whose commit is not finished is
// prepared. A read-only vote is remembered until Close.
func (t *Tree) Branch(coordinator string, id uuid.UUID) (s participant.State, err error) {
	err = t.read(func() (err error) {
		s, err = t.book.state(participant.Key{Coordinator: coordinator, Transaction: id})
		return err
	})
	return s, err
}

// InDoubt implements participant.Recoverer: it lists the prepared branches of one
// coordinator whose commit was not begun, the oldest transaction first.
func (t *Tree) InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	err := t.read(func() error {
		for k, p := range t.book.all() {
			if k.Coordinator == coordinator && !p.decided {
				ids = append(ids, k.Transaction)
			}
		}
		return nil
	})
	return ids, err
}

// read calls look while nothing changes. What it sees is on stable storage.
func (t *Tree) read(look func() error) error {
	leave, err := t.enter()
	if err != nil {
		return err
	}
	defer leave()
	return t.do(func(func([]byte)) error { return look() })
}
