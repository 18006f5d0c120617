package mysql

import (
	"context"
	"errors"
	"time"

	"github.com/seed-d36415c0/dtc/participant"
)

// verb is what settle is to do with a prepared branch, and whether it may do without
// knowledge of one that has left no trace.
type verb int

const (
	commit verb = iota
	rollback
	ask // like rollback, but the answer must be known
)

func (v verb) statement() string {
	if v == commit {
		return "XA COMMIT "
	}
	return "XA ROLLBACK "
}

// settle brings a branch to its end from a session that did not work in it, and
// returns what it has become: Committed or RolledBack. It is used where the session
// that did is lost, or is another process's.
//
// Nothing is guessed. First the worker's session is made sure to have ended, or it
// could still be at work. Then the branch's row decides: a marker says that it is
// committed, a fence that it is not. If the row is held by a branch, that is prepared,
// and is told to commit or to roll back; if it is still being undone, it is looked at
// again. If there is no row, a fence is put there.
func (p *Participant) settle(ctx context.Context, k participant.Key, v verb) (participant.State, error) {
	d, err := p.learn(ctx)
	if err != nil {
		return 0, err
	}
	worker, judge := lockNames(k, d.database)
	s, locked, err := p.connectAndLock(ctx, judge)
	if err != nil {
		return 0, err
	}
	if !locked {
		err = s.seize(ctx, judge, 1)
	}
	if err == nil {
		err = s.seize(ctx, worker, 0)
	}
	var state participant.State
	if err == nil {
		state, err = s.settle(ctx, p, d, k, v)
	}
	if err != nil {
		s.discard() // it may be anywhere
		return state, err
	}
	s.release(ctx, worker, judge)
	return state, nil
}

// settle is called with both locks held.
func (s *session) settle(ctx context.Context, p *Participant, d *dialect, k participant.Key, v verb) (participant.State, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		state, err := s.read(ctx, d, k)
		if err == nil && state == participant.Forgotten && v != rollback {
			return 0, &participant.ForgottenError{Transaction: k.Transaction}
		}
		if err == nil && !state.Settled() {
			state, err = s.fence(ctx, d, k)
		}
		if err == nil {
			return state, nil
		}
		if errors.Is(err, errHeld) {
			err = s.finish(ctx, p, d, k, v)
		}
		if err != nil {
			return 0, err
		}
		if err := pause(ctx, wait); err != nil {
			return 0, &BusyError{Transaction: k.Transaction, Err: err}
		}
	}
}

// finish tells a prepared branch what to do. Whether it has done so is read from the
// row: a server that does not know the branch, or not yet, or not any more, says the
// same.
func (s *session) finish(ctx context.Context, p *Participant, d *dialect, k participant.Key, v verb) error {
	x, found, err := s.find(ctx, d, k)
	if err != nil || !found {
		return err
	}
	if !d.detaches {
		tied, err := p.tied(ctx, s, x)
		if err != nil || tied {
			return err
		}
	}
	err = s.exec(ctx, v.statement()+x.String())
	if number(err) != 0 {
		return nil // 1397, 1402 …
	}
	return err
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
