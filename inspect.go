package dtc

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
	"github.com/seed-d36415c0/dtc/supervisor"
)

// Summary is one transaction in a listing.
type Summary struct {
	ID      uuid.UUID
	Outcome Outcome
	// State is where it stands, in a word: active, preparing, deciding, committing …
	State string
	// Parked: it is decided, and participants that have not acknowledged are told in
	// the background.
	Parked bool
	// Finished is when the last participant was done; zero while one is not.
	Finished time.Time
	// Waiting holds, for a parked transaction, why each participant is waited for.
	Waiting []error
	// Tries is how often it has been taken up again in vain, and NextTry when it will
	// be the next time at the latest.
	Tries   int
	NextTry time.Time
	// Heuristic says which branches a person settled by hand, how and why; empty
	// where none.
	Heuristic string
}

// Detail is everything that is known of one transaction.
type Detail struct {
	Summary
	// Label is that of the TxOptions; empty for a finished transaction, of which
	// only the outcome is kept.
	Label string
	// Path is how it is committed: empty, read-only, one-phase, presumed abort or
	// with intent; empty before it is asked to commit, and where an earlier run of
	// the coordinator was.
	Path string
	// Began is when it began; zero where that is no longer known.
	Began time.Time
	// Deadline is when it must be decided; zero once it is.
	Deadline time.Time
	// Branches in the order of their enlistment; none for a finished transaction.
	Branches []Branch
}

// Branch is one participant's part, as [Detail] shows it.
type Branch struct {
	Participant string
	TwoPhase    bool
	// Standing says in words where it stands: enlisted, asked to prepare, prepared,
	// committed, rolled back, read-only, failed to …, settled by hand.
	Standing string
	// Calls is how many calls were made since the transaction was last in memory.
	Calls int
	// Done: it needs no further call.
	Done bool
	// Err is what the participant said last.
	Err error
}

// Filter selects transactions for a listing. The zero Filter selects those that
// have not finished.
type Filter struct {
	// Finished adds those that have.
	Finished bool
	// Parked leaves only the parked ones.
	Parked bool
	// Outcome leaves only those with this outcome; Unknown for any.
	Outcome Outcome
	// After leaves only those with a greater ID; uuid.Nil for any.
	After uuid.UUID
	// Limit is how many are returned at most, the smallest IDs first. Defaults to
	// 1,000.
	Limit int
}

// Transactions lists transactions in the order of their IDs, which is that of
// their begin. Of parked ones it lists those that are in memory; there are more
// only beyond Config.MaxHistory.
func (c *Coordinator) Transactions(ctx context.Context, f Filter) ([]Summary, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.isClosed() {
		return nil, ErrClosed
	}
	if f.Limit <= 0 {
		f.Limit = 1000
	}
	var ids []uuid.UUID
	c.tree.All(func(h *actors.Handle) bool {
		if f.selects(h) {
			ids = append(ids, h.ID)
		}
		return ctx.Err() == nil
	})
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	list := make([]Summary, 0, min(len(ids), f.Limit))
	for _, id := range ids[:min(len(ids), f.Limit)] {
		if h := c.tree.Find(id); h != nil {
			list = append(list, summary(h))
		}
	}
	return list, ctx.Err()
}

func (f Filter) selects(h *actors.Handle) bool {
	finished := h.Finished()
	return (f.Finished || !finished) &&
		(!f.Parked || !finished && h.Ending().Parked != nil) &&
		(f.Outcome == Unknown || f.Outcome == Outcome(h.Outcome())) &&
		bytes.Compare(h.ID[:], f.After[:]) > 0
}

func summary(h *actors.Handle) Summary {
	e := h.Ending()
	s := Summary{
		ID: h.ID, Outcome: Outcome(h.Outcome()), State: h.State().String(),
		Finished: e.Finished, Heuristic: e.Heuristic,
	}
	if e.Parked != nil && e.Finished.IsZero() {
		s.Parked, s.Tries, s.NextTry = true, e.Parked.Tries, e.Parked.Next
		for _, w := range e.Parked.Waiting {
			s.Waiting = append(s.Waiting, waitingError(h, w))
		}
	}
	return s
}

// waitingError says why a participant is waited for.
func waitingError(h *actors.Handle, w messages.Cause) error {
	if h.Outcome() == protocol.OutcomeRolledBack {
		return &ParticipantFailedToRollbackError{h.ID, w.Participant, causeError(h.ID, w)}
	}
	return &ParticipantFailedToCommitError{h.ID, w.Participant, causeError(h.ID, w)}
}

// Inspect tells everything that is known of one transaction. It fails with
// [*TransactionNotFoundError].
func (c *Coordinator) Inspect(ctx context.Context, id uuid.UUID) (Detail, error) {
	if err := ctx.Err(); err != nil {
		return Detail{}, err
	}
	h, err := c.find(id)
	if err != nil {
		return Detail{}, err
	}
	if h == nil {
		outcome, _ := c.tree.Outcome(id)
		d := Detail{Summary: Summary{ID: id, Outcome: Outcome(outcome), State: outcome.String()}}
		return c.fromJournal(d)
	}
	m := &messages.Inspect{Reply: c.details.Get()}
	if !h.Send(m) {
		c.details.Discard(m.Reply)
		d := Detail{Summary: summary(h), Path: h.Ending().Path.String()}
		if !d.Parked {
			return d, nil
		}
		return c.fromJournal(d)
	}
	live, _, err := c.details.Wait(ctx, m.Reply)
	if err != nil {
		return Detail{}, err
	}
	return liveDetail(h, live), nil
}

// liveDetail is what a transaction's actor tells.
func liveDetail(h *actors.Handle, live messages.Detail) Detail {
	d := Detail{
		Summary: summary(h), Label: live.Label, Path: live.Path.String(),
		Began: live.Began, Deadline: live.Deadline,
	}
	d.State, d.Heuristic = live.State.String(), live.Heuristic
	for _, b := range live.Branches {
		d.Branches = append(d.Branches, Branch{
			Participant: b.Participant, TwoPhase: b.TwoPhase, Standing: b.Standing,
			Calls: b.Calls, Done: b.Finished, Err: b.Err,
		})
	}
	return d
}

// fromJournal adds what the journal holds of a parked transaction.
func (c *Coordinator) fromJournal(d Detail) (Detail, error) {
	r, ok, err := c.tree.Log.Record(d.ID)
	if err != nil || !ok {
		return d, err
	}
	d.Label, d.Began = r.Label, r.Began
	for _, b := range r.Branches {
		d.Branches = append(d.Branches, Branch{
			Participant: b.Participant, TwoPhase: b.TwoPhase, Done: !b.Pending, Standing: standing(r.Kind, b.Pending),
		})
	}
	return d, nil
}

func standing(k journal.Kind, pending bool) string {
	switch {
	case !pending:
		return "done"
	case k == journal.Commit:
		return "to be committed"
	case k == journal.Delegation:
		return "to be asked"
	default:
		return "to be rolled back"
	}
}

// Health tells how a participant fares. A refusal is an answer like any other;
// unhealthy is who does not answer in time, or does not do what it is told once
// that is decided.
type Health = actors.HealthReport

// Participants tells how the registered participants fare, in the order of their
// names.
func (c *Coordinator) Participants(ctx context.Context) ([]Health, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.isClosed() {
		return nil, ErrClosed
	}
	var list []Health
	for _, g := range c.tree.Gateways() {
		list = append(list, g.Health())
	}
	return list, nil
}

// Stats are figures of a coordinator as a whole.
type Stats struct {
	// Live transactions: begun, and neither finished nor parked.
	Live int
	// Finished transactions whose outcome is kept.
	Finished int
	// Forced is how many records were forced, and Syncs how many batches that took.
	Forced, Syncs uint64
}

// Stats returns the figures at this moment. It may be called after Close.
func (c *Coordinator) Stats() Stats {
	forced, syncs := c.tree.Log.Forced()
	return Stats{Live: c.tree.Slots.Live(), Finished: c.tree.Finished(), Forced: forced, Syncs: syncs}
}

// Retry has a parked transaction delivered now instead of later. For one that is
// live or finished it does nothing. It fails with [*TransactionNotFoundError].
func (c *Coordinator) Retry(ctx context.Context, id uuid.UUID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := c.find(id); err != nil {
		return err
	}
	m := &supervisor.Retry{ID: id, Reply: c.retries.Get()}
	if !c.tree.Send(m) {
		c.retries.Discard(m.Reply)
		return ErrClosed
	}
	err, _, gone := c.retries.Wait(ctx, m.Reply)
	if gone != nil {
		return gone
	}
	return err
}

// Act is what a person did with a branch.
type Act uint8

// The acts. The zero value is none.
const (
	// ActCommitted: the person saw to it that the branch is committed.
	ActCommitted Act = iota + 1
	// ActRolledBack: the person saw to it that the branch is rolled back.
	ActRolledBack
	// ActForgotten: the branch will never be heard of again. If its participant
	// lists it all the same, it is told the outcome as long as that is kept, and
	// after that to roll back, like any branch that nobody knows.
	ActForgotten
)

// Resolution settles a branch by hand.
type Resolution struct {
	Participant string
	Act         Act
	// Reason is kept with the outcome and logged; required.
	Reason string
}

// Resolve takes a person's word for what became of a branch whose participant
// does not acknowledge: the participant is called no more, and the transaction
// finishes when its other branches have. What was done is kept with the outcome
// and shown as Heuristic; whether it agrees with the decision is the person's
// responsibility. When Resolve returns nil, that survives a crash.
//
// It fails with ErrUnsettled if the transaction is not decided or does not wait
// for that branch, with [*TransactionNotFoundError], with [*ConfigError] if the
// Resolution is not complete, and with ErrJournalFailed if it is settled for this
// process alone: once the journal is opened again, the participant may be called
// again. When ctx ends after the request was taken up, the answer is
// [*OutcomeUnknownError]: the branch may be settled or not, and Inspect tells.
func (c *Coordinator) Resolve(ctx context.Context, id uuid.UUID, r Resolution) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case c.isClosed():
		return ErrClosed
	case r.Reason == "":
		return &ConfigError{"Resolution.Reason", `""`, "is required"}
	case r.Act < ActCommitted || r.Act > ActForgotten:
		return &ConfigError{"Resolution.Act", r.Act, "is none of the acts"}
	}
	h, err := c.find(id)
	if err != nil {
		return err
	}
	if h == nil {
		return ErrUnsettled
	}
	settle := &messages.Settle{
		Participant: r.Participant, Committed: r.Act == ActCommitted, Forget: r.Act == ActForgotten,
		Reason: r.Reason, Reply: c.results.Get(),
	}
	if !h.Send(settle) && !c.tree.Send(&supervisor.SettleParked{ID: id, Settle: settle}) {
		c.results.Discard(settle.Reply)
		return ErrClosed
	}
	res, taken, err := c.results.Wait(ctx, settle.Reply)
	switch {
	case err != nil && taken:
		return &OutcomeUnknownError{ID: id, Err: err}
	case err != nil:
		return err
	case res.Refused == messages.RefusedUnforced:
		return join(causes(res)...)
	case res.Refused != messages.NotRefused:
		return ErrUnsettled
	}
	return nil
}
