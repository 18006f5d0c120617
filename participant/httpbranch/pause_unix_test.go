//go:build unix

package httpbranch_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc"
)

func pauseSelf() { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) }

// TestServiceIsPaused stops a service in the middle of a call, and lets it go on when
// the coordinator has given the call up.
func TestServiceIsPaused(t *testing.T) {
	t.Parallel()
	for at, committed := range map[string]bool{
		"prepare before":  false,
		"prepare after":   false,
		"commit before":   true,
		"commit after":    true,
		"rollback before": false,
		"rollback after":  false,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := startService(t, at, "pause")
			result, settled := inTrouble(t, s, dtc.Config{ParticipantTimeout: 2 * time.Second}, at[0] == 'r')
			if err := <-result; (err == nil) != committed || err != nil && !errors.Is(err, dtc.ErrRolledBack) {
				t.Errorf("committed %t: %v", committed, err)
			}
			must(t, syscall.Kill(s.pid, syscall.SIGCONT))
			settled(committed)
		})
	}
}
