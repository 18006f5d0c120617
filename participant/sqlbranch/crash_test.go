package sqlbranch_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

// TestKill kills a process that works on a SQLite file: what stands in the table
// and what was done are the same, and nothing that was acknowledged is lost.
func TestKill(t *testing.T) {
	t.Parallel()
	work := func(dir string, ack func(string)) error {
		db, err := sqlite.pool(sqliteDSN(dir) + sqlite.settings)
		if err != nil {
			return err
		}
		p, err := sqlbranch.NewTCC("tcc", db, tcc(db.Dialect))
		if err != nil {
			return err
		}
		failed := make(chan error)
		for range 8 {
			go func() {
				for {
					if err := life(p, ack); err != nil {
						failed <- err
					}
				}
			}()
		}
		return <-failed
	}
	acked := map[string]string{}
	verify := func(dir string, lines []string) {
		db, err := sqlite.pool(sqliteDSN(dir) + sqlite.settings)
		must(t, err)
		defer db.DB.Close()
		for _, line := range lines {
			id, state, _ := strings.Cut(line, " ")
			acked[id] = state
		}
		counts := wantAcked(t, db.DB, acked)
		wantStock(t, db.DB, "a", counts["prepared"], counts["committed"])
	}
	rounds := 2
	if proof.Wanted() {
		rounds = 20
	}
	crashtest.Run(t, rounds, work, verify)
}

// life takes a branch through prepare and, mostly, on to its end.
func life(p *sqlbranch.TwoPhase, ack func(string)) error {
	b := branch("tcc", "a")
	ctx := context.Background()
	if err := p.Prepare(ctx, b); err != nil {
		return err
	}
	ack(b.Transaction.String() + " prepared")
	end, state := p.Commit, "committed"
	switch rand.IntN(4) {
	case 0:
		return nil
	case 1:
		end, state = p.Rollback, "rolled back"
	}
	if err := end(ctx, b); err != nil {
		return err
	}
	ack(b.Transaction.String() + " " + state)
	return nil
}

// wantAcked checks that every branch is where it was acknowledged to be, or one step
// further, and counts the rows by their state.
func wantAcked(t *testing.T, db *sql.DB, acked map[string]string) map[string]int {
	t.Helper()
	rows, err := db.Query("SELECT transaction_id, state FROM dtc_sqlbranch")
	must(t, err)
	defer rows.Close()
	states, counts := map[string]string{}, map[string]int{}
	for rows.Next() {
		var id, state string
		must(t, rows.Scan(&id, &state))
		states[id] = state
		counts[state]++
	}
	must(t, rows.Err())
	for id, want := range acked {
		if got := states[id]; got != want && (want != participant.Prepared.String() || got == "") {
			t.Fatalf("%s is %q; %q was acknowledged", id, got, want)
		}
	}
	if counts["new"] != 0 || len(acked) == 0 {
		t.Fatal(fmt.Sprint(counts, len(acked)))
	}
	return counts
}
