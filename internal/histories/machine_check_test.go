package histories_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/seed-d36415c0/dtc"
)

// check is done after every call: everything that can be seen from outside is as
// the model has it.
func (m *machine) check(t *rapid.T) {
	m.settle(t)
	live, unfinished, presumed := 0, []uuid.UUID{}, map[uuid.UUID]bool{}
	for _, x := range m.known {
		m.checkOutcome(t, x)
		m.checkCalls(t, x)
		if x.phase == active {
			live++
			m.checkBranches(t, x)
		}
		switch {
		case x.presumed:
			presumed[x.id] = true // its rollback may still be told
		case x.finished.IsZero():
			unfinished = append(unfinished, x.id)
		}
	}
	slices.SortFunc(unfinished, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	list, err := m.Transactions(background, dtc.Filter{})
	listed := []uuid.UUID{}
	for _, s := range list {
		if !presumed[s.ID] || s.Outcome != dtc.RolledBack {
			listed = append(listed, s.ID)
		}
	}
	if err != nil || !slices.Equal(listed, unfinished) {
		t.Fatalf("listed as unfinished: %v (%v), want %v", listed, err, unfinished)
	}
	// Decided transactions that wait for acknowledgements may be live or parked.
	if n := m.Stats().Live; n < live || n > len(unfinished) || n > liveLimit {
		t.Fatalf("%d transactions are live, of %d active and %d unfinished", n, live, len(unfinished))
	}
}

func (m *machine) checkOutcome(t *rapid.T, x *tx) {
	o, err := m.Outcome(background, x.id)
	lost := o == dtc.Unknown && errors.Is(err, dtc.ErrTransactionNotFound)
	switch {
	case x.expired && !lost:
		t.Fatalf("%v: its outcome has expired, and is %v (%v)", x, o, err)
	case x.presumed && lost, x.expired:
	case o != x.outcome() || err != nil:
		t.Fatalf("%v: its outcome is %v (%v)", x, o, err)
	}
}

func (m *machine) checkBranches(t *rapid.T, x *tx) {
	d, err := m.Inspect(background, x.id)
	same := slices.EqualFunc(d.Branches, x.branches, func(shown dtc.Branch, b branch) bool {
		return shown.Participant == b.player.name && !shown.Done && shown.Calls == 0
	})
	if err != nil || !same || !d.Deadline.Equal(x.deadline) {
		t.Fatalf("%v: Inspect: %+v (%v)", x, d, err)
	}
}

// checkCalls: who is not enlisted is not called, nobody is before the end, and at
// the end everybody has been, as often as the outcome says.
func (m *machine) checkCalls(t *rapid.T, x *tx) {
	for _, p := range m.players {
		p := playerOf(p)
		list := p.called(x.id)
		if x.retold {
			list = slices.Compact(list)
		}
		calls := strings.Join(list, " ")
		want := []string{""}
		if x.branch(p) != nil && x.phase != active {
			if x.finished.IsZero() {
				continue
			}
			want = x.callsOf(p)
		}
		if !slices.Contains(want, calls) {
			t.Fatalf("%v: %s was called %q, want one of %q", x, p.name, calls, want)
		}
	}
}

// callsOf is what calls a player may have got in a transaction that has ended.
func (x *tx) callsOf(p *player) []string {
	onePhase := p.way == works || p.way == spoils
	switch {
	case x.phase == committed && p.way == reads:
		return []string{"prepare"}
	case x.phase == committed && (onePhase || p.way == delegates && len(x.branches) == 1):
		return []string{"commit"}
	case x.phase == committed:
		return []string{"prepare commit"}
	case !x.asked:
		return []string{"rollback"}
	case p.way == reads: // a vote that came before the rollback is the last of it
		return []string{"rollback", "prepare", "prepare rollback"}
	case onePhase:
		return []string{"rollback", "commit rollback"}
	default:
		return []string{"rollback", "prepare rollback"}
	}
}
