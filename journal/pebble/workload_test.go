package pebble

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

// workload makes random batches of everything that can be written, some of them
// to be forced. Each writes its number, from 1, into the header, so that what is
// read tells how many it holds. Most are small, some go into a table at once.
func workload(rng *rand.Rand, length int) []journal.Batch {
	var open []uuid.UUID
	var ends []time.Time
	now := epoch
	batches := make([]journal.Batch, length)
	for i := range batches {
		b := &batches[i]
		b.Force = rng.IntN(3) == 0
		for range rng.IntN(6) {
			now = now.Add(time.Duration(rng.IntN(5000)) * time.Microsecond)
			switch n := rng.IntN(20); {
			case n < 9 || len(open) == 0:
				var id uuid.UUID
				binary.BigEndian.PutUint64(id[8:], rng.Uint64())
				open = append(open, id)
				b.Writes = append(b.Writes, journal.Write{Put: randomRecord(rng, id, now)})
			case n < 11:
				b.Writes = append(b.Writes, journal.Write{Put: randomRecord(rng, open[rng.IntN(len(open))], now)})
			case n < 19:
				k := rng.IntN(len(open))
				b.Writes = append(b.Writes, journal.Write{End: &journal.Ended{
					Transaction: open[k], Outcome: journal.Outcome(1 + rng.IntN(2)), Finished: now, Heuristic: strings.Repeat("by hand ", rng.IntN(2)),
				}})
				open = slices.Delete(open, k, k+1)
				ends = append(ends, now)
			default:
				limit := now.Add(-time.Duration(rng.IntN(50)) * time.Millisecond)
				if len(ends) > 0 {
					limit = ends[rng.IntN(len(ends))] // to the microsecond
				}
				b.Writes = append(b.Writes, journal.Write{Expire: &limit})
			}
		}
		b.Writes = append(b.Writes, journal.Write{Header: &journal.Header{Coordinator: "random", Horizon: idOf(i + 1)}})
	}
	return batches
}

func randomRecord(rng *rand.Rand, id uuid.UUID, now time.Time) *journal.Record {
	size := rng.IntN(200)
	if rng.IntN(20) == 0 {
		size = 20 << 10
	}
	r := recordOf(rng.Int(), size)
	r.Transaction, r.Kind, r.Began, r.Label = id, journal.Kind(1+rng.IntN(5)), now, fmt.Sprint("label ", size)
	return r
}

// reads lists everything that a journal holds, one line each.
func reads(j journal.Journal) ([]string, error) {
	h, err := j.Header()
	if err != nil {
		return nil, err
	}
	lines := []string{fmt.Sprintf("header %v %q", h.Horizon, h.Coordinator)}
	records, err := each(j.Records(uuid.Nil), func(r journal.Record) string {
		r.Began = r.Began.UTC()
		return fmt.Sprintf("record %+v", r)
	})
	if err != nil {
		return nil, err
	}
	outcomes, err := each(j.Outcomes(), func(e journal.Ended) string {
		e.Finished = e.Finished.UTC()
		return fmt.Sprintf("outcome %+v", e)
	})
	return slices.Concat(lines, records, outcomes), err
}

func each[T any](all iter.Seq2[T, error], describe func(T) string) (lines []string, err error) {
	for v, err := range all {
		if err != nil {
			return nil, err
		}
		lines = append(lines, describe(v))
	}
	return lines, nil
}

// held checks that the journal holds exactly what the first so many batches make,
// which it returns. A journal in memory, given the same batches, says what that
// is.
func held(j journal.Journal, batches []journal.Batch) (int, error) {
	got, err := reads(j)
	if err != nil {
		return 0, err
	}
	h, _ := j.Header()
	n := int(binary.BigEndian.Uint64(h.Horizon[8:]))
	if n > len(batches) {
		return 0, fmt.Errorf("%d batches found, %d were written", n, len(batches))
	}
	memory := journal.Memory()
	for _, b := range batches[:n] {
		if err := memory.Append(b); err != nil {
			return 0, err
		}
	}
	want, err := reads(memory)
	if err != nil {
		return 0, err
	}
	if !slices.Equal(got, want) {
		return 0, fmt.Errorf("differs from what %d batches make: %.300q", n, firstDifference(got, want))
	}
	return n, nil
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("got %s, want %s", slices.Concat(got[min(i, len(got)):], []string{"nothing"})[0],
				slices.Concat(want[min(i, len(want)):], []string{"nothing"})[0])
		}
	}
	return ""
}

// records counts the records in batches.
func records(batches []journal.Batch) (n int) {
	for _, b := range batches {
		n += len(b.Writes)
	}
	return n
}

// TestWorkload: the journal in memory, which says what a journal must hold, and
// this one agree after every batch; and a batch that is left out is noticed.
func TestWorkload(t *testing.T) {
	batches := workload(rand.New(rand.NewPCG(1, 2)), 100)
	j := mustOpen(t, vfs.NewMem())
	defer j.Close()
	for i, b := range batches {
		if err := j.Append(b); err != nil {
			t.Fatal(err)
		}
		if n, err := held(j, batches); n != i+1 || err != nil {
			t.Fatalf("after %d batches: %d, %v", i+1, n, err)
		}
	}
	last := &batches[len(batches)-1]
	last.Writes = last.Writes[len(last.Writes)-1:] // the header alone
	last = &batches[len(batches)-2]
	last.Writes = append(last.Writes, journal.Write{Put: recordOf(1, 1)})
	if _, err := held(j, batches); err == nil {
		t.Error("a record that is missing makes no difference")
	}
}
