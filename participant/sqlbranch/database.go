package sqlbranch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Database is an SQL database. It is a small value: fill it in, and copy it as you
// like. The DB stays the application's, to configure and to close.
type Database struct {
	// DB is the pool of connections. Each call takes one connection of it.
	DB *sql.DB
	// Dialect is the database's. It must be set.
	Dialect Dialect
	// Isolation is the level at which functions work; zero means the database's
	// default. Higher levels mean that functions are called again more often. The
	// driver must know it: modernc.org/sqlite takes every level for serializable,
	// which is what SQLite has.
	Isolation sql.IsolationLevel
	// Retryable tells of an error of the driver that the transaction was in conflict
	// with another and may be made again, beside those that the package knows by
	// itself; nil means none.
	Retryable func(error) bool
}

func (d Database) check() error {
	switch {
	case d.DB == nil:
		return &InvalidError{Field: "Database.DB", Reason: "is nil"}
	case d.texts() == nil:
		return &InvalidError{Field: "Database.Dialect", Reason: fmt.Sprintf("is %v: set PostgreSQL, MySQL or SQLite", d.Dialect)}
	}
	return nil
}

func (d Database) texts() *texts { return dialects[d.Dialect] }

// retryFor is how long a transaction that is in conflict with others is made
// again.
const retryFor = 10 * time.Second

// transact makes a local transaction of work: all of it if transact returns nil,
// none of it if work fails or panics, and nobody knows after a *CommitError. It is
// made again while it is in conflict with others.
func (d Database) transact(ctx context.Context, work func(*sql.Tx) error) error {
	if err := d.check(); err != nil {
		return err
	}
	return d.again(ctx, func() error { return d.attempt(ctx, work) })
}

// again makes an attempt, and makes it again while it is in conflict with others.
func (d Database) again(ctx context.Context, attempt func() error) error {
	giveUp := time.Now().Add(retryFor)
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := attempt()
		if err == nil || !d.retryable(err) || time.Now().After(giveUp) || !pause(ctx, wait) {
			return because(ctx, err)
		}
	}
}

// attempt makes the transaction once.
func (d Database) attempt(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := d.DB.BeginTx(ctx, &sql.TxOptions{Isolation: d.Isolation})
	if err != nil {
		return wrapped("begin", err)
	}
	ended := false
	defer func() {
		if !ended {
			_ = end(ctx, tx.Rollback) // what failed is said already
		}
	}()
	if err := work(tx); err != nil {
		return err
	}
	ended = true
	if err := end(ctx, tx.Commit); err != nil {
		return &CommitError{Err: err}
	}
	return nil
}

// end commits or rolls back. Neither takes a context, and a driver may wait for an
// answer for as long as its server is silent. A connection that is left waiting
// goes back to the pool when the answer comes or the connection breaks.
func end(ctx context.Context, call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// because adds that the context has ended to what a driver made of that.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w (%w)", err, ctx.Err())
}
