package participanttest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

func TestGoodParticipantsPass(t *testing.T) {
	t.Run("one-phase", func(t *testing.T) { participanttest.Run(t, harness(false, "")) })
	t.Run("two-phase", func(t *testing.T) { participanttest.Run(t, harness(true, "")) })
}

const one, two = false, true // phases

// flaws are the ways to break a promise, each with a promise that it must be
// found to break.
var flaws = []struct {
	prepares bool
	flaw     flaw
	promise  string
}{
	{one, "renames itself", "name"},
	{two, "commit does nothing", "commit"},
	{one, "commit does nothing", "commit"},
	{one, "panics", "commit"},
	{two, "no second prepare", "duplicate-prepare"},
	{two, "prepare after commit", "duplicate-prepare"},
	{one, "commits twice", "duplicate-commit"},
	{two, "commits twice", "duplicate-commit"},
	{one, "compensates twice", "duplicate-rollback"},
	{one, "does not compensate", "rollback"},
	{two, "rollback commits", "rollback"},
	{one, "compensates the unknown", "rollback-unknown"},
	{one, "no unknown rollback", "rollback-unknown"},
	{one, "forgets unknown rollback", "remember-unknown"},
	{two, "prepares late", "late-prepare"},
	{two, "no tombstones", "late-prepare"},
	{one, "commits late", "late-commit"},
	{two, "commits late", "late-commit"},
	{one, "effect of a refused branch", "refusal"},
	{one, "half done when cancelled", "cancelled"},
	{two, "half done when cancelled", "cancelled"},
	{one, "scribbles", "payload"},
	{one, "remembers one branch", "concurrent"},
	{two, "remembers one branch", "concurrent"},
	{two, "lists nothing", "in-doubt"},
	{two, "lists finished branches", "in-doubt-finished"},
	{two, "lists the branches of all", "in-doubt-coordinator"},
	{two, "one-phase twice", "one-phase"},
	{two, "one-phase late", "one-phase-late"},
	{two, "asking is not final", "one-phase-asked"},
	{two, "one-phase accepts all", "one-phase-refusal"},
	{two, "loses prepared branches", "restart-in-doubt"},
	{two, "loses prepared branches", "restart-prepared"},
	{one, "loses committed branches", "restart-committed"},
	{two, "loses everything", "restart-committed"},
	{one, "loses tombstones", "restart-rolled-back"},
	{two, "loses tombstones", "restart-rolled-back"},
}

// TestEveryPromiseIsChecked breaks each promise in turn.
func TestEveryPromiseIsChecked(t *testing.T) {
	shown := map[string]bool{}
	for _, b := range flaws {
		t.Run(string(b.flaw), func(t *testing.T) {
			violations, err := participanttest.Check(harness(b.prepares, b.flaw))
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range violations {
				if v.Promise.ID == b.promise {
					if !strings.Contains(v.String(), v.Promise.Sentence) || v.Found == "" {
						t.Errorf("the violation does not say what is broken: %v", v)
					}
					return
				}
			}
			t.Errorf("promise %s was not named, but %v", b.promise, violations)
		})
		shown[b.promise] = true
	}
	for _, p := range participanttest.Promises() {
		if !shown[p.ID] {
			t.Errorf("nothing breaks promise %s", p.ID)
		}
	}
}

func TestHarnessFailures(t *testing.T) {
	cause := errors.New("no database")
	_, err := participanttest.Check(participanttest.Harness{
		Open: func(string) (*participanttest.Service, error) { return nil, cause },
	})
	if !errors.Is(err, cause) {
		t.Errorf("a harness that cannot open gave %v", err)
	}
	for _, h := range []participanttest.Harness{
		{},
		{Open: func(string) (*participanttest.Service, error) { return nil, nil }},
		{Open: func(string) (*participanttest.Service, error) { return new(participanttest.Service), nil }},
	} {
		if _, err := participanttest.Check(h); err == nil {
			t.Error("an incomplete harness was accepted")
		}
	}
}
