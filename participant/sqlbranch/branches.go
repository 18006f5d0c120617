package sqlbranch

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// Work is what a branch does in the database, in a local transaction of its own.
// An error rolls that transaction back. Many goroutines may call a Work, and the
// same branch's may be called again: see the package's rules.
type Work func(ctx context.Context, tx *sql.Tx, b participant.Branch) error

// branches are the rows of one participant.
type branches struct {
	name string
	db   Database
}

func newBranches(name string, db Database) (branches, error) {
	if name == "" {
		return branches{}, &InvalidError{Field: "name", Reason: "is empty"}
	}
	if err := checkText("name", name, maxName); err != nil {
		return branches{}, err
	}
	return branches{name: name, db: db}, db.check()
}

// Name implements participant.Participant.
func (p *branches) Name() string { return p.name }

// transition is the state to which a branch goes, together with the work that
// brings it there.
type transition struct {
	to   participant.State
	work Work // nil for none
}

// step claims the branch's row, asks decide what its state calls for, and makes
// that transition in the same local transaction. Where decide returns none, its
// error is the answer.
func (p *branches) step(ctx context.Context, b participant.Branch, decide func(participant.State) (*transition, error)) error {
	if err := checkBranch(b); err != nil {
		return err
	}
	var r row
	key := []any{b.Transaction.String(), p.name, b.Coordinator}
	slot := barrier{table: p.db.texts().branch, key: key, found: []any{&r.state, &r.payload, &r.horizon}}
	return p.db.pass(ctx, slot, func(tx *sql.Tx) (*change, error) {
		s, err := p.state(ctx, tx, b.Transaction, r)
		if err != nil {
			return nil, err
		}
		t, err := decide(s)
		if t == nil || err != nil {
			return nil, err
		}
		return t.change(b, s, r), nil
	})
}

// row is what a branch's row holds, and the horizon as it was then.
type row struct {
	state   string
	payload []byte
	horizon uuid.NullUUID
}

var states = map[string]participant.State{
	"new":                           participant.Unknown,
	participant.Prepared.String():   participant.Prepared,
	participant.Committed.String():  participant.Committed,
	participant.RolledBack.String(): participant.RolledBack,
}

func (p *branches) state(ctx context.Context, tx *sql.Tx, id uuid.UUID, r row) (participant.State, error) {
	s, ok := states[r.state]
	if !ok {
		return 0, fmt.Errorf("sqlbranch: transaction %s has the state %q in dtc_sqlbranch, which is none", id, r.state)
	}
	if s != participant.Unknown {
		return s, nil
	}
	horizon := r.horizon
	if query := p.db.texts().horizon; query != "" && time.Since(begun(id)) > minAge/2 {
		err := tx.QueryRowContext(ctx, query).Scan(&horizon)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, wrapped("horizon", err)
		}
	}
	switch {
	case !horizon.Valid:
		return 0, errors.New("sqlbranch: dtc_sqlbranch_horizon is empty: call Migrate")
	case bytes.Compare(id[:], horizon.UUID[:]) <= 0:
		return participant.Forgotten, nil
	}
	return s, nil
}

// change is the transition as the table has it. The payload stays in the row while
// the branch is prepared: who ends it need not know it.
func (t *transition) change(b participant.Branch, from participant.State, r row) *change {
	var keep []byte
	if t.to == participant.Prepared {
		keep = b.Payload
	}
	if from == participant.Prepared {
		b.Payload = r.payload
	}
	c := &change{set: []any{t.to.String(), keep}}
	if t.work != nil {
		c.work = func(ctx context.Context, tx *sql.Tx) error { return t.work(ctx, tx, b) }
	}
	return c
}
