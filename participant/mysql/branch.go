package mysql

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// Branch is the work of one transaction in the database, in an XA branch on a
// connection of its own. Its methods are those of *sql.Tx and *sql.Conn, without
// Commit and Rollback: the coordinator does that. One goroutine at a time should use
// it, and close its rows before it goes on.
type Branch struct {
	p      *Participant
	d      *dialect
	key    participant.Key
	xid    xid
	s      *session
	timer  *time.Timer
	worker string      // the name of the lock
	worked bool        // it was begun for Options.Work
	ready  atomic.Bool // the work is done, as far as that is ours to know

	life context.Context // ends with the branch, and its statements with it
	end  context.CancelFunc
	over sync.Once
	gone chan struct{} // closed when the connection is given back or closed

	// Whose turn it is at the branch executes a statement, and has what follows.
	prepared bool
	ended    bool
	cause    error   // why the branch cannot be prepared
	queried  bool    // rows may be open
	wrote    bool    // by ExecContext, as far as we know
	before   *uint64 // writes of the session before the first query
}

// Begin opens a branch for the transaction, in which the application does its work.
// The participant is enlisted, without payload, before that or after it. The
// transaction must be one of Options.Coordinator's. The branch takes a connection of
// the pool, until it is decided or Options.BranchTimeout has passed; where the
// participant is not enlisted in the end, call [Branch.Abandon]. The context bounds the
// call, not the branch.
//
// Begin waits for a connection as long as the context lets it, then it fails with a
// [*PoolError]. It refuses with participant.ErrRolledBack a transaction whose branch
// was rolled back, with participant.ErrCommitted one whose branch is committed, with
// a *participant.ForgottenError one before the horizon of [Participant.Purge], and
// with a [*BusyError] one that has a branch already.
func (p *Participant) Begin(ctx context.Context, id uuid.UUID) (*Branch, error) {
	if p.options.Coordinator == "" {
		return nil, &InvalidError{What: "Options.Coordinator", Reason: "is empty, and Begin needs it"}
	}
	k, err := p.key(ctx, participant.Branch{Coordinator: p.options.Coordinator, Transaction: id})
	if err != nil {
		return nil, err
	}
	if b := p.find(k); b != nil {
		return nil, &BusyError{Transaction: id, Connection: b.s.id}
	}
	b, state, err := p.begin(ctx, k, false)
	switch {
	case err != nil:
		return nil, err
	case state == participant.Prepared:
		return nil, &BusyError{Transaction: id}
	case state == participant.Committed:
		return nil, participant.ErrCommitted
	case state == participant.RolledBack:
		return nil, participant.ErrRolledBack
	}
	return b, nil
}

// ExecContext executes a statement in the branch. As in any transaction of this
// database, one that fails is undone alone, and the branch goes on, if the
// application goes on; but a deadlock, and the loss of the connection, which is also
// what the end of the context does to a statement that is under way, roll back the
// whole branch, and Prepare will say so.
func (b *Branch) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, leave, err := b.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave(true)
	b.wrote = true
	result, err := b.s.conn.ExecContext(ctx, query, args...)
	return result, b.note(err)
}

// QueryContext executes a query in the branch. The rows end with the branch, and
// must be closed before the next statement.
func (b *Branch) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx, leave, err := b.enter(ctx)
	if err != nil {
		return nil, err
	}
	b.queried = true
	b.weigh(ctx)
	rows, err := b.s.conn.QueryContext(ctx, query, args...)
	defer leave(err != nil)
	return rows, b.note(err)
}

// QueryRowContext executes a query that gives one row. Where the branch refuses, the
// row's error is context.Canceled.
func (b *Branch) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	inside, leave, err := b.enter(ctx)
	if err != nil {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		return b.p.db.QueryRowContext(ended, query, args...) // the only way to make a row
	}
	b.queried = true
	b.weigh(inside)
	row := b.s.conn.QueryRowContext(inside, query, args...)
	defer leave(row.Err() != nil)
	_ = b.note(row.Err())
	return row
}

// PrepareContext prepares a statement for use in the branch. Close it before the
// coordinator commits; it is closed with the connection at the latest.
func (b *Branch) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	ctx, leave, err := b.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave(true)
	b.wrote, b.queried = true, true // who knows
	statement, err := b.s.conn.PrepareContext(ctx, query)
	return statement, b.note(err)
}

// Transaction is the id of the transaction.
func (b *Branch) Transaction() uuid.UUID { return b.key.Transaction }

// Abandon rolls the branch back where the participant has not been enlisted, and
// frees its connection. Once it is prepared, Abandon does nothing: the coordinator
// decides.
func (b *Branch) Abandon() {
	if b.p.turns.Take(b.life, b) != nil {
		return // it has ended
	}
	defer b.p.turns.End(b)
	if !b.prepared {
		b.drop()
	}
}

// enter begins a statement. Its context ends with the branch, too. After the
// statement comes leave: with true when nothing needs that context any more.
func (b *Branch) enter(ctx context.Context) (context.Context, func(bool), error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := b.p.turns.Take(ctx, b); err != nil {
		return nil, nil, err
	}
	if err := b.refusal(); err != nil {
		b.p.turns.End(b)
		return nil, nil, err
	}
	inside, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.life, cancel)
	return inside, func(done bool) {
		b.p.turns.End(b)
		if done {
			stop()
			cancel()
		}
	}, nil
}

func (b *Branch) refusal() error {
	switch {
	case b.cause != nil:
		return b.cause
	case b.prepared, b.ended, b.life.Err() != nil:
		return ErrBranchEnded
	case b.queried && b.s.busy():
		return ErrRowsOpen
	}
	return nil
}

// note keeps an error after which the branch is not what the application means it
// to be. The server says so itself at XA END; this is to say why.
func (b *Branch) note(err error) error {
	if b.cause == nil && (number(err) == errDeadlock || lost(err)) {
		b.cause = err
	}
	return err
}

// drop ends the branch here and closes its connection: the server rolls it back,
// unless it is prepared.
func (b *Branch) drop() {
	b.over.Do(func() {
		b.leave()
		closed := b.s.discard()
		go func() {
			<-closed
			close(b.gone)
		}()
	})
}

// release ends the branch here, when nothing is left of it in the session. False
// says that what the session has written after it may not be committed.
func (b *Branch) release(ctx context.Context) (clean bool) {
	b.over.Do(func() {
		b.ended = true
		b.leave()
		clean = b.s.release(ctx, b.worker)
		close(b.gone)
	})
	return clean
}

func (b *Branch) leave() {
	b.timer.Stop()
	b.end()
	b.p.remove(b)
}

// expire is called when the branch has held its connection for BranchTimeout.
func (b *Branch) expire() {
	_ = b.p.turns.Take(context.Background(), b) // held for one call's time
	defer b.p.turns.End(b)
	if !b.prepared && b.cause == nil {
		b.cause = &TimeoutError{Transaction: b.key.Transaction, BranchTimeout: b.p.options.BranchTimeout}
	}
	b.drop()
}

// do makes f at the branch's connection, whose turn it takes. It does not wait for
// f longer than the context lets it: the connection may be in the hands of a
// statement that the application has prepared and that waits for something else.
func (b *Branch) do(ctx context.Context, f func() error) error {
	if err := b.p.turns.Take(ctx, b); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer b.p.turns.End(b)
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		b.end()
		return ctx.Err()
	}
}
