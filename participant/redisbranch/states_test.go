package redisbranch_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/redisbranch"
)

// Redis forgets its scripts, in every phase.
func TestScriptsFlushed(t *testing.T) {
	s := openShop(t)
	calls := s.calls()
	var left, reserved, taken int
	for _, ph := range phases {
		b := newBranch()
		for _, call := range append(slices.Clone(ph.before), ph.call) {
			ok(t, s.client.ScriptFlush(t.Context()).Err())
			ok(t, calls[call](t.Context(), b))
		}
		left, reserved, taken = left+ph.left, reserved+ph.reserved, taken+ph.taken
		s.counts(stockAtFirst+left, reserved, taken)
	}
}

// Out of memory Redis takes no new branch, and finishes those that are prepared.
func TestOutOfMemory(t *testing.T) {
	s := openShop(t)
	two, one := s.twoPhase(nil), s.onePhase(nil)
	committed, rolledBack, undone, fresh := newBranch(), newBranch(), newBranch(), newBranch()
	ok(t, two.Prepare(t.Context(), committed))
	ok(t, two.Prepare(t.Context(), rolledBack))
	ok(t, one.Commit(t.Context(), undone))
	ok(t, s.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	var failed *redisbranch.ScriptError
	if err := two.Prepare(t.Context(), fresh); !errors.As(err, &failed) {
		t.Errorf("Prepare answered %v", err)
	}
	if err := one.Commit(t.Context(), newBranch()); !errors.As(err, &failed) {
		t.Errorf("Commit in one phase answered %v", err)
	}
	ok(t, two.Rollback(t.Context(), fresh))
	ok(t, two.Commit(t.Context(), committed))
	ok(t, two.Rollback(t.Context(), rolledBack))
	ok(t, one.Rollback(t.Context(), undone))
	s.counts(stockAtFirst-1, 0, 1)
	if err := two.Prepare(t.Context(), fresh); !errors.Is(err, participant.ErrRolledBack) {
		t.Errorf("a late Prepare answered %v", err)
	}
}

// A server that takes no writes changes nothing, and is asked again.
func TestTakesNoWrites(t *testing.T) {
	settings := map[string][2]string{
		"min-replicas-to-write": {"1", "0"}, // NOREPLICAS
		"replicaof":             {"127.0.0.1 1", "no one"},
	}
	for name, values := range settings {
		t.Run(name, func(t *testing.T) {
			s := openShop(t)
			s.client = newClient(t, s.server.Addr(), func(o *redis.Options) { o.MaxRetries = -1 }) // else it asks the same again
			calls := s.calls()
			set := func(value string) {
				t.Helper()
				if name == "replicaof" {
					var host, port string
					_, err := fmt.Sscan(value, &host, &port)
					ok(t, err)
					ok(t, s.client.ReplicaOf(t.Context(), host, port).Err())
					return
				}
				ok(t, s.client.ConfigSet(t.Context(), name, value).Err())
			}
			var left, reserved, taken int
			for _, ph := range phases {
				b := newBranch()
				for _, call := range ph.before {
					ok(t, calls[call](t.Context(), b))
				}
				set(values[0])
				if err := calls[ph.call](t.Context(), b); err == nil {
					t.Errorf("%s was answered", ph.name)
				}
				set(values[1])
				s.counts(stockAtFirst+left-len(ph.before), reserved+reservedBefore(ph), taken+takenBefore(ph))
				ok(t, calls[ph.call](t.Context(), b))
				left, reserved, taken = left+ph.left, reserved+ph.reserved, taken+ph.taken
				s.counts(stockAtFirst+left, reserved, taken)
			}
		})
	}
}

func reservedBefore(ph phase) int {
	if slices.Contains(ph.before, "prepare") {
		return 1
	}
	return 0
}

func takenBefore(ph phase) int { return len(ph.before) - reservedBefore(ph) }
