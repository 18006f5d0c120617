package histories_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
)

// facade is the part of a coordinator that callers race on.
type facade interface {
	Begin(context.Context, *dtc.TxOptions) (uuid.UUID, error)
	Enlist(context.Context, uuid.UUID, participant.Participant, []byte) error
	Commit(context.Context, uuid.UUID) error
	Rollback(context.Context, uuid.UUID) error
	Outcome(context.Context, uuid.UUID) (dtc.Outcome, error)
}

// race is what callers do to one transaction at the same time.
type race struct {
	facade
	members *[members]participant.Participant
	id      uuid.UUID
	clock   atomic.Int64 // a call that began after another had returned has a later time

	mu      sync.Mutex
	history []porcupine.Operation
	strange []error // answers that the contract does not know
}

const (
	callers        = 8
	callsPerCaller = 4
)

// run has all callers make random calls, and returns when all are answered. Then
// one more ends the transaction.
func (r *race) run(seed uint64) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for c := range callers {
		draw := rand.New(rand.NewPCG(seed, uint64(c)))
		all.Go(func() {
			<-start
			for range callsPerCaller {
				r.call(draw, c)
			}
		})
	}
	close(start)
	all.Wait()
	r.begin(background, callers, false)
	r.rollback(background, callers)
	r.outcome(background, callers)
}

// call makes one call. One in four callers goes away while it waits.
func (r *race) call(draw *rand.Rand, caller int) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	if draw.IntN(4) == 0 {
		patience := draw.IntN(16)
		go func() {
			for range patience {
				runtime.Gosched()
			}
			cancel()
		}()
	}
	switch n := draw.IntN(16); {
	case n < 3:
		r.begin(ctx, caller, draw.IntN(4) == 0)
	case n < 9:
		r.enlist(ctx, caller, draw.IntN(members), "xxxy"[draw.IntN(4)])
	case n < 11:
		r.commit(ctx, caller)
	case n < 12:
		r.rollback(ctx, caller)
	default:
		r.outcome(ctx, caller)
	}
}

// note takes an operation into the history. One that nothing was said to goes on
// for ever.
func (r *race) note(caller int, called int64, in input, out output) {
	returned := r.clock.Add(1)
	if out.said == nothing {
		returned = math.MaxInt64
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, porcupine.Operation{
		ClientId: caller, Input: in, Call: called, Output: out, Return: returned,
	})
}

func (r *race) begin(ctx context.Context, caller int, durable bool) {
	called := r.clock.Add(1)
	_, err := r.Begin(ctx, &dtc.TxOptions{ID: r.id, Durable: durable})
	if out, ok := r.read(err); ok {
		r.note(caller, called, input{op: begin, durable: durable}, out)
	}
}

func (r *race) enlist(ctx context.Context, caller, member int, payload byte) {
	called := r.clock.Add(1)
	err := r.Enlist(ctx, r.id, r.members[member], []byte{payload})
	if out, ok := r.read(err); ok {
		r.note(caller, called, input{op: enlist, member: member, payload: payload}, out)
	}
}

func (r *race) commit(ctx context.Context, caller int) {
	called := r.clock.Add(1)
	err := r.Commit(ctx, r.id)
	out, ok := r.read(err)
	if !ok {
		return
	}
	if err == nil {
		out = output{said: ended, phase: committed}
	}
	if out.said != notFound {
		r.note(caller, called, input{op: ask}, output{said: min(out.said, done)})
	}
	r.note(caller, called, input{op: answer}, out)
}

func (r *race) rollback(ctx context.Context, caller int) {
	called := r.clock.Add(1)
	if out, ok := r.read(r.Rollback(ctx, r.id)); ok {
		r.note(caller, called, input{op: rollback}, out)
	}
}

func (r *race) outcome(ctx context.Context, caller int) {
	called := r.clock.Add(1)
	o, err := r.Outcome(ctx, r.id)
	out, ok := r.read(err)
	if !ok {
		return
	}
	if err == nil {
		out = output{said: stands, phase: phaseOf(o)}
	}
	r.note(caller, called, input{op: outcome}, out)
}

func phaseOf(o dtc.Outcome) phase {
	return map[dtc.Outcome]phase{dtc.Active: active, dtc.Committed: committed, dtc.RolledBack: rolledBack}[o]
}

// effects notes what the participants hold when everything is over.
func (r *race) effects() {
	called, out := r.clock.Add(1), output{said: done}
	for i, m := range r.members {
		out.branches[i] = what(m, r.id)
	}
	r.note(callers, called, input{op: effects}, out)
}

// read is what an error says; false where the call has not taken place.
func (r *race) read(err error) (out output, ok bool) {
	var late *dtc.NotActiveError
	switch {
	case err == nil:
		return output{said: done}, true
	case errors.Is(err, dtc.ErrOutcomeUnknown) && errors.Is(err, context.Canceled):
		return output{said: nothing}, true
	case err == context.Canceled:
		return output{}, false
	case errors.Is(err, dtc.ErrTransactionNotFound):
		return output{said: notFound}, true
	case errors.As(err, &late):
		return output{said: ended, phase: phaseOf(late.Outcome)}, true
	case errors.Is(err, dtc.ErrTooManyParticipants):
		return output{said: full}, true
	case errors.Is(err, dtc.ErrAlreadyEnlisted):
		return output{said: conflict}, true
	case errors.Is(err, dtc.ErrRolledBack):
		return output{said: ended, phase: rolledBack}, true
	case err == dtc.ErrCommitted:
		return output{said: ended, phase: committed}, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.strange = append(r.strange, fmt.Errorf("%T: %w", err, err))
	return output{}, false
}
