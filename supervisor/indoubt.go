package supervisor

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
)

// doubts is what is known of branches that participants list as unfinished and
// that no transaction here accounts for.
//
// A branch is resolved when two lists name it: one alone may be from before the
// transaction finished.
type doubts struct {
	next      time.Time // when to ask again
	running   map[string]bool
	suspected map[string]map[uuid.UUID]bool
}

// again is how soon a list that named something unknown is asked for a second
// time.
const again = 100 * time.Millisecond

// maxInDoubt is how many branches of one list are dealt with at a time; the next
// list has the rest.
const maxInDoubt = 10_000

// scanned is what a participant lists.
type scanned struct {
	gateway *actors.Gateway
	ids     []uuid.UUID
	err     error
}

// scanAll asks every participant that can tell for its branches in doubt.
func (r *root) scanAll() {
	r.doubts.next = time.Time{}
	r.scanEach(r.Registry.Gateways())
}

// scanEach asks those of the participants that can tell.
func (r *root) scanEach(gateways []*actors.Gateway) {
	if r.closing != nil || r.Log.Err() != nil {
		return
	}
	for _, g := range gateways {
		if !g.Branch.Recoverable {
			continue
		}
		if r.doubts.next.IsZero() {
			r.doubts.next = time.Now().Add(r.config.RecoveryInterval)
		}
		r.scan(g)
	}
}

// scan asks one participant, away from the mailbox.
func (r *root) scan(g *actors.Gateway) {
	p, ok := participant.As[participant.Recoverer](g.Participant())
	if !ok || r.doubts.running[g.Branch.Name] {
		return
	}
	r.doubts.running[g.Branch.Name] = true
	name, timeout := r.config.Limits.Coordinator, r.config.Limits.ParticipantTimeout
	go func() {
		m := &scanned{gateway: g, err: errScanEnded}
		defer func() { r.Send(m) }()
		defer func() {
			if p := recover(); p != nil {
				m.err = fmt.Errorf("participant panicked: %v", p)
			}
		}()
		ctx, cancel := context.WithTimeout(g.Context(), timeout)
		defer cancel()
		m.ids, m.err = p.InDoubt(ctx, name)
	}()
}

var errScanEnded = fmt.Errorf("participant ended the goroutine of its call")

// scanned compares a list with what is live, parked, in the journal or finished:
// all of that is read after the list was made.
func (r *root) scanned(m *scanned) {
	name := m.gateway.Branch.Name
	delete(r.doubts.running, name)
	if m.err != nil {
		m.gateway.Failed(r.env, m.err)
		return
	}
	if r.closing != nil || r.Log.Err() != nil {
		return
	}
	suspected := make(map[uuid.UUID]bool)
	for _, id := range m.ids {
		if len(suspected) >= maxInDoubt {
			break
		}
		kind, unaccounted := r.unaccounted(id)
		if !unaccounted {
			if r.resolvesAnother(id, name) {
				suspected[id] = true
			}
			continue
		}
		if !r.Log.Journal.Lasts() && bytes.Compare(id[:], r.Incarnation[:]) < 0 {
			r.config.Observer.Emit(actors.Event{
				Kind: actors.EventInDoubt, Transaction: id, Participant: name,
				Reason: "left alone: the journal of its coordinator did not last",
			})
			continue
		}
		if r.doubts.suspected[name][id] {
			r.resolve(m.gateway, id, kind)
		} else {
			suspected[id] = true
		}
	}
	r.doubts.suspected[name] = suspected
	if len(suspected) > 0 {
		r.doubts.next = time.Now().Add(again)
	}
	r.deliver()
	r.schedule()
}

// unaccounted tells whether a branch that a participant lists belongs to no
// transaction that will settle it, and how that has ended then. Unknown is
// rolled back: a transaction is not forgotten before all have acknowledged.
func (r *root) unaccounted(id uuid.UUID) (journal.Kind, bool) {
	if r.parked.byID[id] != nil {
		return 0, false
	}
	h := r.Directory.Find(id)
	if h == nil {
		_, ok, err := r.unlisted(id)
		return journal.Rollback, !ok && err == nil
	}
	switch h.State() {
	case protocol.Committed:
		return journal.Commit, h.PID() == nil
	case protocol.RolledBack:
		return journal.Rollback, h.PID() == nil
	default:
		return 0, false
	}
}

// resolvesAnother tells whether a branch of another participant is being
// resolved under this id: this one's turn comes after that.
func (r *root) resolvesAnother(id uuid.UUID, name string) bool {
	e := r.parked.byID[id]
	return e != nil && e.stray && !slices.Contains(e.names, name)
}

// resolve tells one participant what became of a branch. The id is taken first,
// so that no transaction can begin under it. A transaction that was committed
// without the branch stays so, and has it rolled back: work that nobody prepared.
func (r *root) resolve(g *actors.Gateway, id uuid.UUID, kind journal.Kind) {
	h := r.Directory.Find(id)
	known := h != nil
	if !known {
		h = actors.NewHandle(id, nil)
		h.SetState(recordState(kind))
	}
	r.add(h)
	e := &parkedEntry{
		handle: h,
		stray:  true,
		names:  []string{g.Branch.Name},
		record: &journal.Record{
			Transaction: id, Kind: kind, Began: time.Now(),
			Branches: []journal.Branch{{Participant: g.Branch.Name, TwoPhase: g.Branch.TwoPhase, Pending: true}},
		},
	}
	r.parked.byID[id] = e
	r.parked.put(e, r.Registry.Gateway)
	reason := "rolled back: no transaction knows it"
	switch {
	case known && h.Foreign(g.Branch.Name):
		reason = "rolled back: no part of its transaction, which has finished (" + h.Outcome().String() + ")"
	case known:
		reason = "told again: its transaction has finished (" + h.Outcome().String() + ")"
	}
	r.config.Observer.Emit(actors.Event{
		Kind: actors.EventInDoubt, Transaction: id, Participant: g.Branch.Name, Reason: reason,
	})
}
