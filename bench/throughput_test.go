package bench

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-d36415c0/dtc"
)

// addedLatency is what is added to every sync in the second setting on disk.
const addedLatency = 2 * time.Millisecond

// BenchmarkMemory compares transactions of three participants, with nothing on
// disk, with the same conversation over channels.
func BenchmarkMemory(b *testing.B) {
	for name, commit := range map[string]func(*work) error{"Run": (*work).run, "Execute": (*work).execute} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				inMemory(b, commit).report(b)
			}
		})
	}
}

func inMemory(tb testing.TB, commit func(*work) error) comparison {
	w := open(tb, dtc.Config{}, three(newMemo))
	defer w.close(tb)
	floor := newChanFloor(len(w.with), callers)
	defer floor.close()
	var id atomic.Uint64
	return quickCalls.compare(tb,
		func() error { return floor.commit(id.Add(1)) },
		func() error { return commit(w) })
}

// BenchmarkDisk compares transactions of three participants that need no intent
// record, with the journal on disk, with a bare append and sync each: on the
// disk as it is, and with a latency added to every sync.
func BenchmarkDisk(b *testing.B) {
	for name, latency := range map[string]time.Duration{"AsFound": 0, "Plus2ms": addedLatency} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				onDisk(b, latency).report(b)
			}
		})
	}
}

// diskComparison is a comparison on disk.
type diskComparison struct {
	comparison
	forced    float64 // records per transaction
	batch     float64 // forced records per sync
	floorSync time.Duration
}

func onDisk(tb testing.TB, latency time.Duration) diskComparison {
	dir := tb.TempDir()
	j := openJournal(tb, filepath.Join(dir, "journal"), slowDisk{vfs.Default, latency})
	w := open(tb, dtc.Config{Journal: j}, three(newRecoverable))
	defer w.close(tb)
	floor := newDiskFloor(tb, dir, latency)
	defer func() {
		if err := floor.close(); err != nil {
			tb.Error(err)
		}
	}()
	var committed atomic.Int64
	c := diskComparison{comparison: quickCalls.compare(tb, floor.commit, func() error {
		committed.Add(1)
		return w.execute()
	})}
	stats := w.Stats()
	c.forced = float64(stats.Forced) / float64(committed.Load())
	c.batch = float64(stats.Forced) / float64(stats.Syncs)
	c.floorSync = floor.meanSync()
	return c
}

func (c diskComparison) report(b *testing.B) {
	c.comparison.report(b)
	b.ReportMetric(c.forced, "forced/tx")
	b.ReportMetric(c.batch, "tx/sync")
	b.ReportMetric(float64(c.floorSync.Microseconds()), "floor_sync_us")
}
