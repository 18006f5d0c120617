package mysql

import (
	"context"
	"fmt"

	"github.com/seed-d36415c0/dtc/participant"
)

// Prepare implements participant.Preparer. It prepares the branch that the
// application has begun or, where there is a payload, calls Options.Work first. It
// votes participant.ErrReadOnly where nothing was written.
//
// It refuses with a [*NotBegunError] a branch that has no work here, with
// participant.ErrRolledBack and *participant.ForgottenError as the contract says,
// with a [*TimeoutError] one that was held for too long, with a [*BusyError] one that
// another process is working on, and with the error of a statement that has ended the
// branch. A refused branch is rolled back.
func (p *Participant) Prepare(ctx context.Context, branch participant.Branch) error {
	k, err := p.key(ctx, branch)
	if err != nil {
		return err
	}
	b, state, err := p.obtain(ctx, k, branch)
	if err != nil {
		return err
	}
	if b == nil {
		switch state {
		case participant.RolledBack:
			return participant.ErrRolledBack
		case participant.ReadOnly:
			return participant.ErrReadOnly
		}
		return nil // prepared, or committed since
	}
	err = b.do(ctx, func() error { return b.prepare(ctx) })
	if err != nil {
		b.drop()
	}
	return err
}

func (b *Branch) prepare(ctx context.Context) error {
	switch {
	case b.prepared:
		return nil
	case !b.ready.Load():
		return &BusyError{Transaction: b.key.Transaction, Connection: b.s.id}
	}
	if err := b.refusal(); err != nil {
		return fmt.Errorf("mysql: the branch is rolled back: %w", err)
	}
	idle, err := b.readOnly(ctx)
	if err != nil {
		return explained("prepare", err)
	}
	if idle {
		if b.undo(ctx) == nil {
			b.release(ctx)
		}
		return participant.ErrReadOnly
	}
	if err := b.mark(ctx); err != nil {
		return err
	}
	if err := b.s.exec(ctx, "XA PREPARE "+b.xid.String()); err != nil {
		return explained("prepare", err)
	}
	b.prepared = true
	if b.d.detaches {
		b.release(ctx)
	}
	return nil
}

// mark writes the branch's marker, the row that will be seen when, and only when,
// the branch is committed, and ends the branch's work. A fence in that place refuses.
func (b *Branch) mark(ctx context.Context) error {
	err := b.s.insert(ctx, b.d, b.key, 1)
	if number(err) == errDuplicate {
		return participant.ErrRolledBack
	}
	if err == nil {
		err = b.s.exec(ctx, "XA END "+b.xid.String())
	}
	if err != nil {
		return explained("end the work", err)
	}
	return nil
}

// cancel rolls back a branch whose work was refused, if it can so that its connection
// can be used again.
func (b *Branch) cancel(ctx context.Context) {
	b.end() // its rows, too
	err := b.do(ctx, func() error {
		err := b.undo(ctx)
		if err == nil {
			b.release(ctx)
		}
		return err
	})
	if err != nil {
		b.drop()
	}
}

// undo rolls the branch back in its own session. The server refuses XA END in a
// branch that can only be rolled back, and where it has come already.
func (b *Branch) undo(ctx context.Context) error {
	if !b.prepared {
		if err := b.s.exec(ctx, "XA END "+b.xid.String()); err != nil && number(err) == 0 {
			return err
		}
	}
	return b.s.exec(ctx, "XA ROLLBACK "+b.xid.String())
}

// readOnly tells whether the branch has written nothing: it had no statement at all,
// or had queries alone and the server counts no row written, changed or deleted
// since, not even by a function or trigger.
func (b *Branch) readOnly(ctx context.Context) (bool, error) {
	if b.wrote || b.before == nil {
		return !b.wrote, nil
	}
	now, err := b.s.writes(ctx)
	return err == nil && now == *b.before, err
}

// weigh asks, before the first query, how much the session has written in its life.
// It costs the server some time, so it is left out where a statement came first.
func (b *Branch) weigh(ctx context.Context) {
	if b.wrote || b.before != nil {
		return
	}
	n, err := b.s.writes(ctx)
	b.before, b.wrote = &n, err != nil // who knows
}

func (s *session) writes(ctx context.Context) (sum uint64, err error) {
	query := "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_write', 'Handler_update', 'Handler_delete')"
	counters := 0
	err = s.rows(ctx, query, func(scan func(...any) error) error {
		var name string
		var n uint64
		if err := scan(&name, &n); err != nil {
			return err
		}
		counters++
		sum += n
		return nil
	})
	if err == nil && counters != 3 {
		err = fmt.Errorf("mysql: the server shows %d of 3 counters of writes", counters)
	}
	return sum, err
}
