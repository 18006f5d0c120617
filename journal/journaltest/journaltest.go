// Package journaltest checks that a journal keeps the contract of
// [journal.Journal].
//
// Whoever writes a journal calls [Run] from a test:
//
//	func TestConformance(t *testing.T) {
//		journaltest.Run(t, func(t *testing.T) journaltest.Harness {
//			dir := t.TempDir()
//			return journaltest.Harness{
//				Open: func() (journal.Journal, error) { return Open(dir) },
//			}
//		})
//	}
//
// It checks every method, order, the atomicity of batches, who owns what,
// concurrent reads, and what comes after Close. A journal that lasts is also
// opened again; one whose harness can crash loses power at random moments, and
// must then hold what the first so many batches make, not fewer than were
// acknowledged as forced, and each of them as a whole; and one whose harness can
// kill must not lose what has been read after that.
package journaltest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed-d36415c0/dtc/journal"
)

// Harness is a place for one journal.
type Harness struct {
	// Open opens the journal at this place. It is called again only after
	// Close.
	Open func() (journal.Journal, error)

	// Crash returns a place that holds what would be left of this one if power
	// were lost at this moment: all that is on stable storage, and of the rest
	// each part with a probability of so many percent. It is called while the
	// journal is open and concurrently with its methods, and changes nothing
	// here. It is nil where that cannot be had, or the journal does not last.
	Crash func(percent int, rng *rand.Rand) Harness

	// Kill ends this process, as far as the journal is concerned, at this
	// moment, and returns the place as the next process finds it: what was
	// written is there, forced or not. The open journal changes nothing from
	// then on, and its calls answer errors. It is nil where that cannot be had.
	Kill func() Harness
}

// Run checks the journals that fresh makes places for. Every call of fresh
// returns a new and empty place.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	t.Run("Contract", func(t *testing.T) {
		for _, c := range contract {
			t.Run(c.name, func(t *testing.T) { c.check(t, open(t, fresh(t))) })
		}
	})
	t.Run("Immediate", func(t *testing.T) { immediate(t, open(t, fresh(t))) })
	t.Run("Reopen", func(t *testing.T) { reopen(t, fresh(t)) })
	t.Run("Crash", func(t *testing.T) {
		for seed := range uint64(crashes) {
			for _, percent := range []int{0, 50, 100} {
				t.Run(fmt.Sprintf("seed=%d/percent=%d", seed, percent), func(t *testing.T) {
					h := fresh(t)
					if h.Crash == nil {
						t.Skip("the harness cannot crash")
					}
					crash(t, h, seed, percent)
				})
			}
		}
	})
	t.Run("ForceNothing", func(t *testing.T) {
		h := fresh(t)
		if h.Crash == nil {
			t.Skip("the harness cannot crash")
		}
		forceNothing(t, h)
	})
	t.Run("Kill", func(t *testing.T) {
		for seed := range uint64(5 * crashes) {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				h := fresh(t)
				if h.Kill == nil {
					t.Skip("the harness cannot kill")
				}
				kill(t, h, seed)
			})
		}
	})
}

// open opens the journal at a place, and closes it when the test ends.
func open(t *testing.T, h Harness) journal.Journal {
	t.Helper()
	j, err := h.Open()
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// appendAll appends one forced batch, which must succeed.
func appendAll(t *testing.T, j journal.Journal, writes ...journal.Write) {
	t.Helper()
	if err := j.Append(journal.Batch{Writes: writes, Force: true}); err != nil {
		t.Fatalf("Append: %v", err)
	}
}
