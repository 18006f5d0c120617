package histories_test

import (
	"flag"
	"os"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/seed-d36415c0/dtc/internal/proof"
)

// TestMain sets the library's flags where the command line does not. It leaves no
// files: the seed that it prints is enough to see a failure again.
func TestMain(m *testing.M) {
	checks := "60"
	if proof.Wanted() {
		checks = "500"
	}
	for name, value := range map[string]string{"nofailfile": "true", "steps": "60", "checks": checks} {
		_ = flag.Set("rapid."+name, value)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// Random calls answer what the contract says, with both journals.
func TestStateMachine(t *testing.T) {
	all := struct {
		Programs int            `json:"programs"`
		Calls    int            `json:"calls_that_answered_as_the_contract_says"`
		Answers  map[string]int `json:"calls_by_answer"`
	}{Answers: make(map[string]int)}
	for name, disk := range map[string]bool{"memory": false, "pebble": true} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				bubble(t, func() {
					m := &machine{players: newPlayers(), answers: all.Answers}
					if disk {
						m.fs = vfs.NewMem()
					}
					m.play(rt)
				})
				all.Programs++
			})
		})
	}
	for _, n := range all.Answers {
		all.Calls += n
	}
	proof.Note(t, "state_machine", all)
}

// bubble calls f in virtual time. A panic of f, which is how rapid ends a test,
// goes on outside.
func bubble(t *testing.T, f func()) {
	var failure any
	synctest.Test(t, func(*testing.T) {
		defer func() { failure = recover() }()
		f()
	})
	if failure != nil {
		panic(failure)
	}
}

func (m *machine) play(t *rapid.T) {
	m.open(t)
	defer func() { _ = m.Close() }()
	t.Repeat(map[string]func(*rapid.T){
		"":         m.check,
		"Begin":    m.begin,
		"Enlist":   m.enlist,
		"Enlist 2": m.enlist, // more often than others
		"Enlist 3": m.enlist,
		"Commit":   m.commit,
		"Rollback": m.rollback,
		"Execute":  m.execute,
		"Run":      m.run,
		"pass":     m.pass,
		"reopen":   m.reopen,
	})
	m.close(t)
}
