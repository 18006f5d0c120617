package ledger

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// Seed creates those of the accounts that do not exist yet, all or none of them,
// and leaves the others as they are: it may be called at every start. An account
// that cannot be is refused with [*AccountError].
func (l *Ledger) Seed(accounts map[string]Account) error {
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		if err := checkAccount(name, accounts[name]); err != nil {
			return err
		}
	}
	return l.log.Do(func(add func([]byte)) error {
		for name, a := range accounts {
			if l.book.accounts[name] != nil {
				continue
			}
			r := record{Op: opSeed, Name: name, Account: &a}
			if err := l.book.apply(r); err != nil {
				return err
			}
			add(encode(r))
		}
		return nil
	})
}

// Accounts returns all accounts. As every query it shows only what is on stable
// storage, and fails after a failed write or sync and after Close.
func (l *Ledger) Accounts() (map[string]Account, error) {
	accounts := make(map[string]Account)
	err := l.read(func() {
		for name, a := range l.book.accounts {
			accounts[name] = a.Account
		}
	})
	return accounts, err
}

// Balance returns the balance of one account, or [*UnknownAccountError].
func (l *Ledger) Balance(name string) (balance int64, err error) {
	err = l.log.Do(func(func([]byte)) error {
		a := l.book.accounts[name]
		if a == nil {
			return &UnknownAccountError{Account: name}
		}
		balance = a.Balance
		return nil
	})
	return balance, err
}

// Reserved returns what prepared branches take from accounts, without accounts
// from which nothing is taken.
func (l *Ledger) Reserved() (map[string]int64, error) {
	reserved := make(map[string]int64)
	err := l.read(func() {
		for name, a := range l.book.accounts {
			if a.takes > 0 {
				reserved[name] = a.takes
			}
		}
	})
	return reserved, err
}

// Branch returns what the ledger holds of a branch: unknown, prepared,
// committed, rolled back or forgotten. A read-only vote leaves it unknown.
func (l *Ledger) Branch(coordinator string, id uuid.UUID) (s participant.State, err error) {
	err = l.log.Do(func(func([]byte)) error {
		s, err = l.state(context.Background(), coordinator, id)
		return err
	})
	return s, err
}

// Reservation is a prepared branch.
type Reservation struct {
	Coordinator string
	Transaction uuid.UUID
	// Entries has one entry for each account.
	Entries []Entry
	Memo    string
}

// Reservations lists the prepared branches of all coordinators, the oldest
// transaction first.
func (l *Ledger) Reservations() ([]Reservation, error) {
	var all []Reservation
	err := l.read(func() {
		for k, p := range l.book.prepared {
			r := Reservation{Coordinator: k.Coordinator, Transaction: k.Transaction, Memo: p.Memo}
			r.Entries = slices.Clone(p.Entries)
			all = append(all, r)
		}
	})
	slices.SortFunc(all, func(a, b Reservation) int {
		return bytes.Compare(a.Transaction[:], b.Transaction[:])
	})
	return all, err
}

// InDoubt implements participant.Recoverer: it lists the prepared branches of
// one coordinator, the oldest transaction first.
func (l *Ledger) InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all, err := l.Reservations()
	var ids []uuid.UUID
	for _, r := range all {
		if r.Coordinator == coordinator {
			ids = append(ids, r.Transaction)
		}
	}
	return ids, err
}

// read calls look while nothing changes.
func (l *Ledger) read(look func()) error {
	return l.log.Do(func(func([]byte)) error {
		look()
		return nil
	})
}
