package journaltest

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

// concurrentReads appends batches that give all records the same number, and
// reads all the while: a batch whose Append has returned is seen, and one is
// seen as a whole or not at all.
func concurrentReads(t *testing.T, j journal.Journal) {
	const batches, readers = 300, 3
	id := ids(5)
	var appended atomic.Uint64
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for appended.Load() < batches {
				least := appended.Load()
				if err := readNumber(j, len(id), least); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := uint64(1); n <= batches; n++ {
		payload := binary.BigEndian.AppendUint64(nil, n)
		var b journal.Batch
		for _, id := range id {
			b.Writes = append(b.Writes, journal.Write{Put: &journal.Record{
				Transaction: id, Kind: journal.Commit, Began: epoch,
				Branches: []journal.Branch{{Participant: "p", Payload: payload}},
			}})
		}
		if err := j.Append(b); err != nil {
			t.Errorf("Append: %v", err)
			break
		}
		appended.Store(n)
	}
	appended.Store(batches)
	wg.Wait()
}

// readNumber checks that all records have the same number, and at least this.
func readNumber(j journal.Journal, want int, least uint64) error {
	var first uint64
	count := 0
	for r, err := range j.Records(uuid.Nil) {
		if err != nil {
			return err
		}
		n := binary.BigEndian.Uint64(r.Branches[0].Payload)
		if count == 0 {
			first = n
		}
		if n != first {
			return fmt.Errorf("a batch is seen in part: record %d has number %d, the first has %d", count, n, first)
		}
		count++
	}
	if first < least || count != want && least > 0 {
		return fmt.Errorf("%d records of batch %d are seen, but batch %d of %d was appended before", count, first, least, want)
	}
	return nil
}

// immediate appends from many goroutines, where the journal says it may be.
func immediate(t *testing.T, j journal.Journal) {
	if _, ok := j.(journal.Immediate); !ok {
		t.Skip("the journal is not immediate")
	}
	const writers, each = 8, 200
	want := newState()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i, id := range ids(each) {
				r := journal.Record{Transaction: id, Kind: journal.Commit, Began: epoch, Branches: []journal.Branch{{Participant: "p", Payload: id[:]}}}
				b := journal.Batch{Writes: []journal.Write{{Put: &r}}}
				end := journal.Batch{Writes: []journal.Write{{End: &journal.Ended{
					Transaction: id, Outcome: journal.Committed, Finished: epoch.Add(time.Duration(i*writers+w) * time.Microsecond),
				}}}}
				if err := j.Append(b); err != nil {
					t.Error(err)
				}
				if i%2 == 0 {
					if err := j.Append(end); err != nil {
						t.Error(err)
					}
				}
				mu.Lock()
				want.apply(b)
				if i%2 == 0 {
					want.apply(end)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	expect(t, j, want)
}
