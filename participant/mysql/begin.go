package mysql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-d36415c0/dtc/participant"
)

// begin opens a branch on a connection of its own, if nothing is known of it;
// otherwise it returns its state.
//
// The order matters. Whoever has the worker's lock has the branch to himself until
// his session ends, and what he reads after that (the row, and the horizon) cannot
// change but by a fence, which then refuses his marker: see Purge.
func (p *Participant) begin(ctx context.Context, k participant.Key, worked bool) (*Branch, participant.State, error) {
	d, err := p.learn(ctx)
	if err != nil {
		return nil, 0, err
	}
	worker, _ := lockNames(k, d.database)
	s, locked, err := p.connectAndLock(ctx, worker)
	if err != nil {
		return nil, 0, err
	}
	state, err := s.claim(ctx, d, k, worker, locked)
	if err != nil || state != participant.Unknown {
		s.release(ctx, worker)
		return nil, state, err
	}
	b, err := p.start(ctx, s, d, k, worked)
	if err != nil {
		s.discard()
	}
	return b, state, err
}

// claim makes sure of the worker's lock, unless something is known of the branch.
// Where another has the lock it waits a moment: that session may be about to end.
func (s *session) claim(ctx context.Context, d *dialect, k participant.Key, worker string, locked bool) (participant.State, error) {
	state, err := s.state(ctx, d, k)
	if locked || err != nil || state != participant.Unknown {
		return state, err
	}
	locked, err = s.lock(ctx, worker, 1)
	if err != nil {
		return 0, err
	}
	if locked {
		return s.state(ctx, d, k)
	}
	id, err := s.holder(ctx, worker)
	return 0, &BusyError{Transaction: k.Transaction, Connection: id, Err: err}
}

// start makes the session the branch's.
func (p *Participant) start(ctx context.Context, s *session, d *dialect, k participant.Key, worked bool) (*Branch, error) {
	b := &Branch{p: p, d: d, key: k, s: s, worked: worked, gone: make(chan struct{})}
	b.ready.Store(!worked)
	b.worker, _ = lockNames(k, d.database)
	if d.detaches {
		b.xid = newXID(k, d.database, 0)
	} else {
		b.xid = newXID(k, d.database, s.id)
	}
	if err := s.exec(ctx, "XA START "+b.xid.String()); err != nil {
		return nil, explained("begin a branch", err)
	}
	b.life, b.end = context.WithCancel(context.Background())
	b.timer = time.AfterFunc(p.options.BranchTimeout, b.expire)
	if err := p.add(b); err != nil {
		b.timer.Stop()
		b.end()
		return nil, err
	}
	return b, nil
}

// state is what is known of a branch that is not open here.
func (s *session) state(ctx context.Context, d *dialect, k participant.Key) (participant.State, error) {
	state, err := s.read(ctx, d, k)
	switch {
	case errors.Is(err, errHeld):
		_, found, err := s.find(ctx, d, k)
		if err == nil && !found {
			err = &BusyError{Transaction: k.Transaction}
		}
		return participant.Prepared, err
	case state == participant.Forgotten:
		return state, &participant.ForgottenError{Transaction: k.Transaction}
	}
	return state, err
}

// run calls Work in a branch that was begun for it.
func (b *Branch) run(ctx context.Context, branch participant.Branch) error {
	returned := false
	defer func() {
		if !returned { // it panics
			b.drop()
		}
	}()
	err := b.p.options.Work(ctx, b, branch)
	returned = true
	return err
}

// obtain returns the branch whose work is done, or being done here: the one that the
// application has begun, or a new one, in which Work has been called. Without an
// error and without a branch, the state answers.
func (p *Participant) obtain(ctx context.Context, k participant.Key, branch participant.Branch) (*Branch, participant.State, error) {
	work := len(branch.Payload) > 0
	if b := p.find(k); b != nil {
		if work != b.worked {
			return nil, 0, &NotBegunError{Transaction: k.Transaction,
				Reason: "a branch that is begun by the application must be enlisted without payload"}
		}
		return b, 0, nil
	}
	if !work || p.options.Work == nil {
		return p.missing(ctx, k, work)
	}
	b, state, err := p.begin(ctx, k, true)
	if b == nil || err != nil {
		return nil, state, err
	}
	if err := b.run(ctx, branch); err != nil {
		b.cancel(ctx)
		if errors.Is(err, participant.ErrReadOnly) {
			return nil, participant.ReadOnly, nil
		}
		return nil, 0, fmt.Errorf("mysql: work: %w", err)
	}
	b.ready.Store(true)
	return b, 0, nil
}

// missing says what is known of a branch that has no work here.
func (p *Participant) missing(ctx context.Context, k participant.Key, work bool) (*Branch, participant.State, error) {
	d, err := p.learn(ctx)
	if err != nil {
		return nil, 0, err
	}
	s, err := p.connect(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer s.keep()
	state, err := s.state(ctx, d, k)
	if err == nil && state == participant.Unknown {
		reason := "none that was begun is open here any more, and without payload there is no other"
		if work {
			reason = "there is a payload, and no Options.Work"
		}
		err = &NotBegunError{Transaction: k.Transaction, Reason: reason}
	}
	return nil, state, err
}
