package simulator

import (
	"fmt"
	"slices"

	"github.com/seed-d36415c0/dtc/protocol"
)

// atRest checks what must be so when the faults have long stopped; it returns
// the invariant that is not, and why; nothing if all is at rest.
func (w *world) atRest() (invariant, why string) {
	c := w.serving
	if c == nil {
		return ac5, "no coordinator is open"
	}
	if w.crowdedOut() {
		return "", ""
	}
	for _, x := range w.order {
		if why := w.unsettled(w.truths[x]); why != "" {
			return ac5, why
		}
	}
	for _, t := range c.actors {
		if w.contrary(t.h.id) {
			continue
		}
		return ac5, fmt.Sprintf("%d is %s in memory", t.h.id, t.tx.State())
	}
	for _, e := range c.parked.entries {
		if !w.contrary(e.h.id) {
			return ac5, fmt.Sprintf("%d is parked", e.h.id)
		}
	}
	for _, r := range w.requests {
		if !r.replied {
			return api, fmt.Sprintf("%d: %s is never answered", r.tx, r.what)
		}
	}
	if c.live != 0 {
		return bounded, fmt.Sprintf("%d slots have leaked", c.live)
	}
	for _, r := range w.disk.seen.records {
		if w.contrary(r.id) {
			continue
		}
		return clean, fmt.Sprintf("a record of %s is left of %d", r.kind, r.id)
	}
	return "", ""
}

// crowdedOut tells whether transactions that a person has settled against their
// outcome, so that they never end, hold the whole list of the parked ones. What is
// parked beyond it then waits for as long.
func (w *world) crowdedOut() bool {
	c := w.serving
	return c.overflow && slices.ContainsFunc(c.parked.entries, func(e *entry) bool { return w.contrary(e.h.id) })
}

// contrary tells whether a person has settled a branch of the transaction against
// its outcome. Then some participant may never agree.
func (w *world) contrary(x id) bool { return w.truths[x] != nil && w.truths[x].contrary }

// unsettled tells what of a transaction is not decided at a participant; empty if
// nothing.
func (w *world) unsettled(t *truth) string {
	for _, p := range w.parts {
		b := p.held[t.id]
		if b == nil || t.contrary {
			continue
		}
		if b.standing == prepared || b.work {
			return fmt.Sprintf("%d: %s is %s still (work %v)", t.id, letter(p.n), b.standing, b.work)
		}
	}
	return ""
}

// judge checks every transaction's end.
func (w *world) judge() {
	if w.crowdedOut() {
		return
	}
	for _, x := range w.order {
		t := w.truths[x]
		if t.contrary {
			continue
		}
		yes := w.isCommitted(t)
		if t.firm == protocol.OutcomeCommitted && !yes {
			w.violated(durability, "%d: committed was told, and it is not", x)
		}
		for _, p := range w.parts {
			if b := p.held[x]; b != nil {
				w.judgeBranch(t, p, b, yes)
			}
		}
	}
}

func (w *world) judgeBranch(t *truth, p *service, b *branch, yes bool) {
	member := t.members.has(p.n)
	switch {
	case t.settled.has(p.n):
	case yes && member && b.standing != committed && b.standing != readOnly:
		w.violated(durability, "%d is committed, and %s is %s", t.id, letter(p.n), b.standing)
	case yes && member && b.standing == committed && b.effects != 1,
		(!yes || !member) && b.effects != 0:
		w.violated(idempotence, "%d: %s has taken effect %d times (committed: %v)", t.id, letter(p.n), b.effects, yes && member)
	}
}
