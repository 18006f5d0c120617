package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// branch is an open transaction of the database that is a branch. The
// application's calls come through handle, one at a time; whoever has taken the
// branch from the participant ends it, once.
type branch struct {
	id      uuid.UUID
	options pgx.TxOptions

	opened chan struct{} // closed when the fields below are there, or failed is
	failed error
	conn   *pgxpool.Conn
	net    net.Conn // conn's, to interrupt a call
	handle *tx
	timer  *time.Timer // where it may be open for so long only

	turn        chan struct{} // holds a token while the fields below are in use
	wrote       bool          // it has a transaction id, for it changed rows
	failure     error         // why its transaction cannot go on, as far as known
	over        error         // what calls are answered; nil while it is open
	taken       atomic.Bool   // the application has no more say
	interrupted atomic.Bool
	// exposed: the application has got at the connection, past handle.
	exposed atomic.Bool
}

func newBranch(id uuid.UUID, o pgx.TxOptions) *branch {
	return &branch{id: id, options: o, opened: make(chan struct{}), turn: make(chan struct{}, 1)}
}

// open begins the transaction on the connection, which is the branch's from then
// on, and makes the claim; it may be empty.
func (b *branch) open(ctx context.Context, conn *pgxpool.Conn, tag, claim string) error {
	begin := beginSQL(b.options) + "; SET LOCAL application_name TO '" + tag + "'" + claim
	inner, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return fmt.Errorf("postgres: begin: %w", explain(callWork, err))
	}
	b.conn, b.net = conn, conn.Conn().PgConn().Conn()
	b.handle = &tx{branch: b, inner: inner}
	return nil
}

func beginSQL(o pgx.TxOptions) string {
	if o.BeginQuery != "" {
		return o.BeginQuery
	}
	sql := "BEGIN"
	if o.IsoLevel != "" {
		sql += " ISOLATION LEVEL " + string(o.IsoLevel)
	}
	if o.AccessMode != "" {
		sql += " " + string(o.AccessMode)
	}
	if o.DeferrableMode != "" {
		sql += " " + string(o.DeferrableMode)
	}
	return sql
}

const inUse = "another call of the application is under way: wait for it"

func (b *branch) refusal(reason string, err error) *BranchError {
	return &BranchError{Transaction: b.id, Reason: reason, Err: err}
}

// enter takes the turn for a call of the application. Like a pgx.Tx, a branch
// does not queue calls.
func (b *branch) enter() error {
	select {
	case b.turn <- struct{}{}:
	default:
		if b.taken.Load() {
			return b.refusal("it is being ended", pgx.ErrTxClosed)
		}
		return b.refusal(inUse, nil)
	}
	if b.over != nil {
		b.pass()
		return b.over
	}
	return nil
}

// leave gives the turn back after a call with this outcome, and returns what the
// application is told.
func (b *branch) leave(tag pgconn.CommandTag, err error) error {
	defer b.pass()
	b.note(tag, err)
	if err != nil && b.interrupted.Load() {
		return b.refusal("it was ended while the call was under way", errors.Join(pgx.ErrTxClosed, err))
	}
	return err
}

// note keeps what the vote depends on. Rows are changed only by a transaction
// with an id. That none were does not say that it has none.
func (b *branch) note(tag pgconn.CommandTag, err error) {
	if tag.RowsAffected() > 0 && !tag.Select() && (tag.Insert() || tag.Update() || tag.Delete()) {
		b.wrote = true
	}
	if pg := b.conn.Conn().PgConn(); pg.TxStatus() == inTransaction && !pg.IsClosed() {
		b.failure = nil
	} else if b.failure == nil {
		b.failure = err
	}
}

// States of a connection, as the server tells them.
const (
	idle          = 'I'
	inTransaction = 'T'
)

// fit says whether the branch can be prepared as the application left it.
func (b *branch) fit() error {
	pg := b.conn.Conn().PgConn()
	switch {
	case pg.IsClosed():
		return b.refusal("its connection was lost", explain(callWork, b.failure))
	case pg.IsBusy():
		return b.refusal("rows or batch results are still open: close them", nil)
	case pg.TxStatus() == idle:
		return b.refusal("a statement of the application's own ended its transaction: leave COMMIT and ROLLBACK to the coordinator", nil)
	case pg.TxStatus() != inTransaction:
		return b.refusal("a statement failed, and the transaction with it: return the error, or use a savepoint", explain(callWork, b.failure))
	}
	return nil
}

// long ago: a deadline that has passed.
var past = time.Unix(1, 0)

// end rolls the branch back, and interrupts a call of the application that is
// under way. Only whoever has taken the branch calls it. clean tells that the
// server has acknowledged it.
func (b *branch) end(ctx context.Context, reason string) (clean bool) {
	b.taken.Store(true)
	select {
	case b.turn <- struct{}{}:
		defer b.pass()
		return b.undo(ctx, reason)
	default:
	}
	b.interrupted.Store(true)
	_ = b.net.SetDeadline(past) // the call's own error is what counts
	select {
	case b.turn <- struct{}{}:
		defer b.pass()
		return b.undo(ctx, reason)
	case <-ctx.Done():
		// The call waits for something of the application's own.
		go func() {
			b.turn <- struct{}{}
			defer b.pass()
			b.undo(ctx, reason)
		}()
		return false
	}
}

// pass gives the turn back.
func (b *branch) pass() { <-b.turn }

// undo rolls back and gives the connection up. The caller has the turn.
func (b *branch) undo(ctx context.Context, reason string) (clean bool) {
	b.over = b.refusal(reason, pgx.ErrTxClosed)
	if pg := b.conn.Conn().PgConn(); !pg.IsClosed() && !pg.IsBusy() && !b.interrupted.Load() {
		clean = pg.TxStatus() == idle
		if !clean {
			_, err := b.conn.Exec(ctx, "ROLLBACK")
			clean = err == nil
		}
	}
	b.release(ctx)
	return clean
}

// release gives the connection back, or closes it where it is not clean, has a
// deadline that has passed, or may still be in the application's hands.
func (b *branch) release(ctx context.Context) {
	if b.exposed.Load() || b.interrupted.Load() {
		_ = b.conn.Conn().Close(ctx)
	}
	b.conn.Release()
}
