package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// Account is one balance.
type Account struct {
	// Balance is what committed branches have made of it.
	Balance int64 `json:"balance"`
	// Floor is what no branch may take the balance below.
	Floor int64 `json:"floor,omitempty"`
}

// book is the ledger's state: what the records in the file add up to. Every
// change goes through apply, on the first day as when the file is read back.
type book struct {
	accounts map[string]*account
	prepared map[participant.Key]Payload
	// states has every prepared branch and the latest finished ones.
	states participant.MemoryStore
}

// account upholds Floor <= Balance - takes and Balance + adds <= MaxAmount.
type account struct {
	Account
	takes, adds int64 // what prepared branches take and add; not negative
}

// operation is the kind of a record.
type operation string

const (
	opSeed     operation = "seed"     // creates Account
	opPrepare  operation = "prepare"  // reserves Payload
	opCommit   operation = "commit"   // applies what is prepared, else Payload
	opRollback operation = "rollback" // releases what is prepared
	opForget   operation = "forget"   // raises the horizon to Transaction
)

// record is one change of the book.
type record struct {
	Op operation `json:"op"`
	// Coordinator is bytes because JSON would change a name that is not UTF-8.
	Coordinator []byte    `json:"coordinator,omitempty"`
	Transaction uuid.UUID `json:"transaction,omitzero"`
	Payload     *Payload  `json:"payload,omitempty"`
	Name        string    `json:"name,omitempty"`
	Account     *Account  `json:"account,omitempty"`
}

func newBook(limit int) *book {
	return &book{
		accounts: make(map[string]*account),
		prepared: make(map[participant.Key]Payload),
		states:   participant.MemoryStore{Limit: limit},
	}
}

// check says whether the entries can be reserved.
func (b *book) check(entries []Entry) error {
	for _, e := range entries {
		a := b.accounts[e.Account]
		if a == nil {
			return &UnknownAccountError{Account: e.Account}
		}
		have, room := a.Balance-a.Floor-a.takes, MaxAmount-a.Balance-a.adds
		if -e.Delta > have {
			return &InsufficientError{Account: e.Account, Have: have, Want: -e.Delta}
		}
		if e.Delta > room {
			return &OverflowError{Account: e.Account, Room: room, Want: e.Delta}
		}
	}
	return nil
}

// apply makes the change that a record stands for. The record was checked
// before it was made; one that does not fit shows that the file is not ours.
func (b *book) apply(r record) error {
	key := participant.Key{Coordinator: string(r.Coordinator), Transaction: r.Transaction}
	switch r.Op {
	case opSeed:
		if r.Account == nil || b.accounts[r.Name] != nil {
			return fmt.Errorf("ledger: account %q cannot be created", r.Name)
		}
		b.accounts[r.Name] = &account{Account: *r.Account}
		return nil
	case opForget:
		b.states.Forget(r.Transaction)
		return nil
	case opPrepare:
		return b.prepare(key, r.Payload)
	case opCommit:
		return b.commit(key, r.Payload)
	case opRollback:
		b.release(key)
		return b.enter(key, participant.RolledBack)
	default:
		return fmt.Errorf("ledger: unknown record %q", r.Op)
	}
}

func (b *book) prepare(k participant.Key, p *Payload) error {
	if p == nil {
		return fmt.Errorf("ledger: transaction %s is prepared without a payload", k.Transaction)
	}
	if err := b.check(p.Entries); err != nil {
		return err
	}
	b.prepared[k] = *p
	b.reserve(p.Entries, +1)
	return b.enter(k, participant.Prepared)
}

func (b *book) commit(k participant.Key, p *Payload) error {
	if prepared, ok := b.prepared[k]; ok {
		b.release(k)
		p = &prepared
	}
	if p != nil {
		if err := b.check(p.Entries); err != nil {
			return err
		}
		for _, e := range p.Entries {
			b.accounts[e.Account].Balance += e.Delta
		}
	}
	return b.enter(k, participant.Committed)
}

// release gives back what a branch has reserved, if it has.
func (b *book) release(k participant.Key) {
	b.reserve(b.prepared[k].Entries, -1)
	delete(b.prepared, k)
}

func (b *book) reserve(entries []Entry, sign int64) {
	for _, e := range entries {
		if a := b.accounts[e.Account]; e.Delta < 0 {
			a.takes -= sign * e.Delta
		} else {
			a.adds += sign * e.Delta
		}
	}
}

func (b *book) enter(k participant.Key, s participant.State) error {
	return b.states.Save(context.Background(), k, s)
}

// Replay and Snapshot make the book the state of a log.
func (b *book) Replay(data []byte) error {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	return b.apply(r)
}

func (b *book) Snapshot(add func([]byte)) {
	add(encode(record{Op: opForget, Transaction: b.states.Horizon()}))
	for name, a := range b.accounts {
		add(encode(record{Op: opSeed, Name: name, Account: &a.Account}))
	}
	for k, s := range b.states.All() {
		r := record{Coordinator: []byte(k.Coordinator), Transaction: k.Transaction}
		switch s {
		case participant.Prepared:
			p := b.prepared[k]
			r.Op, r.Payload = opPrepare, &p
		case participant.Committed:
			r.Op = opCommit
		case participant.RolledBack:
			r.Op = opRollback
		}
		add(encode(r))
	}
}

func encode(r record) []byte {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings, bytes and numbers always encode
	}
	return data
}
