package httpbranch_test

import (
	"errors"
	"testing"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// TestServiceIsKilled kills a service, a process of its own, in every phase of a
// transaction, and starts it again: it ends as the branch beside it does.
func TestServiceIsKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at        string
		committed bool
	}{
		{"prepare before", false},
		{"prepare after", false},
		{"commit before", true},
		{"commit after", true},
		{"rollback before", false},
		{"rollback after", false},
	} {
		t.Run(c.at, func(t *testing.T) {
			t.Parallel()
			s := startService(t, c.at, "die")
			refuses := c.at[0] == 'r'
			result, settled := inTrouble(t, s, dtc.Config{}, refuses)
			s.restart()
			if err := <-result; (err == nil) != c.committed || err != nil && !errors.Is(err, dtc.ErrRolledBack) {
				t.Errorf("committed %t: %v", c.committed, err)
			}
			settled(c.committed)
		})
	}
}

// TestOnePhaseServiceIsKilled: a transaction with one participant is left to that, and
// the one that comes back is asked.
func TestOnePhaseServiceIsKilled(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]bool{"commit-one-phase before": false, "commit-one-phase after": true} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := startService(t, at, "die")
			c := coordinate(t, dtc.Config{})
			p := connect(t, "stock", s.url(), &ledgerOptions)
			result := make(chan error, 1)
			go func() { result <- c.Execute(background, nil, dtc.Enlistment{Participant: p, Payload: widgets(1)}) }()
			s.restart()
			if err := <-result; (err == nil) != want || err != nil && !errors.Is(err, dtc.ErrRolledBack) {
				t.Errorf("committed %t: %v", want, err)
			}
			s.settles(want)
		})
	}
}

// inTrouble runs a transaction with the service and a ledger beside it, which may
// refuse. Settled checks that both have ended in the same way.
func inTrouble(t *testing.T, s *service, config dtc.Config, refuses bool) (result chan error, settled func(committed bool)) {
	t.Helper()
	beside := openStock(t, 10)
	c := coordinate(t, config)
	p := connect(t, "stock", s.url(), &httpbranch.Options{Recoverer: true})
	take := int64(1)
	if refuses {
		take = 11
	}
	result = make(chan error, 1)
	go func() {
		result <- c.Execute(background, nil,
			dtc.Enlistment{Participant: p, Payload: widgets(1)},
			dtc.Enlistment{Participant: renamed{beside}, Payload: widgets(take)})
	}()
	return result, func(committed bool) {
		t.Helper()
		s.settles(committed)
		eventually(t, "the ledger beside has settled", func() bool {
			balance, err := beside.Balance("widget")
			reserved, err2 := beside.Reserved()
			return errors.Join(err, err2) == nil && len(reserved) == 0 && balance == left(committed)
		})
	}
}

// left is how many widgets there are after a transaction that takes one.
func left(committed bool) int64 {
	if committed {
		return 9
	}
	return 10
}

func (s *service) settles(committed bool) {
	s.t.Helper()
	eventually(s.t, "the service has settled", func() bool {
		balance, reserved := s.widgets()
		return balance == left(committed) && reserved == 0
	})
}

// renamed is a participant under another name.
type renamed struct{ participant.Preparer }

func (renamed) Name() string { return "stock beside" }
