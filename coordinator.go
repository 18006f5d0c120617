package dtc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
	"github.com/seed-d36415c0/dtc/supervisor"
)

// Coordinator makes work in several services atomic. Its methods may be called
// from everywhere, also by a participant from inside a call. The context of a
// call bounds how long its caller waits, never the transaction; a call whose
// context is done already does nothing but return its error.
//
// After Close every method but Close and Stats answers ErrClosed, whatever else
// is wrong with the call, unless its context is done.
type Coordinator struct {
	config Config
	tree   *supervisor.Supervisor

	begun    messages.Replies[messages.Begun]
	results  messages.Replies[messages.Result]
	details  messages.Replies[messages.Detail]
	retries  messages.Replies[error]
	closing  atomic.Bool
	closed   chan struct{}
	closeErr error
}

// Open starts a coordinator in the system, reads its journal, and returns when
// it takes work. What the journal holds unfinished is finished in the
// background.
//
// It fails if the configuration cannot be used ([*ConfigError],
// [*InvalidNameError]; all that is wrong is named at once), if the journal belongs
// to a coordinator of another name, or with the journal's own error when that
// cannot be read. The journal is then still open.
func Open(system *actor.ActorSystem, config Config) (*Coordinator, error) {
	if system == nil {
		return nil, &ConfigError{"system", nil, "is required"}
	}
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	tree, err := supervisor.Open(system, config.supervisor())
	if err != nil {
		return nil, fmt.Errorf("dtc: open: %w", openError(err, config.Name))
	}
	return &Coordinator{config: config, tree: tree, closed: make(chan struct{})}, nil
}

// TxOptions are options of one transaction. Nil stands for the zero value.
type TxOptions struct {
	// ID makes Begin idempotent: the same ID begins one transaction, however often.
	// It must be a version 7 UUID that is at most a minute ahead, and made after the
	// coordinator was opened: one from before that no journal knows was rolled back,
	// as far as anybody can tell, and does not begin. Defaults to a new one.
	ID uuid.UUID
	// Timeout is the time from begin to decision, at most 100 years. Defaults to
	// Config.TransactionTimeout.
	Timeout time.Duration
	// Label is a name for people, up to 128 bytes without control characters: it
	// stands in logs, events and listings, and in the journal. Defaults to none.
	Label string
	// Durable forces each enlistment to the journal before Enlist returns, so that
	// work which the application does at a participant before Commit is rolled back
	// even if the process dies. Not needed where the participant is a
	// participant.Recoverer. Defaults to false.
	Durable bool
}

// Begin starts a transaction and returns its id.
//
// It fails with [*TooManyTransactionsError] when all slots are taken, unless
// Config.WaitForSlot has it wait. For an ID that the application chose: with
// ErrInvalidID if it is none to choose, and with [*NotActiveError] if the
// transaction is decided already (joined with ErrCommitted or
// [*RolledBackError]), or if the ID is so old that nobody can say whether it is
// new.
func (c *Coordinator) Begin(ctx context.Context, o *TxOptions) (uuid.UUID, error) {
	b, err := c.newBegin(ctx, o)
	if err != nil {
		return uuid.Nil, err
	}
	begun, err := c.begin(ctx, b)
	if err != nil {
		return uuid.Nil, err
	}
	if begun.Ended != nil {
		return uuid.Nil, &NotActiveError{ID: b.ID, Outcome: Outcome(begun.Ended.Outcome), Err: endedError(*begun.Ended)}
	}
	return b.ID, nil
}

// begin asks the supervisor for a transaction. The answer's error is for the
// caller; an id that is decided already is none.
func (c *Coordinator) begin(ctx context.Context, b *messages.Begin) (messages.Begun, error) {
	b.Reply = c.begun.Get()
	if !c.tree.Send(b) {
		c.begun.Discard(b.Reply)
		return messages.Begun{}, ErrClosed
	}
	begun, taken, err := c.begun.Wait(ctx, b.Reply)
	if err != nil && taken {
		// It is being answered at this moment.
		begun, err = c.begun.Receive(b.Reply), nil
	}
	if err != nil {
		return messages.Begun{}, err
	}
	if begun.Err != nil {
		return messages.Begun{}, c.beginError(b.ID, begun.Err)
	}
	return begun, nil
}

// newBegin checks the options and makes the request of them.
func (c *Coordinator) newBegin(ctx context.Context, o *TxOptions) (*messages.Begin, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.isClosed() {
		return nil, ErrClosed
	}
	if o == nil {
		o = &TxOptions{}
	}
	b := &messages.Begin{Timeout: o.Timeout, Label: o.Label, Durable: o.Durable}
	if o.Timeout == 0 {
		b.Timeout = c.config.TransactionTimeout
	} else if err := checkDuration("TxOptions.Timeout", o.Timeout); err != nil {
		return nil, err
	}
	if reason := unfit(o.Label, maxParticipantName); reason != "" && o.Label != "" {
		return nil, &ConfigError{"TxOptions.Label", fmt.Sprintf("%.40q", o.Label), reason}
	}
	fresh, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("dtc: begin: %w", err)
	}
	if o.ID == uuid.Nil {
		b.ID = fresh
		return b, nil
	}
	b.ID, b.Chosen = o.ID, true
	return b, checkID(o.ID, fresh)
}

// maxAhead is how far the time in an ID that the application chose may be ahead
// of the clock that makes IDs here.
const maxAhead = time.Minute

func checkID(id, fresh uuid.UUID) error {
	switch {
	case id.Version() != 7 || id.Variant() != uuid.RFC4122:
		return &InvalidIDError{ID: id, Reason: "it is not a version 7 UUID"}
	case idTime(id).After(idTime(fresh).Add(maxAhead)):
		return &InvalidIDError{ID: id, Reason: fmt.Sprintf("its time is more than %v ahead", maxAhead)}
	}
	return nil
}

// idTime returns the time in a version 7 UUID.
func idTime(id uuid.UUID) time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms)
}

// Enlist makes a participant part of a transaction. The payload is handed to
// each of its calls; it may be nil, and may be changed after Enlist returns. The
// same name and payload again has no effect.
//
// It fails with [*NotActiveError] if the transaction takes no more, with
// [*AlreadyEnlistedError] if the name is enlisted with another payload, with
// [*TooManyParticipantsError], after which the transaction is still usable, with
// [*TransactionNotFoundError], with ErrInvalidName or ErrPayloadTooLarge, and
// with [*TooManyTransactionsError] if too many transactions wait for that
// participant already. The participant gets no call then, but perhaps Rollback
// where the transaction ended while the enlistment was being forced.
//
// When ctx ends after the request was taken up, the answer is
// [*OutcomeUnknownError]: the participant may be enlisted or not. To enlist it
// again, with the same payload, tells.
func (c *Coordinator) Enlist(ctx context.Context, id uuid.UUID, p participant.Participant, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e, err := c.enlistment(p, payload)
	if err != nil {
		return err
	}
	h, err := c.find(id)
	if err != nil {
		return err
	}
	if h == nil {
		outcome, _ := c.tree.Outcome(id)
		return &NotActiveError{ID: id, Participant: e.Branch.Name, Outcome: Outcome(outcome)}
	}
	return c.enlist(ctx, h, e)
}

// enlist asks a transaction's actor for a branch.
func (c *Coordinator) enlist(ctx context.Context, h *actors.Handle, e messages.Enlistment) error {
	m := &messages.Enlist{Enlistment: e, Reply: c.results.Get()}
	if !h.Send(m) {
		c.results.Discard(m.Reply)
		r := supervisor.Ended(h)
		r.Refused, r.Participant = messages.RefusedNotActive, e.Branch.Name
		return c.enlistError(r)
	}
	r, taken, err := c.results.Wait(ctx, m.Reply)
	switch {
	case err != nil && taken:
		return &OutcomeUnknownError{ID: h.ID, Err: err}
	case err != nil:
		return err
	}
	return c.enlistError(r)
}

// Commit commits a transaction. Nil says that it is committed and stays so. It
// waits for every participant's acknowledgement, at most
// Config.ParticipantTimeout past the decision; who has not acknowledged by then
// is told in the background, and shows in Inspect.
//
// It fails with [*RolledBackError], which holds the causes; with
// [*OutcomeUnknownError] when ctx ends, the coordinator closes or the journal
// fails before the outcome is known; or with [*TransactionNotFoundError]. Called
// again it answers the same outcome, and calls nobody.
func (c *Coordinator) Commit(ctx context.Context, id uuid.UUID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h, err := c.find(id)
	if err != nil {
		return err
	}
	if h == nil {
		return commitError(c.recordless(id))
	}
	return c.commit(ctx, h, nil)
}

// commit asks a transaction's actor to commit with those branches.
func (c *Coordinator) commit(ctx context.Context, h *actors.Handle, with []messages.Enlistment) error {
	m := &messages.AskCommit{Enlistments: with, Reply: c.results.Get()}
	if !h.Send(m) {
		c.results.Discard(m.Reply)
		return commitError(ended(h, with))
	}
	r, _, err := c.results.Wait(ctx, m.Reply)
	if err != nil {
		return &OutcomeUnknownError{ID: h.ID, Err: err}
	}
	return commitError(r)
}

// ended is what can be told of a transaction that has no actor to one who counts
// on these branches.
func ended(h *actors.Handle, with []messages.Enlistment) messages.Result {
	r, late := supervisor.Ended(h), h.Ending().Late
	for i := range with {
		if name := with[i].Branch.Name; slices.Contains(late, name) {
			r.Refused, r.Participant = messages.RefusedNotActive, name
		}
	}
	return r
}

// Rollback rolls a transaction back: every enlisted participant's Rollback is
// called, also when nothing was asked of it before. Nil says that all have
// acknowledged; else the error joins a [*ParticipantFailedToRollbackError] for
// each that has not yet, and goes on being told.
//
// On a committed transaction it answers ErrCommitted and does nothing, so that
// it is safe to defer. A ctx that is done bounds the wait only: the transaction
// is rolled back all the same.
func (c *Coordinator) Rollback(ctx context.Context, id uuid.UUID) error {
	h, err := c.find(id)
	if err != nil {
		return err
	}
	if h == nil {
		return rollbackError(c.recordless(id))
	}
	return rollbackError(c.rollback(ctx, h))
}

// rollback asks a transaction's actor to roll back.
func (c *Coordinator) rollback(ctx context.Context, h *actors.Handle) messages.Result {
	m := &messages.AskRollback{Reply: c.results.Get()}
	if !h.Send(m) {
		c.results.Discard(m.Reply)
		return supervisor.Ended(h)
	}
	r, _, err := c.results.Wait(ctx, m.Reply)
	if err != nil {
		return messages.Result{Transaction: h.ID, Causes: []messages.Cause{{Err: err}}}
	}
	return r
}

// Outcome tells how a transaction stands. Where it is Unknown the error says
// why: [*TransactionNotFoundError] if nobody knows the transaction any more,
// [*OutcomeUnknownError] if nobody can know yet.
func (c *Coordinator) Outcome(ctx context.Context, id uuid.UUID) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Unknown, err
	}
	if c.isClosed() {
		return Unknown, ErrClosed
	}
	outcome, known := c.tree.Outcome(id)
	switch {
	case !known:
		return Unknown, &TransactionNotFoundError{ID: id}
	case outcome == protocol.Unknown:
		return Unknown, &OutcomeUnknownError{ID: id, Err: c.tree.Log.Err()}
	}
	return Outcome(outcome), nil
}

// Register makes participants known by name, so that transactions which the
// journal holds can reach them. Enlist does so by itself. A participant that is
// known already takes the place of the one before, which must be of the same
// kind.
//
// It fails with ErrInvalidName, or with [*TooManyParticipantsError]; those before
// the one that it fails at are registered.
func (c *Coordinator) Register(ps ...participant.Participant) error {
	if c.isClosed() {
		return ErrClosed
	}
	for _, p := range ps {
		if err := checkParticipant("", p); err != nil {
			return err
		}
	}
	err, name := c.register(ps), ""
	if errors.Is(err, supervisor.ErrKind) || errors.Is(err, supervisor.ErrNameless) {
		stopped := func(p participant.Participant) bool { g, err := c.tree.Match(p); return g == nil || err != nil }
		if i := slices.IndexFunc(ps, stopped); i >= 0 {
			name = ps[i].Name()
		}
	}
	return registrationError(err, name)
}

func (c *Coordinator) register(ps []participant.Participant) error {
	done := make(chan error, 1)
	if !c.tree.Send(&supervisor.Register{Participants: ps, Done: done}) {
		return ErrClosed
	}
	return <-done
}

// Drain takes no new transactions and waits until none is live. Parked ones go
// on being delivered. It returns ctx's error if that ends first; the coordinator
// goes on draining.
func (c *Coordinator) Drain(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan struct{})
	if c.isClosed() || !c.tree.Send(&supervisor.Drain{Done: done}) {
		return ErrClosed
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closed:
		return ErrClosed
	}
}

// Close ends the coordinator, and closes its journal. Transactions that are not
// decided are rolled back; those that are have ParticipantTimeout to be
// delivered, and what remains is left to the next Open. Whoever waits is answered.
// A second Close does nothing.
func (c *Coordinator) Close() error {
	if c.closing.CompareAndSwap(false, true) {
		defer close(c.closed) // whatever the journal does
		c.tree.Halt()
		c.closeErr = c.tree.Log.Close()
		return c.closeErr
	}
	<-c.closed
	return c.closeErr
}

func (c *Coordinator) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// find returns a transaction's handle; nil if only the journal can tell of it.
func (c *Coordinator) find(id uuid.UUID) (*actors.Handle, error) {
	if c.isClosed() {
		return nil, ErrClosed
	}
	if h := c.tree.Find(id); h != nil {
		return h, nil
	}
	if _, known := c.tree.Outcome(id); known {
		return c.tree.Find(id), nil // it may have begun in between
	}
	return nil, &TransactionNotFoundError{ID: id}
}

// recordless is what can be told of a transaction without a handle.
func (c *Coordinator) recordless(id uuid.UUID) messages.Result {
	outcome, _ := c.tree.Outcome(id)
	return messages.Result{Transaction: id, Outcome: outcome}
}

// enlistment checks a participant and a payload, and finds the gateway.
func (c *Coordinator) enlistment(p participant.Participant, payload []byte) (messages.Enlistment, error) {
	if c.isClosed() {
		return messages.Enlistment{}, ErrClosed
	}
	if p == nil {
		return messages.Enlistment{}, checkParticipant("", p)
	}
	if len(payload) > c.config.MaxPayload {
		return messages.Enlistment{}, &PayloadTooLargeError{p.Name(), len(payload), c.config.MaxPayload}
	}
	g, err := c.tree.Match(p)
	if err == nil && g == nil {
		if err := checkParticipant("", p); err != nil {
			return messages.Enlistment{}, err
		}
		if err = c.register([]participant.Participant{p}); err == nil {
			g, err = c.tree.Match(p)
		}
	}
	if err != nil {
		return messages.Enlistment{}, registrationError(err, p.Name())
	}
	if g.Full.Load() {
		return messages.Enlistment{}, &TooManyTransactionsError{Limit: c.config.MaxHistory}
	}
	return messages.Enlistment{Branch: g.Branch, Gateway: g, Participant: p, Payload: bytes.Clone(payload)}, nil
}
