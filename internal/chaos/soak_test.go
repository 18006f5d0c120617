package chaos

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/proof"
)

var soakSeed = flag.Uint64("soak.seed", 0, "seed of the soak; 0 for any")

// soaked is what was counted of a long run.
type soaked struct {
	Transactions int            `json:"transactions"`
	Committed    int            `json:"callers told of a commit"`
	RolledBack   int            `json:"callers told of a rollback"`
	Unknown      int            `json:"callers told that the outcome is unknown yet"`
	Other        int            `json:"callers that got another error or asked for nothing"`
	Fates        map[string]int `json:"what befell them"`
	Checks       int            `json:"times everything was found to be over and all slots free"`
	Goroutines   int            `json:"goroutines more than before the first"`
	HeapEarly    uint64         `json:"bytes of heap after the first tenth"`
	HeapLate     uint64         `json:"bytes of heap at the end"`
}

// Transactions of every fate, one batch after the other: after each batch none is
// live or unfinished, all slots are free, and no goroutine and no memory is lost.
func TestSoak(t *testing.T) {
	batches, size := 10, 1000
	if proof.Wanted() {
		batches, size = 100, 5000
	}
	all := soaked{Fates: map[string]int{}}
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	for _, kind := range []string{"memory", "lasting"} {
		synctest.Test(t, func(t *testing.T) {
			defer time.Sleep(late)
			w := begin(t, kind, fmt.Sprintf("go test ./internal/chaos -run TestSoak -soak.seed=%d", seed), nil)
			before := goroutines()
			w.start()
			rng := rand.New(rand.NewPCG(seed, 2))
			idle, early := 0, uint64(0)
			for n := range batches {
				w.work(rng, size)
				w.settle()
				w.audit()
				w.checkSlots()
				w.settle()
				all.count(w.forget())
				if n == 0 {
					idle = goroutines()
				}
				if now := goroutines(); now > idle {
					w.errorf("%d goroutines after batch %d, %d after the first", now, n+1, idle)
				}
				if n == batches/10 {
					early = heap()
				}
			}
			end := heap()
			if end > early+early/16+256<<10 {
				w.errorf("%d bytes of heap at the end, %d after the first tenth", end, early)
			}
			w.stop()
			time.Sleep(late)
			synctest.Wait()
			all.Goroutines += max(0, goroutines()-before) // others may have ended
			all.HeapEarly, all.HeapLate = max(all.HeapEarly, early), max(all.HeapLate, end)
		})
	}
	if all.Goroutines > 0 {
		t.Errorf("%d goroutines are left", all.Goroutines)
	}
	proof.Note(t, "soak", all)
}

func (s *soaked) count(tales []*tale) {
	s.Checks++
	for _, a := range tales {
		s.Transactions++
		switch {
		case a.asked && a.told == nil:
			s.Committed++
		case errors.Is(a.told, dtc.ErrRolledBack):
			s.RolledBack++
		case errors.Is(a.told, dtc.ErrOutcomeUnknown):
			s.Unknown++
		default:
			s.Other++
		}
		for _, f := range a.fates {
			s.Fates[f]++
		}
	}
}

// forget has the world hold nothing of transactions that are over, and returns
// them.
func (w *world) forget() (over []*tale) {
	over, w.tales = w.tales, nil
	for _, c := range w.clerks {
		c.mu.Lock()
		clear(c.branches)
		c.mu.Unlock()
	}
	return over
}

// goroutines counts them, without those of the runtime's own, which
// runtime.NumGoroutine counts now and then.
func goroutines() int {
	text := make([]byte, 1<<20)
	return 1 + bytes.Count(text[:runtime.Stack(text, true)], []byte("\n\ngoroutine "))
}

// heap is how much memory is held.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools held over one
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
