package files

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/participant"
)

// TestKill moves amounts between files from many goroutines, in one phase or two,
// while the log is written anew again and again, and is killed. Afterwards the
// amounts add up, and every branch is what was answered, or one step further.
func TestKill(t *testing.T) {
	const accounts, start = 12, 1_000_000
	open := func(dir string) (*Tree, error) { return Open("site", dir, &Options{slack: 1 << 12}) }
	work := func(dir string, ack func(string)) error {
		tree, err := open(dir)
		if err != nil {
			return err
		}
		p := Payload{}
		for i := range accounts {
			p.Expect = append(p.Expect, Absent(fmt.Sprint(i)))
			p.Write = append(p.Write, Write{Path: fmt.Sprint(i), Data: fmt.Append(nil, start)})
		}
		err = tree.CommitOnePhase(ctx, newBranch(p))
		if changed := (*ChangedError)(nil); err != nil && !errors.As(err, &changed) {
			return err
		}
		failed := make(chan error)
		for range 8 {
			go func() {
				for {
					if err := transfer(tree, accounts, ack); err != nil {
						failed <- err
					}
				}
			}()
		}
		return <-failed
	}
	verify := func(dir string, acked []string) {
		tree, err := open(dir)
		must(t, err)
		defer tree.Close()
		ids, err := tree.InDoubt(ctx, "c")
		must(t, err)
		verifyBranches(t, tree, acked, ids)
		for _, id := range ids {
			b := participant.Branch{Coordinator: "c", Transaction: id}
			if rand.IntN(2) == 0 {
				must(t, tree.Commit(ctx, b))
			} else {
				must(t, tree.Rollback(ctx, b))
			}
		}
		sum := 0
		for name, data := range content(t, dir) {
			var amount int
			if _, err := fmt.Sscan(data, &amount); err != nil {
				t.Errorf("%s has %q: %v", name, data, err)
			}
			sum += amount
		}
		if sum != accounts*start {
			t.Errorf("the amounts add up to %d", sum)
		}
		nothingStaged(t, dir)
		nothingLocked(t, tree)
	}
	inMemory(t)
	crashtest.Run(t, 2, work, verify)
}

// transfer takes one branch through prepare and on to its end, unless another
// branch is in the way.
func transfer(tree *Tree, accounts int, ack func(string)) error {
	b := newBranch()
	work, err := tree.Begin(ctx, b.Transaction)
	if err != nil {
		return err
	}
	from := rand.IntN(accounts)
	to := (from + 1 + rand.IntN(accounts-1)) % accounts
	amount := 1 + rand.IntN(100)
	if err := errors.Join(move(work, fmt.Sprint(from), -amount), move(work, fmt.Sprint(to), amount)); err != nil {
		return errors.Join(unless(err), tree.Rollback(ctx, b))
	}
	if rand.IntN(4) == 0 {
		err := tree.CommitOnePhase(ctx, b)
		if err == nil {
			ack(fmt.Sprint(b.Transaction, " ", uint8(participant.Committed)))
		}
		return unless(err)
	}
	if err := tree.Prepare(ctx, b); err != nil {
		return errors.Join(unless(err), tree.Rollback(ctx, b))
	}
	ack(fmt.Sprint(b.Transaction, " ", uint8(participant.Prepared)))
	end, becomes := tree.Commit, participant.Committed
	if rand.IntN(3) == 0 {
		end, becomes = tree.Rollback, participant.RolledBack
	}
	if err := end(ctx, b); err != nil {
		return err
	}
	ack(fmt.Sprint(b.Transaction, " ", uint8(becomes)))
	return nil
}

// unless passes on what is no conflict.
func unless(err error) error {
	var conflict *ConflictError
	var changed *ChangedError
	if errors.As(err, &conflict) || errors.As(err, &changed) {
		return nil
	}
	return err
}

func move(work *Branch, name string, amount int) error {
	data, err := work.ReadFile(name)
	if err != nil {
		return err
	}
	var have int
	if _, err := fmt.Sscan(string(data), &have); err != nil {
		return err
	}
	if err := work.Expect(Content(name, data)); err != nil {
		return err
	}
	return work.WriteFile(name, fmt.Append(nil, have+amount), 0o644)
}

func verifyBranches(t *testing.T, tree *Tree, acked []string, doubt []uuid.UUID) {
	t.Helper()
	known := map[string]participant.State{}
	for _, line := range acked {
		id, state, _ := strings.Cut(line, " ")
		var s participant.State
		if _, err := fmt.Sscan(state, &s); err != nil {
			t.Fatal(err)
		}
		known[id] = max(known[id], s)
	}
	for text, want := range known {
		id := uuid.MustParse(text)
		got, err := tree.Branch("c", id)
		if err != nil || got != want && !(want == participant.Prepared && got.Settled()) {
			t.Fatalf("%s is %v, %v; %v was answered", id, got, err, want)
		}
		if slices.Contains(doubt, id) != (got == participant.Prepared) {
			t.Fatalf("%s is %v, and in doubt: %t", id, got, got != participant.Prepared)
		}
	}
}
