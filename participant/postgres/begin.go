package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-d36415c0/dtc/participant"
)

// Begin opens the transaction's branch and gives what the application works in
// it with, as [Participant.BeginTx] with Options.TxOptions.
func (p *Participant) Begin(ctx context.Context, id uuid.UUID) (pgx.Tx, error) {
	return p.BeginTx(ctx, id, p.options.TxOptions)
}

// BeginTx opens the transaction's branch, or gives the one that is open in this
// process. The context bounds the wait for a connection, not the branch. The
// value that it gives is a pgx.Tx whose Commit and Rollback are refused with
// [*CoordinatorDecidesError]; after the branch is prepared or over its calls
// answer a [*BranchError] that is pgx.ErrTxClosed. Like every pgx.Tx, it takes one
// call at a time.
//
// It fails with [*PoolError] when no connection is free in time, with
// participant.ErrRolledBack where the branch was rolled back in this process
// already, with [*BranchError] where it is open with other options, and with
// [*OptionError].
func (p *Participant) BeginTx(ctx context.Context, id uuid.UUID, o pgx.TxOptions) (pgx.Tx, error) {
	if o.CommitQuery != "" {
		return nil, &OptionError{"TxOptions.CommitQuery", o.CommitQuery, "the coordinator decides"}
	}
	if err := checkID(id); err != nil {
		return nil, err
	}
	for {
		b, mine, err := p.enter(ctx, id, o)
		switch {
		case err != nil:
			return nil, err
		case mine:
			if err := p.begin(ctx, b); err != nil {
				return nil, err
			}
		default:
			if err := b.wait(ctx); err != nil {
				return nil, err
			}
			if b.failed != nil {
				continue // whoever opened it gave up: it is not in the way any more
			}
		}
		if b.options != o {
			return nil, b.refusal("it is open with other TxOptions", nil)
		}
		return b.handle, nil
	}
}

// enter finds the transaction's branch, or makes the place for it.
func (p *Participant) enter(ctx context.Context, id uuid.UUID, o pgx.TxOptions) (b *branch, mine bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false, ErrClosed
	}
	if b := p.branches[id]; b != nil {
		return b, false, nil
	}
	if p.hasEnded(id) == participant.RolledBack {
		return nil, false, fmt.Errorf("postgres: begin a branch of transaction %s: %w", id, participant.ErrRolledBack)
	}
	b = newBranch(id, o)
	p.branches[id] = b
	return b, true, nil
}

// begin opens a branch that has its place already.
func (p *Participant) begin(ctx context.Context, b *branch) (err error) {
	defer func() {
		if b.failed = err; err != nil {
			p.mu.Lock()
			delete(p.branches, b.id)
			p.mu.Unlock()
		} else {
			b.timer = time.AfterFunc(p.options.BranchTimeout, func() {
				p.abandon(b, fmt.Sprintf("it was open for longer than Options.BranchTimeout, %v", p.options.BranchTimeout))
			})
		}
		close(b.opened)
	}()
	return p.connect(ctx, "a branch", func(conn *pgxpool.Conn) error {
		return b.open(ctx, conn, p.tag(b.id), "")
	})
}

// connect takes a connection from the application's pool and makes the first calls
// on it. One that turns out to be lost is replaced, for nothing has been done: a
// server that was started again leaves a pool of such ones.
func (p *Participant) connect(ctx context.Context, purpose string, first func(*pgxpool.Conn) error) error {
	for left := p.pool.Stat().MaxConns(); ; left-- {
		conn, err := acquire(ctx, p.pool, purpose)
		if err != nil {
			return err
		}
		if err = first(conn); err == nil {
			return nil
		}
		conn.Release()
		if left == 0 || ctx.Err() != nil || !lost(err) {
			return err
		}
	}
}

func (b *branch) wait(ctx context.Context) error {
	select {
	case <-b.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take finds the transaction's open branch, and makes the caller the one that
// ends it. It returns nil where there is none.
func (p *Participant) take(ctx context.Context, id uuid.UUID) (*branch, error) {
	p.mu.Lock()
	b, closed := p.branches[id], p.closed
	p.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case b == nil:
		return nil, nil
	}
	if err := b.wait(ctx); err != nil {
		return nil, err
	}
	if b.failed != nil || !p.remove(b) {
		return nil, nil
	}
	return b, nil
}

// remove takes the branch from those that are open, for one caller only.
func (p *Participant) remove(b *branch) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.branches[b.id] != b {
		return false
	}
	delete(p.branches, b.id)
	b.timer.Stop()
	return true
}

// abandonTimeout bounds the rollback of a branch that nobody waits for.
const abandonTimeout = 5 * time.Second

// abandon rolls back a branch that nobody will settle.
func (p *Participant) abandon(b *branch, reason string) {
	ctx, cancel := context.WithTimeout(context.Background(), abandonTimeout)
	defer cancel()
	if b.wait(ctx) != nil || b.failed != nil || !p.remove(b) {
		return
	}
	b.end(ctx, reason)
	p.setEnded(b.id, participant.RolledBack)
}

// hasEnded tells what is remembered in memory of a branch that is over.
func (p *Participant) hasEnded(id uuid.UUID) participant.State {
	s, _ := p.ended.Load(context.Background(), participant.Key{Transaction: id}) // never fails
	return s
}

func (p *Participant) setEnded(id uuid.UUID, s participant.State) {
	_ = p.ended.Save(context.Background(), participant.Key{Transaction: id}, s) // never fails
}

// acquire takes a connection from the pool.
func acquire(ctx context.Context, pool *pgxpool.Pool, purpose string) (*pgxpool.Conn, error) {
	conn, err := pool.Acquire(ctx)
	if err == nil {
		return conn, nil
	}
	if s := pool.Stat(); ctx.Err() != nil && s.AcquiredConns() >= s.MaxConns() {
		return nil, &PoolError{Max: s.MaxConns(), For: purpose, Err: err}
	}
	return nil, fmt.Errorf("postgres: connect: %w", err)
}
