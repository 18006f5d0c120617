//go:build unix

package grpcbranch_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// shop is a coordinator with a stock in another process and money in its own.
type shop struct {
	t testing.TB
	*dtc.Coordinator
	*process
	stock participant.Participant
	money *ledger.Ledger
	told  map[int]bool // by account: committed
}

func openShop(t testing.TB, timeout time.Duration, options ...grpc.DialOption) *shop {
	s := &shop{t: t, process: startProcess(t), money: newLedger(t, "money", accounts), told: make(map[int]bool)}
	s.stock = newClient(t, "stock", dial(t, s.addr, options...), whole())
	journal, err := pebble.Open(t.TempDir(), nil)
	must(t, err)
	s.Coordinator = coordinate(t, dtc.Config{
		Journal: journal, Participants: []participant.Participant{s.stock, s.money},
		ParticipantTimeout: timeout, RecoveryInterval: 100 * time.Millisecond,
	})
	return s
}

// order takes one from the account of the stock, and of the money if it is said what
// that is told.
func (s *shop) order(account int, money []byte) <-chan error {
	list := []dtc.Enlistment{{Participant: s.stock, Payload: take(account)}}
	if money != nil {
		list = append(list, dtc.Enlistment{Participant: s.money, Payload: money})
	}
	done := make(chan error, 1)
	go func() { done <- s.Execute(ctx, nil, list...) }()
	return done
}

// note keeps what was told.
func (s *shop) note(account int, err error) {
	s.t.Helper()
	switch {
	case err == nil:
		s.told[account] = true
	case errors.Is(err, dtc.ErrRolledBack):
		s.told[account] = false
	default:
		s.t.Errorf("account %d: %v", account, err)
	}
}

// audit waits until nothing is left to do, and looks whether the ledgers say what
// was told.
func (s *shop) audit(alone map[int]bool) {
	s.t.Helper()
	eventually(s.t, "everything is finished", func() bool {
		left, err := s.Transactions(ctx, dtc.Filter{})
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		ids, doubt := as[participant.Recoverer](s.t, s.stock).InDoubt(short, "shop")
		return err == nil && doubt == nil && len(left)+len(ids) == 0
	})
	s.kill()
	stock, err := openLedger(s.dir, "stock", 0)
	must(s.t, err)
	defer stock.Close()
	for account, committed := range s.told {
		want := 10
		if committed {
			want = 9
		}
		balance(s.t, stock, account, want)
		if !alone[account] {
			balance(s.t, s.money, account, want)
		}
	}
}

// The service is killed at every moment of every call, and started again.
func TestKilledService(t *testing.T) {
	t.Parallel()
	s := openShop(t, 5*time.Second, grpc.WithDisableRetry())
	alone := make(map[int]bool)
	for account, c := range []struct {
		kills     []string
		money     []byte
		committed bool
	}{
		{[]string{"before Prepare"}, take(0), false},
		{[]string{"after Prepare"}, take(1), false},
		{[]string{"before Commit"}, take(2), true},
		{[]string{"after Commit"}, take(3), true},
		{[]string{"before Rollback"}, tooMuch(), false},
		{[]string{"after Rollback"}, tooMuch(), false},
		{[]string{"before CommitOnePhase"}, nil, false},
		{[]string{"after CommitOnePhase"}, nil, true},
		{[]string{"before CommitOnePhase", "before Committed"}, nil, false},
		{[]string{"before CommitOnePhase", "after Committed"}, nil, false},
		{[]string{"after CommitOnePhase", "after Committed"}, nil, true},
	} {
		alone[account] = c.money == nil
		moments := make([]string, len(c.kills))
		for i, moment := range c.kills {
			moments[i] = "kill " + moment
		}
		s.doom(moments...)
		done := s.order(account, c.money)
		for range c.kills {
			s.gone()
			s.start()
		}
		err := <-done
		s.note(account, err)
		if (err == nil) != c.committed {
			t.Errorf("killed %v: %v", c.kills, err)
		}
	}
	s.audit(alone)
}

// A service that is back at once is called again by the connection, where the
// coordinator would have rolled back; whichever is faster, all agree.
func TestKilledService_BackAtOnce(t *testing.T) {
	t.Parallel()
	s := openShop(t, 5*time.Second)
	for account, moment := range []string{"before Prepare", "after Prepare", "before CommitOnePhase", "after CommitOnePhase"} {
		s.doom("kill " + moment)
		money := take(account)
		if strings.HasSuffix(moment, "CommitOnePhase") {
			money = nil
		}
		done := s.order(account, money)
		s.gone()
		s.start()
		err := <-done
		s.note(account, err)
	}
	s.audit(map[int]bool{2: true, 3: true})
}

// The service is stopped like a machine that hangs, and goes on later.
func TestPausedService(t *testing.T) {
	t.Parallel()
	s := openShop(t, 600*time.Millisecond)
	for account, moment := range []string{"before Prepare", "after Prepare", "before Commit", "after Commit", "before Rollback"} {
		s.doom("stop " + moment)
		money := take(account)
		if moment == "before Rollback" {
			money = tooMuch()
		}
		done := s.order(account, money)
		s.pause()
		err := <-done
		s.note(account, err)
		if committed := strings.HasSuffix(moment, "Commit"); committed != (err == nil) {
			t.Errorf("%s: %v", moment, err)
		}
		if strings.HasSuffix(moment, "Prepare") && !errors.Is(err, dtc.ErrTimeout) {
			t.Errorf("%s: no timeout: %v", moment, err)
		}
		s.resume()
		eventually(t, "account "+strconv.Itoa(account)+" is finished", func() bool {
			left, err := s.Transactions(ctx, dtc.Filter{})
			return err == nil && len(left) == 0
		})
	}
	s.audit(nil)
}
