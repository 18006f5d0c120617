package bench

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
)

var million = flag.Bool("million", false, "run a million transactions with the default history, instead of a short version")

// heap returns how much memory is in use, stacks included.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one's finalizers held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// liveTransaction returns how many bytes an idle transaction with three branches
// takes.
func liveTransaction(tb testing.TB) int64 {
	const many = 4000
	w := open(tb, dtc.Config{MaxTransactions: many, TransactionTimeout: time.Hour}, three(newMemo))
	defer w.close(tb)
	for i := range w.with {
		w.with[i].Payload = make([]byte, 64)
	}
	ids := make([]uuid.UUID, many)
	before := heap()
	for i := range ids {
		id, err := w.begin()
		if err != nil {
			tb.Fatal(err)
		}
		ids[i] = id
	}
	each := (heap() - before) / many
	for _, id := range ids {
		if err := w.Rollback(w.ctx, id); err != nil {
			tb.Fatal(err)
		}
	}
	return each
}

func TestLiveTransaction(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes memory of its own")
	}
	const limit = 4 << 10
	each := liveTransaction(t)
	t.Logf("%d bytes", each)
	if each > limit {
		t.Errorf("a live transaction takes %d bytes, the limit is %d", each, limit)
	}
}

// usage is what a coordinator takes.
type usage struct {
	heap       int64
	goroutines int
}

// course is the usage after the first transactions and after all of them, and
// the most that the journal's directory took.
type course struct {
	first, last usage
	directory   int64
}

// steady runs transactions, every third of them rolled back.
func steady(tb testing.TB, first, all int, config dtc.Config, dir string, participants []participant.Participant) (c course) {
	const chunk = 5000
	w := open(tb, config, participants)
	defer w.close(tb)
	until := func(from, to int) usage {
		for n := from; n < to; n += chunk {
			w.many(tb, chunk)
			c.directory = max(c.directory, size(tb, dir))
		}
		eventually(tb, "transactions' actors stop", func() bool { return len(processes(w.system)) <= len(participants)+1 })
		return usage{heap(), runtime.NumGoroutine()}
	}
	c.first = until(0, first)
	c.last = until(first, all)
	return c
}

// many runs so many transactions, by all callers.
func (w *work) many(tb testing.TB, n int) {
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := range n / callers {
				do := w.execute
				if i%3 == 0 {
					do = w.giveUp
				}
				if err := do(); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

const maxDirectory = 64 << 20

func checkSteady(t *testing.T, c course) {
	t.Logf("heap %d KiB, then %d; goroutines %d, then %d; at most %d KiB on disk",
		c.first.heap>>10, c.last.heap>>10, c.first.goroutines, c.last.goroutines, c.directory>>10)
	const slack = 2 << 20 // maps and slices grow in steps
	if grown := c.last.heap - c.first.heap; grown > slack && !raceDetector {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	if c.last.goroutines > c.first.goroutines+10 {
		t.Errorf("%d goroutines, and %d before", c.last.goroutines, c.first.goroutines)
	}
	if c.directory > maxDirectory {
		t.Errorf("the journal took %d MiB, the limit is %d", c.directory>>20, maxDirectory>>20)
	}
}

// lengths says when to look for the first time, how many transactions to run,
// and how many outcomes to keep; 0 is the default.
func lengths() (first, all, history int) {
	switch {
	case *million:
		return 200_000, 1_000_000, 0
	case raceDetector:
		return 5_000, 15_000, 1_000
	}
	return 20_000, 60_000, 5_000
}

func TestSteady_Memory(t *testing.T) {
	if testing.Short() {
		t.Skip("many transactions")
	}
	first, all, history := lengths()
	checkSteady(t, steady(t, first, all, dtc.Config{MaxHistory: history}, "", three(newMemo)))
}

func TestSteady_Disk(t *testing.T) {
	if testing.Short() {
		t.Skip("many transactions")
	}
	first, all, history := lengths()
	dir := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, dir, vfs.Default)
	checkSteady(t, steady(t, first, all, dtc.Config{Journal: j, MaxHistory: history}, dir, three(newRecoverable)))
}

// size returns how much the files of a directory take; 0 for none.
func size(tb testing.TB, dir string) (bytes int64) {
	if dir == "" {
		return 0
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			tb.Fatal(err)
		}
		bytes += info.Size()
	}
	return bytes
}
