package journal_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/journaltest"
)

func TestMemory_Conformance(t *testing.T) {
	journaltest.Run(t, func(*testing.T) journaltest.Harness {
		j := journal.Memory()
		return journaltest.Harness{Open: func() (journal.Journal, error) { return j, nil }}
	})
}

func TestMemory_IsImmediateAndDoesNotLast(t *testing.T) {
	j := journal.Memory()
	if _, ok := j.(journal.Immediate); !ok || j.Lasts() {
		t.Errorf("immediate %t, lasts %t", ok, j.Lasts())
	}
}

// A million transactions leave behind what has not expired, and no more.
func TestMemory_StaysSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("a million transactions")
	}
	const keep = 100_000
	j := journal.Memory()
	before := heap()
	start := time.UnixMicro(1_700_000_000_000_000)
	var id uuid.UUID
	payload := make([]byte, 200)
	for i := range 1_000_000 {
		id[0], id[1], id[2], id[3] = byte(i>>24), byte(i>>16), byte(i>>8), byte(i)
		r := journal.Record{Transaction: id, Kind: journal.Commit, Began: start, Branches: []journal.Branch{{Participant: "p", Payload: payload}}}
		now := start.Add(time.Duration(i) * time.Microsecond)
		limit := now.Add(-keep * time.Microsecond)
		end := journal.Ended{Transaction: id, Outcome: journal.Committed, Finished: now}
		if i%20 == 0 {
			end.Heuristic, end.Members = "settled by hand", []string{"p"}
		}
		for _, w := range []journal.Write{
			{Put: &r},
			{End: &end},
			{Expire: &limit},
		} {
			if err := j.Append(journal.Batch{Writes: []journal.Write{w}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	used := heap() - before
	t.Logf("%d outcomes in %d KiB", count(t, j), used>>10)
	if n := count(t, j); n != keep {
		t.Errorf("%d outcomes are kept, want %d", n, keep)
	}
	if used > keep*64 {
		t.Errorf("%d bytes are used, want at most 64 an outcome", used)
	}
	all := start.Add(time.Hour)
	if err := j.Append(journal.Batch{Writes: []journal.Write{{Expire: &all}}}); err != nil {
		t.Fatal(err)
	}
	if used := heap() - before; used > 1<<20 {
		t.Errorf("%d bytes are used when all has expired", used)
	}
	runtime.KeepAlive(j)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func count(t *testing.T, j journal.Journal) (n int) {
	for _, err := range j.Outcomes() {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func BenchmarkMemory(b *testing.B) {
	j := journal.Memory()
	payload := make([]byte, 100)
	start := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		branches := []journal.Branch{{Participant: "p", Payload: payload}, {Participant: "q", Payload: payload}}
		var r journal.Record
		var e journal.Ended
		var writes [1]journal.Write
		id := uuid.New()
		for n := 0; p.Next(); n++ {
			id[0], id[1], id[2], id[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
			now := time.Now()
			r = journal.Record{Transaction: id, Kind: journal.Commit, Began: start, Branches: branches}
			e = journal.Ended{Transaction: id, Outcome: journal.Committed, Finished: now}
			writes[0] = journal.Write{Put: &r}
			_ = j.Append(journal.Batch{Writes: writes[:]})
			writes[0] = journal.Write{End: &e}
			_ = j.Append(journal.Batch{Writes: writes[:]})
			if n%100 == 0 {
				limit := now.Add(-10 * time.Millisecond)
				writes[0] = journal.Write{Expire: &limit}
				_ = j.Append(journal.Batch{Writes: writes[:]})
			}
		}
	})
}

func ExampleMemory() {
	j := journal.Memory()
	defer j.Close()

	id := uuid.MustParse("0196e0f2-3b1c-7d6e-8f00-1234567890ab")
	record := journal.Record{
		Transaction: id,
		Kind:        journal.Commit,
		Began:       time.Now(),
		Branches:    []journal.Branch{{Participant: "inventory", TwoPhase: true, Pending: true}},
	}
	if err := j.Append(journal.Batch{Writes: []journal.Write{{Put: &record}}, Force: true}); err != nil {
		fmt.Println(err)
		return
	}
	for r, err := range j.Records(uuid.Nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Transaction, r.Kind, len(r.Branches))
	}
	// Output: 0196e0f2-3b1c-7d6e-8f00-1234567890ab commit 1
}
