package protocol

import (
	"strings"
	"testing"
)

// TestWords checks that every value has a word of its own, and that a value that
// is none prints as what it is.
func TestWords(t *testing.T) {
	words := map[string]bool{}
	check := func(kind string, word func(uint8) string, last uint8) {
		for v := range last + 1 {
			w := word(v)
			if strings.Contains(w, "protocol.") || words[kind+w] {
				t.Errorf("%s %d prints as %q", kind, v, w)
			}
			words[kind+w] = true
		}
		if w := word(last + 1); !strings.HasPrefix(w, "protocol."+kind) {
			t.Errorf("%s %d prints as %q", kind, last+1, w)
		}
	}
	check("State", func(v uint8) string { return State(v).String() }, uint8(RolledBack))
	check("Outcome", func(v uint8) string { return Outcome(v).String() }, uint8(OutcomeRolledBack))
	check("Path", func(v uint8) string { return Path(v).String() }, uint8(WithIntent))
	check("Record", func(v uint8) string { return Record(v).String() }, uint8(RollbackRecord))
	check("Op", func(v uint8) string { return Op(v).String() }, uint8(Rollback))
	check("Result", func(v uint8) string { return Result(v).String() }, uint8(TimedOut))
	check("EventKind", func(v uint8) string { return EventKind(v).String() }, uint8(Resume))
	check("ActionKind", func(v uint8) string { return ActionKind(v).String() }, uint8(Park))
}

// TestZeroValues: the zero transaction takes no branch, and claims nothing that
// is not so.
func TestZeroValues(t *testing.T) {
	var tx Transaction
	if got := tx.Step(Event{}); len(got) > 0 || tx.State() != Active || tx.Outcome() != Undecided {
		t.Errorf("an event that is none: %v, %s, %s", got, tx.State(), tx.Outcome())
	}
	if got := tx.Step(Event{Kind: Enlist, Enlist: Branch{Name: "a"}}); len(got) != 1 || got[0].Kind != RefuseFull {
		t.Errorf("enlist: %v, want a refusal", got)
	}
	var o Outcome
	var r Result
	if o != Unknown || r != Failed {
		t.Errorf("zero outcome %s, zero result %s: want what promises nothing", o, r)
	}
}

// TestImpossibleState: a state that does not exist is a defect, and nothing may
// go on from it.
func TestImpossibleState(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	tx := Transaction{state: RolledBack + 1}
	tx.Step(Event{Kind: AskCommit})
}
