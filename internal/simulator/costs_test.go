package simulator

import (
	"testing"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/protocol"
)

var ways = []way{
	{name: "commit, presumed abort", kind: lists, app: commits, forced: one, messages: times(2), textbook: commit},
	{name: "commit, with intent", kind: passive, app: commits, forced: two, messages: times(2)},
	{name: "one-phase participants", kind: worker, app: commits, forced: two, messages: times(1)},
	{name: "rollback, acknowledged", kind: lists, app: rolls, forced: none, messages: times(1), textbook: abort},
	{name: "rollback of participants that cannot list", kind: passive, app: rolls, forced: none, messages: times(1)},
	{name: "read-only", kind: kind{twoPhase: true, recoverable: true, moods: unconcernedAlways}, app: reads, forced: none, messages: times(1), textbook: votes},
	{name: "delegated", kind: decides, app: commits, alone: true, forced: one, messages: times(1), textbook: handOver},
}

// What presumed abort takes in the textbook: see Mohan, Lindsay and Obermarck,
// Transaction Management in the R* Distributed Database Management System, 1986.
// An abort is not acknowledged there; here it is, so that a caller can be told.
func commit(n int) (forced, messages int) { return 1, 4 * n }
func abort(n int) (forced, messages int)  { return 0, n }
func votes(n int) (forced, messages int)  { return 0, 2 * n }

// handOver leaves the decision to the only participant, which the textbook's
// coordinator then need not remember; ours can be asked what became of it.
func handOver(int) (forced, messages int) { return 0, 2 }

var (
	unconcernedAlways = []scripted{{protocol.Prepare, unconcerned, 1}}
	reads             = application{ending: "commit", idle: true}
)

// TestCosts counts what a transaction costs, and holds it against what presumed
// abort promises.
func TestCosts(t *testing.T) {
	var all []Costs
	for i := range ways {
		for _, n := range []int{1, 2, 3, 10} {
			if ways[i].alone && n > 1 {
				continue
			}
			c, err := ways[i].costs(n)
			if err != nil {
				t.Fatal(err)
			}
			if f, m := ways[i].forced(n), ways[i].messages(n); c.Forced != uint64(f) || c.Messages != uint64(m) {
				t.Errorf("%s with %d participants: %d forced writes and %d messages, want %d and %d",
					c.Way, n, c.Forced, c.Messages, f, m)
			}
			all = append(all, c)
		}
	}
	proof.Note(t, "costs", struct {
		Ways []Costs `json:"ways"`
	}{all})
}
