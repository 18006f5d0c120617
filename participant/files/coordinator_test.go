package files_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/files"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

var ctx = context.Background()

// shop is a coordinator with a stock and a directory of orders: an order's file is
// there if and only if the stock has been taken.
type shop struct {
	coordinator *dtc.Coordinator
	stock       *ledger.Ledger
	orders      *files.Tree
}

const stocked = 1_000_000

func openShop(dir string) (s *shop, err error) {
	s = new(shop)
	if s.stock, err = ledger.Open("stock", filepath.Join(dir, "stock"), nil); err != nil {
		return nil, err
	}
	if err := s.stock.Seed(map[string]ledger.Account{"widget": {Balance: stocked}}); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "orders"), 0o755); err != nil {
		return nil, err
	}
	if s.orders, err = files.Open("orders", filepath.Join(dir, "orders"), nil); err != nil {
		return nil, err
	}
	j, err := pebble.Open(filepath.Join(dir, "journal"), nil)
	if err != nil {
		return nil, err
	}
	s.coordinator, err = dtc.Open(newSystem(), dtc.Config{
		Name: "shop", Journal: j, Logger: quiet,
		Participants: []participant.Participant{s.stock, s.orders},
	})
	return s, err
}

func (s *shop) close() error {
	return errors.Join(s.coordinator.Close(), s.stock.Close(), s.orders.Close())
}

func take(n int) []byte {
	return ledger.Payload{Entries: []ledger.Entry{{Account: "widget", Delta: -int64(n)}}}.Encode()
}

// order takes n from the stock and writes an order of that many, in one of two
// ways.
func (s *shop) order(name string, n int) error {
	if n%2 == 0 {
		p := files.Payload{Write: []files.Write{{Path: name, Data: fmt.Append(nil, n)}}}
		return s.coordinator.Execute(ctx, nil, dtc.Enlistment{Participant: s.stock, Payload: take(n)},
			dtc.Enlistment{Participant: s.orders, Payload: p.Encode()})
	}
	return s.coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
		if err := errors.Join(tx.Enlist(ctx, s.orders, nil), tx.Enlist(ctx, s.stock, take(n))); err != nil {
			return err
		}
		branch, err := s.orders.Begin(ctx, tx.ID())
		if err != nil {
			return err
		}
		return branch.WriteFile(name, fmt.Append(nil, n), 0o644)
	})
}

// audit compares the stock with the orders, once nothing is unfinished.
func (s *shop) audit(t *testing.T, dir string) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		pending, err := s.orders.Pending()
		reserved, err2 := s.stock.Reserved()
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if len(pending) == 0 && len(reserved) == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("unfinished: %v and %v", pending, reserved)
		}
	}
	balance, err := s.stock.Balance("widget")
	if err != nil {
		t.Fatal(err)
	}
	ordered := int64(0)
	names, err := filepath.Glob(filepath.Join(dir, "orders", "order-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var n int64
		if _, err := fmt.Sscan(string(data), &n); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ordered += n
	}
	if balance+ordered != stocked {
		t.Errorf("%d in stock and %d ordered, of %d", balance, ordered, stocked)
	}
}

func TestCoordinator(t *testing.T) {
	dir := t.TempDir()
	s, err := openShop(dir)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if err := s.order(fmt.Sprint("order-", n), n+1); err != nil {
			t.Fatal(err)
		}
	}
	// What the stock refuses writes no order, and the other way round.
	for n := range 2 {
		if err := s.order("order-refused", stocked+n); !errors.Is(err, dtc.ErrRolledBack) {
			t.Errorf("too much: %v", err)
		}
		if err := s.order("none/order", 1+n); !errors.Is(err, dtc.ErrRolledBack) {
			t.Errorf("no directory: %v", err)
		}
	}
	// A single participant commits in one phase; one that only reads has no phase.
	err = s.coordinator.Execute(ctx, nil, dtc.Enlistment{Participant: s.orders, Payload: files.Payload{Mkdir: []string{"d"}}.Encode()})
	if err != nil {
		t.Error(err)
	}
	boom := errors.New("boom")
	err = s.coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
		branch, err := s.orders.Begin(ctx, tx.ID())
		if err != nil {
			return err
		}
		return errors.Join(tx.Enlist(ctx, s.orders, nil), branch.WriteFile("order-undone", nil, 0o644), boom)
	})
	if !errors.Is(err, boom) {
		t.Error(err)
	}
	s.audit(t, dir)
	names, err := os.ReadDir(filepath.Join(dir, "orders"))
	if err != nil || len(names) != 22 { // with .dtc and d
		t.Errorf("%d names, %v", len(names), err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// TestCoordinatorKilled kills the whole shop. What was answered
// holds, and the orders match the stock.
func TestCoordinatorKilled(t *testing.T) {
	work := func(dir string, ack func(string)) error {
		s, err := openShop(dir)
		if err != nil {
			return err
		}
		failed := make(chan error)
		for range 8 {
			go func() {
				for {
					name := fmt.Sprint("order-", rand.Uint64())
					switch err := s.order(name, 1+rand.IntN(9)); {
					case err == nil:
						ack("accepted " + name)
					case errors.Is(err, dtc.ErrRolledBack): // on a slow machine, for want of time
						ack("refused " + name)
					default:
						failed <- err
					}
				}
			}()
		}
		return <-failed
	}
	verify := func(dir string, acked []string) {
		s, err := openShop(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.audit(t, dir)
		for _, line := range acked {
			answer, name, _ := strings.Cut(line, " ")
			_, err := os.Stat(filepath.Join(dir, "orders", name))
			if there := err == nil; there != (answer == "accepted") {
				t.Errorf("%s was %s, and is there: %t", name, answer, there)
			}
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
	rounds := 1
	if proof.Wanted() {
		rounds = 4
	}
	crashtest.Run(t, rounds, work, verify)
}
