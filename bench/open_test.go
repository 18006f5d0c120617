package bench

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
)

const (
	finishedAtOpen   = 100_000
	unfinishedAtOpen = 10_000
)

// fill makes a journal of finished and unfinished transactions.
func fill(tb testing.TB, dir string) {
	j := openJournal(tb, dir, vfs.Default)
	now := time.Now()
	batch := journal.Batch{Writes: []journal.Write{{Header: &journal.Header{Coordinator: coordinatorName}}}}
	flush := func() {
		if err := j.Append(batch); err != nil {
			tb.Fatal(err)
		}
		batch.Writes = nil
	}
	for n := range finishedAtOpen + unfinishedAtOpen {
		id, err := uuid.NewV7()
		if err != nil {
			tb.Fatal(err)
		}
		if n < finishedAtOpen {
			at := now.Add(time.Duration(n) * time.Microsecond)
			batch.Writes = append(batch.Writes, journal.Write{End: &journal.Ended{Transaction: id, Outcome: journal.Committed, Finished: at}})
		} else {
			batch.Writes = append(batch.Writes, journal.Write{Put: unfinished(id, now)})
		}
		if len(batch.Writes) == 100 {
			flush()
		}
	}
	flush()
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
}

// unfinished is a record of about the size that commit records have.
func unfinished(id uuid.UUID, began time.Time) *journal.Record {
	r := &journal.Record{Transaction: id, Kind: journal.Commit, Began: began}
	for n := range 3 {
		r.Branches = append(r.Branches, journal.Branch{
			Participant: fmt.Sprintf("service %d", n), TwoPhase: true, Pending: true, Payload: make([]byte, recordSize/4),
		})
	}
	return r
}

// openFilled opens a coordinator with such a journal, until it takes work, and
// returns how long that took.
func openFilled(tb testing.TB, dir string) time.Duration {
	start := time.Now()
	w := open(tb, dtc.Config{Journal: openJournal(tb, dir, vfs.Default)}, three(newRecoverable))
	if err := w.execute(); err != nil {
		tb.Error(err)
	}
	took := time.Since(start)
	if n := w.Stats().Finished; n < finishedAtOpen {
		tb.Errorf("%d finished transactions are known, want %d", n, finishedAtOpen)
	}
	w.close(tb)
	return took
}

// BenchmarkOpen opens a journal with 100,000 finished and 10,000 unfinished
// transactions, whose participants are not registered, and commits one more.
func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "journal")
	fill(b, dir)
	var took time.Duration
	for b.Loop() {
		took += openFilled(b, dir)
	}
	b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "open_ms")
}
