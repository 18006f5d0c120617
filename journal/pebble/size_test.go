package pebble

import (
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

// load is the work of a coordinator: every batch puts some records and ends
// the transactions of the batch before, and now and then outcomes expire.
type load struct {
	j       journal.Journal
	put     int // transactions so far
	keep    int // outcomes kept
	records [perBatch]journal.Record
	ends    [perBatch]journal.Ended
	writes  []journal.Write
	limit   time.Time
}

const perBatch = 100

// append puts 100 records of about 300 bytes, and ends 100 transactions.
func (l *load) append(tb testing.TB, force bool) {
	l.writes = l.writes[:0]
	for i := range perBatch {
		n := l.put + i
		l.ends[i] = journal.Ended{Transaction: idOf(n - perBatch), Outcome: journal.Committed, Finished: epoch.Add(time.Duration(n-perBatch) * time.Millisecond)}
		r := &l.records[i]
		if r.Branches == nil {
			*r = *recordOf(i, 240)
		}
		r.Transaction = idOf(n)
		l.writes = append(l.writes, journal.Write{Put: r})
		if n >= perBatch {
			l.writes = append(l.writes, journal.Write{End: &l.ends[i]})
		}
	}
	l.put += perBatch
	if l.keep > 0 {
		l.limit = epoch.Add(time.Duration(l.put-l.keep) * time.Millisecond)
		l.writes = append(l.writes, journal.Write{Expire: &l.limit})
	}
	if err := l.j.Append(journal.Batch{Writes: l.writes, Force: force}); err != nil {
		tb.Fatal(err)
	}
}

func diskUse(tb testing.TB, dir string) (bytes int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // else it is gone by now
			bytes += info.Size()
		}
	}
	return bytes
}

// checkDiskUse runs so many transactions and checks how much disk they take at
// most, and what is left.
func checkDiskUse(tb testing.TB, transactions, keep int) (most int64) {
	dir := tb.TempDir()
	j, err := Open(dir, nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer j.Close()
	l := &load{j: j, keep: keep}
	for l.put < transactions {
		l.append(tb, false)
		if l.put%(20*perBatch) == 0 {
			most = max(most, diskUse(tb, dir))
		}
	}
	const limit = 64 << 20
	if most > limit {
		tb.Errorf("%d bytes of disk are used, want at most %d", most, limit)
	}
	records, outcomes := 0, 0
	for _, err := range j.Records(uuid.Nil) {
		if err != nil {
			tb.Fatal(err)
		}
		records++
	}
	for _, err := range j.Outcomes() {
		if err != nil {
			tb.Fatal(err)
		}
		outcomes++
	}
	if records != perBatch || outcomes < keep-perBatch-1 || outcomes > keep {
		tb.Errorf("%d records and %d outcomes are left", records, outcomes)
	}
	return most
}

func TestDiskUse(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred thousand transactions")
	}
	most := checkDiskUse(t, 100_000, 10_000)
	t.Logf("at most %d KiB", most>>10)
}

// BenchmarkMillion is TestDiskUse with a million transactions, of which a
// hundred thousand outcomes are kept.
func BenchmarkMillion(b *testing.B) {
	for range b.N {
		most := checkDiskUse(b, 1_000_000, 100_000)
		b.ReportMetric(float64(most)/(1<<20), "MiB")
	}
}

// BenchmarkAppend appends batches of 100 records and 100 ends, not forced.
func BenchmarkAppend(b *testing.B) {
	j, err := Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	l := &load{j: j, keep: 100_000}
	b.ReportAllocs()
	for b.Loop() {
		l.append(b, false)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*perBatch), "ns/write")
}

// BenchmarkForce appends one record a time, forced.
func BenchmarkForce(b *testing.B) {
	j, err := Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	r := recordOf(1, 240)
	batch := journal.Batch{Writes: []journal.Write{{Put: r}}, Force: true}
	b.ReportAllocs()
	for b.Loop() {
		if err := j.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a journal of 100,000 outcomes and 10,000 unfinished
// transactions, and reads it all.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	j, err := Open(dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	l := &load{j: j}
	for l.put < 100_000+perBatch {
		l.append(b, false)
	}
	for n := range 10_000 - perBatch {
		if err := j.Append(journal.Batch{Writes: []journal.Write{{Put: recordOf(l.put+n, 240)}}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		j, err := Open(dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		records, outcomes := 0, 0
		for range j.Records(uuid.Nil) {
			records++
		}
		for range j.Outcomes() {
			outcomes++
		}
		if records != 10_000 || outcomes != 100_000 {
			b.Fatalf("%d records, %d outcomes", records, outcomes)
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
