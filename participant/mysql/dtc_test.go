package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdslog "log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/mysql"
)

// openCoordinator opens the coordinator whose journal is in dir.
func openCoordinator(dir string, timeout time.Duration, all ...participant.Participant) (*dtc.Coordinator, error) {
	journal, err := pebble.Open(filepath.Join(dir, "journal"), nil)
	if err != nil {
		return nil, err
	}
	config := dtc.Config{Name: owner, Journal: journal, Participants: all, RecoveryInterval: 50 * time.Millisecond, ParticipantTimeout: timeout,
		Retry: dtc.Backoff{Max: 200 * time.Millisecond}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	c, err := dtc.Open(actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.DiscardHandler)
	})), config)
	if err != nil {
		return nil, errors.Join(err, journal.Close())
	}
	return c, nil
}

// deaf is a participant that does not hear the decision.
type deaf struct {
	*mysql.Participant
	told atomic.Int32
}

func (d *deaf) Commit(context.Context, participant.Branch) error {
	d.told.Add(1)
	return errors.New("not heard")
}

// TestTakeover: a coordinator ends between prepare and commit, and a second one, in
// what might be another process, brings its transactions to their end.
func TestTakeover(t *testing.T) {
	alone(t)
	dsns := []string{serverstest.MariaDBDatabase(t), serverstest.MariaDBDatabase(t)}
	dir := t.TempDir()
	ctx := within(t)
	left, right := openBankNamed(t, "left", dsns[0], nil), openBankNamed(t, "right", dsns[1], nil)
	one, two := &deaf{Participant: left.Participant}, &deaf{Participant: right.Participant}
	first, err := openCoordinator(dir, 200*time.Millisecond, one, two)
	must(t, err)
	err = first.Run(ctx, &dtc.TxOptions{Timeout: 10 * time.Second}, func(tx *dtc.Tx) error {
		return errors.Join(left.give(ctx, tx, one, -1), right.give(ctx, tx, two, 1))
	})
	if err != nil || one.told.Load() == 0 {
		t.Fatalf("not committed, or never told: %v", err)
	}
	orphan := newBranch() // of the coordinator, which knows nothing of it
	orphan.Participant = "left"
	tx, err := left.Begin(ctx, orphan.Transaction)
	must(t, err)
	_, err = tx.ExecContext(ctx, "UPDATE account SET balance = 0 WHERE name = 'b'")
	must(t, err, left.Prepare(ctx, orphan))
	must(t, first.Close(), left.Close(), right.Close())
	left.doubts(t, 2)
	right.doubts(t, 1)

	left2, right2 := openUnmigratedNamed(t, "left", dsns[0]), openUnmigratedNamed(t, "right", dsns[1])
	second, err := openCoordinator(dir, 5*time.Second, left2, right2)
	must(t, err)
	defer second.Close()
	eventually(t, "nothing is in doubt", func() bool {
		ids, err := left2.InDoubt(ctx, owner)
		more, err2 := right2.InDoubt(ctx, owner)
		must(t, err, err2)
		return len(ids)+len(more) == 0
	})
	left2.is(t, "a", 99)
	left2.is(t, "b", 100)
	right2.is(t, "a", 101)
}

// give adds an amount to account a.
func (b *bank) give(ctx context.Context, tx *dtc.Tx, p participant.Participant, amount int) error {
	branch, err := b.Begin(ctx, tx.ID())
	if err != nil {
		return err
	}
	if _, err := branch.ExecContext(ctx, "UPDATE account SET balance = balance + ? WHERE name = 'a'", amount); err != nil {
		branch.Abandon()
		return err
	}
	if err := tx.Enlist(ctx, p, nil); err != nil {
		branch.Abandon()
		return err
	}
	return nil
}

// TestKilledProcesses: transfers between two databases, by the application and from
// payloads, while their process is killed again and again. What was answered stays,
// the sum is what it was, and nothing is left over.
func TestKilledProcesses(t *testing.T) {
	alone(t)
	const variable = "DTC_MYSQL_TEST_DSNS"
	if os.Getenv(variable) == "" { // the parent
		dsns := serverstest.MariaDBDatabase(t) + " " + serverstest.MariaDBDatabase(t)
		for i, dsn := range strings.Fields(dsns) {
			b := openBankNamed(t, sides[i], dsn, nil)
			for account := range accounts {
				_, err := b.db.Exec("INSERT INTO account VALUES (?, 1000)", fmt.Sprint(account))
				must(t, err)
			}
		}
		must(t, os.Setenv(variable, dsns)) // t.Setenv would forbid t.Parallel
		t.Cleanup(func() { os.Unsetenv(variable) })
	}
	dsns := strings.Fields(os.Getenv(variable))
	work := func(dir string, ack func(string)) error { return transferUntilKilled(t, dir, dsns, ack) }
	verify := func(dir string, acked []string) { verifyTransfers(t, dir, dsns, acked) }
	rounds := 1
	if proof.Wanted() {
		rounds = 5
	}
	crashtest.Run(t, rounds, work, verify)
}

const accounts = 8

var sides = []string{"left", "right"}

func transferUntilKilled(t *testing.T, dir string, dsns []string, ack func(string)) error {
	ctx := context.Background()
	left, right := openUnmigratedNamed(t, "left", dsns[0]), openUnmigratedNamed(t, "right", dsns[1])
	c, err := openCoordinator(dir, 5*time.Second, left, right)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for worker := range accounts {
		go func() {
			for {
				id := uuid.Must(uuid.NewV7())
				if err := transfer(ctx, c, left, right, id, worker); err == nil {
					ack(id.String())
				} else if !errors.Is(err, dtc.ErrRolledBack) {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

// transfer moves an amount from an account on the left to its twin on the right.
func transfer(ctx context.Context, c *dtc.Coordinator, left, right *bank, id uuid.UUID, worker int) error {
	amount := rand.IntN(21) - 10
	payload := func(n int) []byte { return fmt.Appendf(nil, "%d %d", worker, n) }
	options := &dtc.TxOptions{ID: id}
	if worker%2 == 0 {
		return c.Execute(ctx, options, dtc.Enlistment{Participant: left, Payload: payload(-amount)}, dtc.Enlistment{Participant: right, Payload: payload(amount)})
	}
	return c.Run(ctx, options, func(tx *dtc.Tx) error {
		for i, b := range []*bank{left, right} {
			branch, err := b.Begin(ctx, id)
			if err != nil {
				return err
			}
			if err := move(ctx, branch, participant.Branch{Payload: payload([]int{-amount, amount}[i])}); err != nil {
				branch.Abandon()
				return err
			}
			if err := tx.Enlist(ctx, b, nil); err != nil {
				branch.Abandon()
				return err
			}
		}
		if rand.IntN(8) == 0 {
			return errors.New("changed my mind")
		}
		return nil
	})
}

// move is work: the payload names an account and an amount.
func move(ctx context.Context, tx *mysql.Branch, b participant.Branch) error {
	var account string
	var amount int
	if _, err := fmt.Sscan(string(b.Payload), &account, &amount); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE account SET balance = balance + ? WHERE name = ?", amount, account)
	return err
}

func verifyTransfers(t *testing.T, dir string, dsns []string, acked []string) {
	t.Helper()
	ctx := within(t)
	left, right := openUnmigratedNamed(t, "left", dsns[0]), openUnmigratedNamed(t, "right", dsns[1])
	c, err := openCoordinator(dir, 5*time.Second, left, right)
	must(t, err)
	eventually(t, "all transactions are finished", func() bool {
		all, err := c.Transactions(ctx, dtc.Filter{})
		must(t, err)
		n := 0
		for _, b := range []*bank{left, right} {
			ids, err := b.InDoubt(ctx, owner)
			must(t, err)
			n += len(ids)
		}
		return n == 0 && len(all) == 0
	})
	must(t, c.Close(), left.Close(), right.Close())
	sums := []int{}
	for _, b := range []*bank{left, right} {
		sums = append(sums, b.count(t, "SELECT SUM(balance) FROM account"))
		for _, id := range acked {
			u := uuid.MustParse(id)
			if n := b.count(t, fmt.Sprintf("SELECT COUNT(*) FROM dtc_xa_branches WHERE committed = 1 AND transaction_id = X'%x'", u[:])); n != 1 {
				t.Errorf("%s was answered to be committed, and is not on the %s", id, b.Name())
			}
		}
	}
	if want := 2 * (accounts*1000 + 200); sums[0]+sums[1] != want {
		t.Fatalf("the sums %v make %d, not %d", sums, sums[0]+sums[1], want)
	}
	if n := left.count(t, "SELECT COUNT(*) FROM dtc_xa_branches WHERE committed = 1"); n != right.count(t, "SELECT COUNT(*) FROM dtc_xa_branches WHERE committed = 1") {
		t.Error("the sides have not committed the same transactions")
	}
	t.Logf("%d transfers were answered, the sums are %v", len(acked), sums)
}
