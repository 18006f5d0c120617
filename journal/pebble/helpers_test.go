package pebble

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

// mu guards what file system hooks and tests share.
var mu sync.Mutex

var epoch = time.UnixMicro(1_700_000_000_000_000)

func mustOpen(t testing.TB, fs vfs.FS) journal.Journal {
	t.Helper()
	j, err := Open("journal", &Options{FS: fs, memTable: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// idOf is the transaction id with a number.
func idOf(n int) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// recordOf is the record with a number; its payload is made from the number.
func recordOf(n, size int) *journal.Record {
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(n + i*i)
	}
	return &journal.Record{
		Transaction: idOf(n), Kind: journal.Commit, Began: epoch,
		Branches: []journal.Branch{{Participant: fmt.Sprint("participant ", n), TwoPhase: true, Pending: true, Payload: payload}},
	}
}

const recordBytes = 700

// numbered is batch n, from 1: it puts record n, ends record n-3, and writes n
// into the header.
func numbered(n int, force bool) journal.Batch {
	b := journal.Batch{Force: force, Writes: []journal.Write{
		{Put: recordOf(n, recordBytes)},
		{Header: &journal.Header{Coordinator: "numbered", Horizon: idOf(n)}},
	}}
	if n > 3 {
		b.Writes = append(b.Writes, journal.Write{End: &journal.Ended{
			Transaction: idOf(n - 3), Outcome: journal.Committed, Finished: epoch.Add(time.Duration(n) * time.Second),
		}})
	}
	return b
}

// readNumbered checks that the journal holds exactly what the batches up to
// some number make, and returns that number.
func readNumbered(j journal.Journal) (int, error) {
	h, err := j.Header()
	if err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint64(h.Horizon[8:]))
	next := max(n-2, 1)
	for r, err := range j.Records(uuid.Nil) {
		if err != nil {
			return n, err
		}
		if want := recordOf(next, recordBytes); !sameRecord(&r, want) {
			return n, fmt.Errorf("of %d batches, record %v where %d should be, or changed", n, r.Transaction, next)
		}
		next++
	}
	if next != n+1 {
		return n, fmt.Errorf("of %d batches, the records end before %d", n, next)
	}
	next = 1
	for e, err := range j.Outcomes() {
		if err != nil {
			return n, err
		}
		if e.Transaction != idOf(next) || e.Outcome != journal.Committed {
			return n, fmt.Errorf("of %d batches, outcome of %v where %d should be", n, e.Transaction, next)
		}
		next++
	}
	if next != max(n-2, 1) {
		return n, fmt.Errorf("of %d batches, the outcomes end before %d", n, next)
	}
	return n, nil
}

// appendNumbered appends batches from first to last; it returns the last that
// was acknowledged, and the error of the one after it.
func appendNumbered(j journal.Journal, first, last int, force bool) (int, error) {
	for n := first; n <= last; n++ {
		if err := j.Append(numbered(n, force)); err != nil {
			return n - 1, err
		}
	}
	return last, nil
}

func sameRecord(a, b *journal.Record) bool {
	return string(appendRecord(a.Transaction[:], a)) == string(appendRecord(b.Transaction[:], b))
}
