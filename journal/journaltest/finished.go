package journaltest

import (
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/journal"
)

func end(t *testing.T, j journal.Journal) {
	id := ids(3)
	want := newState()
	for _, i := range id {
		want.records[i] = journal.Record{Transaction: i, Kind: journal.Commit}
		r := want.records[i]
		appendAll(t, j, journal.Write{Put: &r})
	}
	for _, e := range []journal.Ended{
		{Transaction: id[1], Outcome: journal.Committed, Finished: epoch},
		{Transaction: id[0], Outcome: journal.RolledBack, Finished: epoch, Heuristic: "p: rolled back by hand"},
		{Transaction: id[2], Outcome: journal.Committed, Finished: epoch, Heuristic: "q: seen", Members: []string{"p", "", "q \x00\xff"}},
		{Transaction: ids(1)[0], Outcome: journal.RolledBack, Finished: epoch.Add(time.Microsecond)}, // has no record
	} {
		delete(want.records, e.Transaction)
		want.ended[e.Transaction] = e
		appendAll(t, j, journal.Write{End: &e})
		expect(t, j, want)
		if _, ok, err := j.Record(e.Transaction); ok || err != nil {
			t.Errorf("a finished transaction has a record: %t, %v", ok, err)
		}
	}
}

func outcomes(t *testing.T, j journal.Journal) {
	want := newState()
	for i, id := range ids(50) {
		e := journal.Ended{Transaction: id, Outcome: journal.Committed, Finished: epoch.Add(time.Duration(i*37%50) * time.Microsecond)}
		want.ended[id] = e
		appendAll(t, j, journal.Write{End: &e})
	}
	expect(t, j, want) // and in their order
	for range j.Outcomes() {
		break // a sequence may be left early
	}
}

func expire(t *testing.T, j journal.Journal) {
	const n = 100
	id := ids(n + 1)
	open := journal.Record{Transaction: id[n], Kind: journal.Commit, Began: epoch.Add(-time.Hour)}
	appendAll(t, j, journal.Write{Put: &open})
	want := newState()
	want.records[open.Transaction] = open
	for i := range n {
		i = i * 37 % n // in no order
		e := journal.Ended{Transaction: id[i], Outcome: journal.Committed, Finished: epoch.Add(time.Duration(i) * time.Microsecond), Heuristic: "by hand", Members: []string{"p"}}
		want.ended[e.Transaction] = e
		appendAll(t, j, journal.Write{End: &e})
	}
	for _, i := range []int{-1, 0, 10, 5, 11, 20, 30, 31, 40, n / 2, n / 2, 70, 85, n - 2, n - 1, n} {
		limit := epoch.Add(time.Duration(i) * time.Microsecond)
		b := journal.Batch{Writes: []journal.Write{{Expire: &limit}, {Header: &journal.Header{Horizon: id[max(i, 0)]}}}}
		want.apply(b)
		appendAll(t, j, b.Writes...)
		expect(t, j, want)
	}
	if len(want.ended) != 0 {
		t.Fatalf("the test has left %d outcomes", len(want.ended))
	}
}

// expireLate ends transactions with times that have expired before: their
// clock was behind, or they waited for long.
func expireLate(t *testing.T, j journal.Journal) {
	want := newState()
	id := ids(4)
	step := func(writes ...journal.Write) {
		t.Helper()
		want.apply(journal.Batch{Writes: writes})
		appendAll(t, j, writes...)
		expect(t, j, want)
	}
	at := func(i int, offset time.Duration) journal.Write {
		return journal.Write{End: &journal.Ended{Transaction: id[i], Outcome: journal.RolledBack, Finished: epoch.Add(offset)}}
	}
	step(at(0, 0), at(1, time.Hour))
	step(journal.Write{Expire: &epoch})
	step(at(2, -time.Hour), at(3, 0))
	early := epoch.Add(-time.Hour)
	step(journal.Write{Expire: &early})
	step(journal.Write{Expire: &epoch})
	late := epoch.Add(2 * time.Hour)
	step(journal.Write{Expire: &late})
}
