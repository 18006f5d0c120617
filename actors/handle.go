package actors

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
)

// Handle is what the process holds of one transaction from its begin until its
// outcome expires: the address of its actor while there is one, where it stands,
// and how it ended. It may be used from everywhere.
type Handle struct {
	Ref
	ID uuid.UUID

	state atomic.Uint32
	slots *Slots // nil where the transaction holds no slot

	endMu sync.Mutex
	end   Ending
}

// Ending is what is left of a transaction that has left memory.
type Ending struct {
	// Finished is when the last branch was done; zero while one is not.
	Finished time.Time
	// Parked is set while the journal holds the transaction.
	Parked *Parked
	// Cause tells of the deadline that rolled the transaction back; nil where
	// it was none.
	Cause *messages.Cause
	// Heuristic says which branches a person settled by hand, how and why.
	Heuristic string
	// Members names the branches that were told to commit, of those whose
	// participants can list theirs; nil where the transaction was rolled back.
	Members []string
	// Late names the branches that came too late to be part of the transaction.
	Late []string
	// Path is how it was committed; none where it was not asked to commit, or was
	// asked by an earlier run of the coordinator.
	Path protocol.Path
}

// Parked tells of a transaction that is decided, not finished and not in
// memory.
type Parked struct {
	// Waiting names the branches that have not acknowledged, and why; nil where
	// only the journal knows.
	Waiting []messages.Cause
	// Tries is how often it was taken up again in vain.
	Tries int
	// Next is when it will be taken up again at the latest.
	Next time.Time
}

// NewHandle returns the handle of a transaction that holds one of the slots;
// nil if it needs none.
func NewHandle(id uuid.UUID, slots *Slots) *Handle { return &Handle{ID: id, slots: slots} }

// State returns where the transaction stands.
func (h *Handle) State() protocol.State { return protocol.State(h.state.Load()) }

// SetState publishes where the transaction stands.
func (h *Handle) SetState(s protocol.State) { h.state.Store(uint32(s)) }

// Outcome returns what may be told of the transaction now.
func (h *Handle) Outcome() protocol.Outcome { return h.State().Outcome() }

// Finished tells whether every branch is done.
func (h *Handle) Finished() bool {
	s := h.State()
	return s == protocol.Committed || s == protocol.RolledBack
}

// Ending returns what is left of the transaction.
func (h *Handle) Ending() Ending {
	h.endMu.Lock()
	defer h.endMu.Unlock()
	return h.end
}

// SetEnding publishes it.
func (h *Handle) SetEnding(e Ending) {
	h.endMu.Lock()
	defer h.endMu.Unlock()
	h.end = e
}

// Foreign tells whether a branch that a participant lists is no part of the
// transaction, which was committed everywhere without it.
func (h *Handle) Foreign(participant string) bool {
	e := h.Ending()
	return h.Outcome() == protocol.OutcomeCommitted && !e.Finished.IsZero() && !slices.Contains(e.Members, participant)
}

// Release gives the slot back; the second time it does nothing. It is called
// by the transaction's actor alone, or after that has stopped.
func (h *Handle) Release() {
	if h.slots != nil {
		h.slots.live.Add(-1)
		h.slots = nil
	}
}

// Slots counts the live transactions. Only the supervisor takes slots, so the
// limit holds exactly.
type Slots struct {
	Limit int
	live  atomic.Int64
}

// Take takes a slot; false means that all are taken.
func (s *Slots) Take() bool {
	if s.live.Load() >= int64(s.Limit) {
		return false
	}
	s.live.Add(1)
	return true
}

// Live returns how many are taken.
func (s *Slots) Live() int { return int(s.live.Load()) }
