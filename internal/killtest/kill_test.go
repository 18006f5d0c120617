package killtest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/proof"
)

var (
	seedFlag   = flag.Uint64("kill.seed", 0, "seed of the kills; 0 draws one")
	roundsFlag = flag.Int("kill.rounds", 0, "rounds of kills; 0 for the usual number")
)

const killsPerRound = 12

// TestKill kills, and audits after every round.
func TestKill(t *testing.T) {
	if role := os.Getenv(roleVariable); role != "" {
		t.Fatal(play(role))
	}
	rounds, seed := *roundsFlag, *seedFlag
	if rounds == 0 {
		rounds = 2
		if proof.Wanted() {
			rounds = 50
		}
	}
	if seed == 0 {
		seed = rand.Uint64()
	}
	k := &killing{dir: t.TempDir(), book: newNotebook(), tally: tally{Points: make(map[string]int)}}
	for round := range rounds {
		findings, err := k.roundAndAudit(seed, uint64(round))
		if err != nil || len(findings) > 0 {
			for _, f := range findings {
				t.Error(f)
			}
			t.Fatalf("%v\nthe same kills again: go test ./internal/killtest -run '^TestKill$' -count=1 -kill.seed=%d -kill.rounds=%d",
				err, seed, round+1)
		}
	}
	k.note(t, seed, rounds)
}

func (k *killing) roundAndAudit(seed, number uint64) ([]string, error) {
	if err := k.round(seed, number, killsPerRound); err != nil {
		return nil, err
	}
	if err := k.settle(); err != nil {
		return k.book.findings, err
	}
	return audit(k.dir, k.book)
}

// settle brings everything up, waits until the coordinator has nothing left to
// do, and asks it for what was told, before and after.
func (k *killing) settle() (err error) {
	for _, role := range []string{bankNames[0], bankNames[1], notaryName} {
		child, err := start(k.dir, role)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, child.Kill(), child.Wait()) }()
	}
	c, err := openClearing(k.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	k.ask(c, dtc.ErrOutcomeUnknown)
	if err := c.awaitQuiet(); err != nil {
		return err
	}
	k.ask(c, nil)
	return nil
}

// ask asks for every outcome: it is the same as ever, and known, or unknown for
// the reason that is allowed.
func (k *killing) ask(c *clearing, allowed error) {
	for id := range k.book.transfers {
		outcome, err := c.Outcome(context.Background(), id)
		if err == nil || !errors.Is(err, allowed) {
			k.book.learn(id, outcome, err)
		}
	}
}

// awaitQuiet waits until no transaction is unfinished and no bank has anything
// prepared.
func (c *clearing) awaitQuiet() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		left, err := c.unfinished(ctx)
		if err == nil && len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a minute later %v are unfinished, or: %v", left, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (c *clearing) unfinished(ctx context.Context) (left []uuid.UUID, err error) {
	for _, b := range c.banks {
		ids, err := b.InDoubt(ctx, coordinatorName)
		if err != nil {
			return nil, err
		}
		left = append(left, ids...)
	}
	list, err := c.Transactions(ctx, dtc.Filter{})
	for _, s := range list {
		left = append(left, s.ID)
	}
	return left, err
}

func (k *killing) note(t *testing.T, seed uint64, rounds int) {
	begun, toldCommitted, toldRolledBack := k.book.count()
	named := make(map[string]bool)
	for _, points := range cast() {
		for _, p := range points {
			named[p] = true
		}
	}
	if toldCommitted == 0 && rounds > 10 {
		t.Fatal("no transfer was committed: the kills leave no time for one")
	}
	r, err := readRegister(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	proof.Note(t, "kills", struct {
		Seed   uint64 `json:"seed"`
		Rounds int    `json:"rounds_each_audited"`
		tally
		Named      int `json:"named_points"`
		Reached    int `json:"named_points_at_which_a_process_was_killed"`
		Begun      int `json:"transfers_begun"`
		Committed  int `json:"transfers_told_committed"`
		RolledBack int `json:"transfers_told_rolled_back"`
		Untold     int `json:"transfers_of_which_nothing_was_told"`
		Repeated   int `json:"signatures_and_strikes_repeated_after_a_kill"`
		Wrong      int `json:"found_wrong"`
	}{
		seed, rounds, k.tally, len(named), len(k.tally.Points),
		begun, toldCommitted, toldRolledBack, begun - toldCommitted - toldRolledBack, r.repeated, 0,
	})
}
