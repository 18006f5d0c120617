package dtc

import (
	"bytes"
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
	"github.com/seed-d36415c0/dtc/supervisor"
)

// Tx is a transaction inside [Coordinator.Run]. Its methods may be called by
// several goroutines, until the function returns.
type Tx struct {
	c       *Coordinator
	handle  *actors.Handle
	durable bool

	mu       sync.Mutex
	over     bool
	enlisted []messages.Enlistment
}

// ID returns the transaction's id.
func (tx *Tx) ID() uuid.UUID { return tx.handle.ID }

// Enlist makes a participant part of the transaction, like [Coordinator.Enlist]
// and with the same errors.
func (tx *Tx) Enlist(ctx context.Context, p participant.Participant, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e, err := tx.c.enlistment(p, payload)
	if err != nil {
		return err
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	for i := range tx.enlisted {
		if known := &tx.enlisted[i]; known.Branch.Name == e.Branch.Name {
			if bytes.Equal(known.Payload, e.Payload) {
				return nil
			}
			return &AlreadyEnlistedError{ID: tx.ID(), Participant: e.Branch.Name}
		}
	}
	switch {
	case tx.over:
		return tx.notActive(e)
	case tx.handle.State() != protocol.Active:
		// It may be part of the transaction, if that was begun before.
		if err := tx.c.enlist(ctx, tx.handle, e); err != nil {
			return err
		}
		tx.enlisted = append(tx.enlisted, e)
		return nil
	case len(tx.enlisted) >= tx.c.config.MaxParticipants:
		return &TooManyParticipantsError{ID: tx.ID(), Limit: tx.c.config.MaxParticipants}
	}
	if err := tx.send(ctx, e); err != nil {
		return err
	}
	tx.enlisted = append(tx.enlisted, e)
	return nil
}

// send tells the transaction's actor. Unless the enlistment is to be forced,
// nothing of its answer is worth waiting for: what it could refuse has been
// checked here, and if it is decided meanwhile it rolls the branch back.
func (tx *Tx) send(ctx context.Context, e messages.Enlistment) error {
	if tx.durable {
		return tx.c.enlist(ctx, tx.handle, e)
	}
	if !tx.handle.Send(&messages.Enlist{Enlistment: e}) {
		return tx.notActive(e)
	}
	return nil
}

func (tx *Tx) notActive(e messages.Enlistment) error {
	r := supervisor.Ended(tx.handle)
	if r.Outcome == protocol.Unknown {
		r.Outcome, r.Causes = tx.handle.Outcome(), nil
	}
	r.Refused, r.Participant = messages.RefusedNotActive, e.Branch.Name
	return tx.c.enlistError(r)
}

// end lets no more participants in, and returns those that are.
func (tx *Tx) end() []messages.Enlistment {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.over = true
	return tx.enlisted
}

// Run begins a transaction, calls work with it, and commits it when work
// returns nil. It answers what Begin and Commit answer.
//
// When work returns an error the transaction is rolled back and Run answers that
// error, joined with what the rollback found: ErrRolledBack, ErrCommitted or
// ErrOutcomeUnknown. That is the outcome of this transaction, whatever the error
// says of another one. When work panics the transaction is rolled back and the
// panic goes on. It waits for that about ParticipantTimeout, whatever ctx says.
//
// For an ID that is decided already, Run answers the outcome and calls nothing.
// Two that run under one ID at a time share one transaction: where one fails,
// both are rolled back.
func (c *Coordinator) Run(ctx context.Context, o *TxOptions, work func(*Tx) error) error {
	b, err := c.newBegin(ctx, o)
	if err != nil {
		return err
	}
	begun, err := c.begin(ctx, b)
	if err != nil {
		return err
	}
	if begun.Ended != nil {
		return commitError(*begun.Ended)
	}
	h := c.tree.Find(b.ID)
	if h == nil {
		return &OutcomeUnknownError{ID: b.ID, Err: ErrClosed}
	}
	tx := &Tx{c: c, handle: h, durable: b.Durable}
	if err := c.work(tx, work); err != nil {
		return c.undo(tx, err)
	}
	enlisted := tx.end()
	if err := ctx.Err(); err != nil {
		return c.undo(tx, err)
	}
	return c.commit(ctx, tx.handle, enlisted)
}

// work calls the application. Whatever way it ends but by returning, the
// transaction is rolled back.
func (c *Coordinator) work(tx *Tx, work func(*Tx) error) error {
	returned := false
	defer func() {
		if !returned {
			_ = c.undo(tx, nil)
		}
	}()
	err := work(tx)
	returned = true
	return err
}

// undo rolls back because of err, and returns it with what the rollback found.
func (c *Coordinator) undo(tx *Tx, err error) error {
	tx.end()
	// The transaction answers after ParticipantTimeout, or later if its journal is
	// slow.
	timeout := c.config.ParticipantTimeout + c.config.ParticipantTimeout/8
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	r := c.rollback(ctx, tx.handle)
	switch r.Outcome {
	case protocol.OutcomeCommitted:
		return join(hideOutcome(err), ErrCommitted)
	case protocol.OutcomeRolledBack:
		return &RolledBackError{ID: tx.ID(), Causes: append(append([]error{err}, decidedBefore(r)...), unacknowledged(r)...)}
	default:
		return join(hideOutcome(err), unknown(r))
	}
}

// decidedBefore are the reasons for a rollback that was decided before it was
// asked for.
func decidedBefore(r messages.Result) []error {
	var list []error
	for _, c := range r.Causes {
		if c.Err != actors.ErrRequested { // itself, not in a participant's error
			list = append(list, causes(messages.Result{Transaction: r.Transaction, Causes: []messages.Cause{c}})...)
		}
	}
	return list
}

// Enlistment is a participant and its payload, for [Coordinator.Execute].
type Enlistment struct {
	Participant participant.Participant
	Payload     []byte
}

// Execute begins a transaction, enlists all participants and commits it, in one
// step. It answers what Begin, Enlist and Commit answer; after an error of Begin
// or Enlist nothing has happened.
//
// For an ID that is decided already, it answers the outcome and calls nothing.
// One whose transaction is active is gone on with: Execute enlists what is
// missing and commits it. Where that cannot be, as a participant is enlisted with
// another payload or there are too many, that transaction is rolled back, and
// the answer is [*RolledBackError].
func (c *Coordinator) Execute(ctx context.Context, o *TxOptions, enlistments ...Enlistment) error {
	b, err := c.newBegin(ctx, o)
	if err != nil {
		return err
	}
	if b.Execute, err = c.enlistments(b.ID, enlistments); err != nil {
		return err
	}
	b.Outcome = c.results.Get()
	if c.isClosed() || !c.tree.Send(b) {
		c.results.Discard(b.Outcome)
		return ErrClosed
	}
	r, taken, err := c.results.Wait(ctx, b.Outcome)
	switch {
	case err != nil && taken:
		return &OutcomeUnknownError{ID: b.ID, Err: err}
	case err != nil:
		return err
	case r.Refused == messages.RefusedBegin:
		return c.beginError(b.ID, r.Causes[0].Err)
	}
	return commitError(r)
}

// enlistments checks the participants of a transaction that is enlisted in one
// step.
func (c *Coordinator) enlistments(id uuid.UUID, list []Enlistment) ([]messages.Enlistment, error) {
	all := make([]messages.Enlistment, 0, len(list))
next:
	for _, l := range list {
		e, err := c.enlistment(l.Participant, l.Payload)
		if err != nil {
			return nil, err
		}
		for i := range all {
			if all[i].Branch.Name != e.Branch.Name {
				continue
			}
			if !bytes.Equal(all[i].Payload, e.Payload) {
				return nil, &AlreadyEnlistedError{ID: id, Participant: e.Branch.Name}
			}
			continue next
		}
		if len(all) >= c.config.MaxParticipants {
			return nil, &TooManyParticipantsError{ID: id, Limit: c.config.MaxParticipants}
		}
		all = append(all, e)
	}
	return all, nil
}
