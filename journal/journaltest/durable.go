package journaltest

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

const (
	crashes = 4   // seeds of the crash tests
	length  = 250 // batches of a history
)

// history makes random batches. Each writes its own number, from 1, into the
// header, so that what is read tells how many of them it holds.
func history(rng *rand.Rand) []journal.Batch {
	var open []uuid.UUID
	now := epoch
	newID := func() (id uuid.UUID) {
		binary.BigEndian.PutUint64(id[:], uint64(now.UnixMilli())<<16|7<<12)
		binary.BigEndian.PutUint64(id[8:], rng.Uint64())
		return id
	}
	batches := make([]journal.Batch, length)
	for i := range batches {
		b := &batches[i]
		b.Force = rng.IntN(3) == 0
		for range rng.IntN(12) {
			now = now.Add(time.Duration(rng.IntN(5000)) * time.Microsecond)
			switch n := rng.IntN(20); {
			case n < 9 || len(open) == 0:
				open = append(open, newID())
				b.Writes = append(b.Writes, journal.Write{Put: randomRecord(rng, open[len(open)-1], now)})
			case n < 11:
				b.Writes = append(b.Writes, journal.Write{Put: randomRecord(rng, open[rng.IntN(len(open))], now)})
			case n < 19:
				k := rng.IntN(len(open))
				b.Writes = append(b.Writes, journal.Write{End: randomEnd(rng, open[k], now)})
				open[k] = open[len(open)-1]
				open = open[:len(open)-1]
			default:
				limit := now.Add(-time.Duration(rng.IntN(500)) * time.Millisecond)
				b.Writes = append(b.Writes, journal.Write{Expire: &limit})
			}
		}
		h := journal.Header{Coordinator: "random"}
		binary.BigEndian.PutUint64(h.Horizon[:], uint64(i+1))
		b.Writes = append(b.Writes, journal.Write{Header: &h})
	}
	return batches
}

func randomRecord(rng *rand.Rand, id uuid.UUID, now time.Time) *journal.Record {
	r := &journal.Record{Transaction: id, Kind: journal.Kind(1 + rng.IntN(5)), Began: now}
	for range rng.IntN(4) {
		payload := make([]byte, rng.IntN(300))
		if rng.IntN(150) == 0 {
			payload = make([]byte, 64<<10)
		}
		for i := range payload {
			payload[i] = byte(rng.Uint32())
		}
		r.Branches = append(r.Branches, journal.Branch{Participant: "participant", TwoPhase: rng.IntN(2) == 0, Pending: rng.IntN(2) == 0, Payload: payload})
	}
	return r
}

// randomEnd finishes at about now, sometimes long before.
func randomEnd(rng *rand.Rand, id uuid.UUID, now time.Time) *journal.Ended {
	e := &journal.Ended{Transaction: id, Outcome: journal.Outcome(1 + rng.IntN(2)), Finished: now}
	if rng.IntN(10) == 0 {
		e.Finished = now.Add(-time.Duration(rng.IntN(2000)) * time.Millisecond)
		e.Heuristic = "settled by hand"
	}
	for i := range rng.IntN(4) {
		e.Members = append(e.Members, "participant"[:11-i])
	}
	return e
}

// after is the state that the first n batches make.
func after(batches []journal.Batch, n int) *state {
	s := newState()
	for _, b := range batches[:n] {
		s.apply(b)
	}
	return s
}

// random checks the journal against a history, step by step.
func random(t *testing.T, j journal.Journal) {
	want := newState()
	for i, b := range history(rand.New(rand.NewPCG(1, 2))) {
		want.apply(b)
		if err := j.Append(b); err != nil {
			t.Fatalf("batch %d: %v", i, err)
		}
		if i%10 == 0 {
			expect(t, j, want)
		}
	}
	expect(t, j, want)
}

// reopen closes and opens again after every few batches: what lasts is all
// there, forced or not.
func reopen(t *testing.T, h Harness) {
	j := open(t, h)
	if !j.Lasts() {
		t.Skip("the journal does not last")
	}
	want := newState()
	for i, b := range history(rand.New(rand.NewPCG(3, 4))) {
		want.apply(b)
		if err := j.Append(b); err != nil {
			t.Fatalf("batch %d: %v", i, err)
		}
		if i%25 == 0 {
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j = open(t, h)
			expect(t, j, want)
		}
	}
}

// writer appends a history while the test looks for a moment to end it.
type writer struct {
	batches []journal.Batch
	begun   atomic.Int64 // batches whose Append was called
	forced  atomic.Int64 // the last that was acknowledged as forced
	ended   chan error
}

func write(j journal.Journal, batches []journal.Batch) *writer {
	w := &writer{batches: batches, ended: make(chan error, 1)}
	go func() {
		for i, b := range batches {
			w.begun.Store(int64(i + 1))
			if err := j.Append(b); err != nil {
				w.ended <- err
				return
			}
			if b.Force {
				w.forced.Store(int64(i + 1))
			}
		}
		w.ended <- nil
	}()
	return w
}

// wait returns when the writer has come so far, or has ended.
func (w *writer) wait(moment int) {
	for w.begun.Load() < int64(moment) && len(w.ended) == 0 {
		runtime.Gosched()
	}
}

// crash loses power at random moments while batches are appended. What is left
// holds what the first n batches make, for an n between what was acknowledged as
// forced and what was begun.
func crash(t *testing.T, h Harness, seed uint64, percent int) {
	rng := rand.New(rand.NewPCG(seed, uint64(percent)))
	w := write(open(t, h), history(rng))
	for range 3 {
		w.wait(rng.IntN(length))
		least := w.forced.Load()
		left := h.Crash(percent, rng)
		checkPrefix(t, left, w.batches, int(least), int(w.begun.Load()))
	}
	if err := <-w.ended; err != nil {
		t.Errorf("Append: %v", err)
	}
}

// forceNothing: an empty batch that is forced forces what came before.
func forceNothing(t *testing.T, h Harness) {
	rng := rand.New(rand.NewPCG(5, 6))
	batches := history(rng)[:20]
	j := open(t, h)
	for _, b := range batches {
		if err := j.Append(journal.Batch{Writes: b.Writes}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Append(journal.Batch{Force: true}); err != nil {
		t.Fatal(err)
	}
	checkPrefix(t, h.Crash(0, rng), batches, len(batches), len(batches))
}

// kill ends the process at a random moment. What the next one reads it may act
// upon: losing power right after must not take it away again.
func kill(t *testing.T, h Harness, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, seed))
	w := write(open(t, h), history(rng))
	w.wait(rng.IntN(length))
	least := w.forced.Load()
	next := h.Kill()
	<-w.ended
	j, read := checkPrefix(t, next, w.batches, int(least), int(w.begun.Load()))
	left := next.Crash(0, rng)
	checkPrefix(t, left, w.batches, read, read)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// checkPrefix opens the journal and checks that it holds what the first n
// batches make, for an n from least to most.
func checkPrefix(t *testing.T, h Harness, batches []journal.Batch, least, most int) (j journal.Journal, n int) {
	t.Helper()
	j = open(t, h)
	got, err := read(j)
	if err != nil {
		t.Fatal(err)
	}
	n = int(binary.BigEndian.Uint64(got.header.Horizon[:]))
	if n < least || n > most {
		t.Fatalf("%d batches are found, want %d (forced and acknowledged) to %d (begun)", n, least, most)
	}
	if d := after(batches, n).diff(got); d != "" {
		t.Fatalf("the journal differs from what %d batches make:%s", n, d)
	}
	return j, n
}
