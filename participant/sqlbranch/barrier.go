package sqlbranch

import (
	"context"
	"database/sql"
	"errors"
)

// barrier is one row of a table, which says what has happened under its key.
type barrier struct {
	table
	key []any
	// first are the values that a new row needs beside its key.
	first []any
	// found are where a claim puts what the row holds.
	found []any
}

// change is what becomes of a row, together with the work that it stands for.
type change struct {
	set  []any
	work func(context.Context, *sql.Tx) error // nil for none
}

// errUnchanged ends a transaction that has nothing to change.
var errUnchanged = errors.New("sqlbranch: unchanged")

// pass claims the row, asks decide what to make of what was found, and makes that
// change, with its work, in one local transaction. Where decide returns no change,
// its error is the answer and nothing is written.
func (d Database) pass(ctx context.Context, b barrier, decide func(*sql.Tx) (*change, error)) error {
	err := d.transact(ctx, func(tx *sql.Tx) error {
		if err := b.claim(ctx, tx); err != nil {
			return wrapped("claim", err)
		}
		c, err := decide(tx)
		if err != nil {
			return err
		}
		if c == nil {
			return errUnchanged
		}
		return b.make(ctx, tx, c)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// claim is the first statement of its transaction: at a level that reads from a
// snapshot, that of a transaction which had to wait is then found to be old, and the
// transaction is made again.
func (b *barrier) claim(ctx context.Context, tx *sql.Tx) error {
	first := append(append([]any{}, b.key...), b.first...)
	if b.read == "" {
		return tx.QueryRowContext(ctx, b.table.claim, first...).Scan(b.found...)
	}
	if _, err := tx.ExecContext(ctx, b.table.claim, first...); err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, b.read, b.key...).Scan(b.found...)
}

// make writes the new values before it works: a function that, against the rules,
// commits its transaction itself then leaves a row that is true.
func (b *barrier) make(ctx context.Context, tx *sql.Tx, c *change) error {
	if _, err := tx.ExecContext(ctx, b.set, append(append([]any{}, c.set...), b.key...)...); err != nil {
		return wrapped("set", err)
	}
	if c.work == nil {
		return nil
	}
	if err := c.work(ctx, tx); err != nil {
		return err
	}
	if b.holds == "" {
		return nil
	}
	var one int
	err := tx.QueryRowContext(ctx, b.holds, append([]any{c.set[0]}, b.key...)...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrTransactionEnded
	}
	if err != nil {
		return wrapped("check", err)
	}
	return nil
}
