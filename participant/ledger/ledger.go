package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/internal/wal"
)

// Options of [Open]. The zero value is ready.
type Options struct {
	// Limit is how many finished branches are remembered; zero or less means
	// participant.DefaultLimit. It should cover what finishes in the time in
	// which a call can come late.
	Limit int
	// Create makes an empty file for writing, in place of any that is there; nil
	// means in the file system. Tests put one that fails here.
	Create func(path string) (File, error)

	slack int64 // see wal.Options
}

// File is a file that the ledger writes. After an error the ledger makes no
// further call but Close.
type File = wal.File

const format = "dtc ledger 1"

// Ledger is a participant that keeps balances. Its methods may be called by
// many goroutines.
type Ledger struct {
	name string
	log  *wal.Log
	book *book // guarded by the log
}

var (
	_ participant.OnePhaseCommitter = (*Ledger)(nil)
	_ participant.Recoverer         = (*Ledger)(nil)
)

// Open opens the ledger at path, or creates it, and locks it until Close: a
// second Open fails with [ErrLocked]. The name is the participant's. The
// directory must exist; beside the file, a path.lock is left there. A nil
// Options means the zero one.
func Open(name, path string, o *Options) (*Ledger, error) {
	if o == nil {
		o = new(Options)
	}
	b := newBook(o.Limit)
	log, err := wal.Open(path, b, wal.Options{Format: format, Create: o.Create, Slack: o.slack})
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &Ledger{name: name, log: log, book: b}, nil
}

// Close releases the file. A second Close is harmless.
func (l *Ledger) Close() error { return l.log.Close() }

// Name implements participant.Participant.
func (l *Ledger) Name() string { return l.name }

// Prepare implements participant.Preparer. It refuses with [*PayloadError],
// [*UnknownAccountError], [*InsufficientError] or [*OverflowError]; a refusal
// leaves no trace.
func (l *Ledger) Prepare(ctx context.Context, b participant.Branch) error {
	return l.step(ctx, b, func(s participant.State) (*record, error) {
		switch s {
		case participant.Prepared, participant.Committed:
			return nil, nil
		case participant.RolledBack:
			return nil, participant.ErrRolledBack
		case participant.Forgotten:
			return nil, &participant.ForgottenError{Transaction: b.Transaction}
		}
		p, err := l.accept(b)
		if err != nil {
			return nil, err
		}
		if len(p.Entries) == 0 {
			return nil, participant.ErrReadOnly
		}
		return &record{Op: opPrepare, Payload: p}, nil
	})
}

// Commit implements participant.Participant.
func (l *Ledger) Commit(ctx context.Context, b participant.Branch) error {
	return l.step(ctx, b, func(s participant.State) (*record, error) {
		switch s {
		case participant.Prepared:
			return &record{Op: opCommit}, nil
		case participant.RolledBack:
			return nil, participant.ErrRolledBack
		case participant.Unknown:
			return nil, participant.ErrNotPrepared
		}
		return nil, nil // committed; a forgotten branch too, for it is not prepared any more
	})
}

// Rollback implements participant.Participant. It refuses a committed branch
// with participant.ErrCommitted.
func (l *Ledger) Rollback(ctx context.Context, b participant.Branch) error {
	return l.step(ctx, b, func(s participant.State) (*record, error) {
		switch s {
		case participant.Unknown, participant.Prepared:
			return &record{Op: opRollback}, nil
		case participant.Committed:
			return nil, participant.ErrCommitted
		}
		return nil, nil // rolled back, or forgotten and so not prepared
	})
}

// CommitOnePhase implements participant.OnePhaseCommitter. A refusal wraps, beside
// what Prepare would have said, participant.ErrRolledBack: it is final.
func (l *Ledger) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	return l.step(ctx, b, func(s participant.State) (*record, error) {
		switch s {
		case participant.Committed:
			return nil, nil
		case participant.RolledBack:
			return nil, participant.ErrRolledBack
		case participant.Forgotten:
			return nil, &participant.ForgottenError{Transaction: b.Transaction}
		case participant.Prepared:
			return &record{Op: opCommit}, nil
		}
		p, err := l.accept(b)
		if err != nil {
			return &record{Op: opRollback}, errors.Join(participant.ErrRolledBack, err)
		}
		return &record{Op: opCommit, Payload: p}, nil
	})
}

// Committed implements participant.OnePhaseCommitter. A branch that is not
// committed is rolled back by it.
func (l *Ledger) Committed(ctx context.Context, b participant.Branch) (committed bool, err error) {
	err = l.step(ctx, b, func(s participant.State) (*record, error) {
		switch s {
		case participant.Unknown, participant.Prepared:
			return &record{Op: opRollback}, nil
		case participant.Forgotten:
			return nil, &participant.ForgottenError{Transaction: b.Transaction}
		}
		committed = s == participant.Committed
		return nil, nil
	})
	return committed && err == nil, err
}

// accept reads the branch's payload and checks it against the balances.
func (l *Ledger) accept(b participant.Branch) (*Payload, error) {
	p, err := Decode(b.Payload)
	if err != nil {
		return nil, err
	}
	if err := l.book.check(p.Entries); err != nil {
		return nil, err
	}
	return &p, nil
}

// step asks decide what the branch's state calls for, makes that change, and
// returns decide's error when everything is on stable storage.
func (l *Ledger) step(ctx context.Context, b participant.Branch, decide func(participant.State) (*record, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.log.Do(func(add func([]byte)) error {
		s, err := l.state(ctx, b.Coordinator, b.Transaction)
		if err != nil {
			return err
		}
		change, answer := decide(s)
		if change == nil {
			return answer
		}
		change.Coordinator, change.Transaction = []byte(b.Coordinator), b.Transaction
		if err := l.book.apply(*change); err != nil {
			return err
		}
		add(encode(*change))
		return answer
	})
}

func (l *Ledger) state(ctx context.Context, coordinator string, id uuid.UUID) (participant.State, error) {
	return l.book.states.Load(ctx, participant.Key{Coordinator: coordinator, Transaction: id})
}
