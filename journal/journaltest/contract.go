package journaltest

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

// contract is checked on a new and empty journal each.
var contract = []struct {
	name  string
	check func(t *testing.T, j journal.Journal)
}{
	{"Empty", empty},
	{"Header", header},
	{"Put", put},
	{"BigRecord", bigRecord},
	{"OrderWithinBatch", orderWithinBatch},
	{"Records", records},
	{"End", end},
	{"Outcomes", outcomes},
	{"Expire", expire},
	{"ExpireLate", expireLate},
	{"Ownership", ownership},
	{"Invalid", invalid},
	{"ConcurrentReads", concurrentReads},
	{"Random", random},
	{"Close", closed},
}

var epoch = time.Date(2026, 5, 17, 10, 0, 0, 123456000, time.UTC)

func empty(t *testing.T, j journal.Journal) {
	expect(t, j, newState())
	if r, ok, err := j.Record(ids(1)[0]); ok || err != nil {
		t.Errorf("Record of an unknown id = %v, %t, %v", r, ok, err)
	}
	for _, force := range []bool{false, true} {
		if err := j.Append(journal.Batch{Force: force}); err != nil {
			t.Errorf("Append of an empty batch, force %t: %v", force, err)
		}
	}
	expect(t, j, newState())
}

func header(t *testing.T, j journal.Journal) {
	want := newState()
	for _, h := range []journal.Header{
		{Coordinator: "one"},
		{Coordinator: "two", Horizon: ids(1)[0]},
		{},
	} {
		want.header = h
		appendAll(t, j, journal.Write{Header: &h})
		expect(t, j, want)
	}
}

func put(t *testing.T, j journal.Journal) {
	want := newState()
	id := ids(8)
	for i, r := range []journal.Record{
		{Kind: journal.Enlistment},
		{Kind: journal.Intent, Began: epoch, Label: "a label", Heuristic: "b committed by hand: seen"},
		{Kind: journal.Delegation, Began: epoch.In(time.FixedZone("east", 3600)), Branches: []journal.Branch{{Participant: "p"}}},
		{Kind: journal.Commit, Began: epoch, Branches: []journal.Branch{
			{Participant: "p", TwoPhase: true, Pending: true, Payload: []byte("payload")},
			{Participant: "q", TwoPhase: true},
			{Participant: "r", Pending: true, Payload: []byte{0}},
			{Participant: "", Payload: []byte{}},
		}},
		{Kind: journal.Rollback, Began: time.UnixMicro(-1), Label: "\x00\xff \u00e9"},
	} {
		r.Transaction = id[i]
		write := journal.Batch{Writes: []journal.Write{{Put: &r}}}
		want.apply(write)
		appendAll(t, j, write.Writes...)
		expect(t, j, want)
	}
	// A later record takes the place of the earlier one, as a whole.
	replacement := journal.Record{Transaction: id[3], Kind: journal.Rollback, Began: epoch.Add(time.Hour)}
	want.records[id[3]] = replacement
	appendAll(t, j, journal.Write{Put: &replacement})
	expect(t, j, want)
}

// bigRecord has as many branches and as much payload as a coordinator allows
// by default.
func bigRecord(t *testing.T, j journal.Journal) {
	want := newState()
	for n, id := range ids(8) {
		r := journal.Record{Transaction: id, Kind: journal.Commit, Began: epoch}
		for i := range 10 {
			r.Branches = append(r.Branches, journal.Branch{
				Participant: string(bytes.Repeat([]byte{'a' + byte(i)}, 128)),
				Pending:     true,
				Payload:     bytes.Repeat([]byte{byte(16*n + i)}, 64<<10),
			})
		}
		want.records[id] = r
		appendAll(t, j, journal.Write{Put: &r})
	}
	expect(t, j, want)
}

func orderWithinBatch(t *testing.T, j journal.Journal) {
	id := ids(3)
	first := journal.Record{Transaction: id[0], Kind: journal.Intent}
	second := journal.Record{Transaction: id[0], Kind: journal.Commit}
	ended := journal.Record{Transaction: id[1], Kind: journal.Commit}
	end := journal.Ended{Transaction: id[1], Outcome: journal.Committed, Finished: epoch}
	before := journal.Ended{Transaction: id[2], Outcome: journal.Committed, Finished: epoch.Add(-time.Minute)}
	limit := epoch.Add(-time.Second)
	appendAll(t, j,
		journal.Write{Put: &first}, journal.Write{Put: &second},
		journal.Write{Put: &ended}, journal.Write{End: &end},
		journal.Write{Header: &journal.Header{Coordinator: "old"}},
		journal.Write{Header: &journal.Header{Coordinator: "new"}},
		journal.Write{Expire: &limit}, journal.Write{End: &before})
	want := newState()
	want.header.Coordinator = "new"
	want.records[id[0]] = second
	want.ended[id[1]], want.ended[id[2]] = end, before // expired first, ended then
	expect(t, j, want)

	appendAll(t, j, journal.Write{End: &journal.Ended{Transaction: id[0], Outcome: journal.Committed, Finished: limit}},
		journal.Write{Expire: &limit})
	delete(want.records, id[0])
	delete(want.ended, id[2])
	expect(t, j, want)
}

func records(t *testing.T, j journal.Journal) {
	id := ids(20)
	for _, i := range []int{7, 0, 19, 3, 12, 5, 15, 1} {
		appendAll(t, j, journal.Write{Put: &journal.Record{Transaction: id[i], Kind: journal.Commit}})
	}
	list := func(after uuid.UUID, most int) (found []int) {
		for r, err := range j.Records(after) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, slices.Index(id, r.Transaction))
			if len(found) == most {
				break
			}
		}
		return found
	}
	for _, c := range []struct {
		after uuid.UUID
		most  int
		want  []int
	}{
		{uuid.Nil, 99, []int{0, 1, 3, 5, 7, 12, 15, 19}},
		{uuid.Nil, 2, []int{0, 1}},
		{id[5], 99, []int{7, 12, 15, 19}}, // an id that is there is left out
		{id[6], 99, []int{7, 12, 15, 19}}, // one that is not needs not be
		{id[6], 1, []int{7}},
		{id[19], 99, nil},
		{uuid.Max, 99, nil},
	} {
		if got := list(c.after, c.most); !slices.Equal(got, c.want) {
			t.Errorf("at most %d records after %v: %v, want %v", c.most, c.after, got, c.want)
		}
	}
	sequence := j.Records(uuid.Nil)
	for range 2 {
		n := 0
		for range sequence {
			n++
		}
		if n != 8 {
			t.Errorf("a sequence that is used again gives %d records, want 8", n)
		}
	}
}

// ownership: the journal keeps nothing of what it was given, and nobody can
// change it through what it gave out.
func ownership(t *testing.T, j journal.Journal) {
	id := ids(1)[0]
	make := func() journal.Record {
		return journal.Record{Transaction: id, Kind: journal.Commit, Began: epoch, Label: "label", Branches: []journal.Branch{
			{Participant: "p", Payload: []byte("one")}, {Participant: "q", Payload: []byte("two")},
		}}
	}
	want := newState()
	want.records[id] = make()
	given := make()
	appendAll(t, j, journal.Write{Put: &given})
	spoil := func(r *journal.Record) {
		for i := range r.Branches {
			clear(r.Branches[i].Payload)
			_ = append(r.Branches[i].Payload, "more"...)
			r.Branches[i].Participant = "spoilt"
		}
		r.Kind, r.Label = journal.Rollback, "spoilt"
	}
	spoil(&given)
	expect(t, j, want)

	r, _, err := j.Record(id)
	if err != nil {
		t.Fatal(err)
	}
	spoil(&r)
	for r := range j.Records(uuid.Nil) {
		spoil(&r)
	}
	expect(t, j, want)

	members := []string{"p", "q"}
	end := journal.Ended{Transaction: id, Outcome: journal.Committed, Finished: epoch, Members: members}
	want.apply(journal.Batch{Writes: []journal.Write{{End: &end}}})
	appendAll(t, j, journal.Write{End: &end})
	end.Members = slices.Clone(members)
	want.ended[id] = end
	clear(members)
	expect(t, j, want)
	for e := range j.Outcomes() {
		clear(e.Members)
	}
	expect(t, j, want)
}

// invalid batches leave nothing behind, and the journal takes no other.
func invalid(t *testing.T, j journal.Journal) {
	id := ids(1)[0]
	good := journal.Write{Put: &journal.Record{Transaction: id, Kind: journal.Commit}}
	for _, bad := range []journal.Write{
		{},
		{Put: good.Put, Header: &journal.Header{}},
		{Put: &journal.Record{Transaction: id}},
		{Put: &journal.Record{Transaction: id, Kind: journal.Rollback + 1}},
		{End: &journal.Ended{Transaction: id}},
		{End: &journal.Ended{Transaction: id, Outcome: journal.RolledBack + 1}},
	} {
		b := journal.Batch{Writes: []journal.Write{good, bad}}
		if b.Check() == nil {
			t.Errorf("Check finds nothing wrong with %+v", bad)
		}
	}
	if err := j.Append(journal.Batch{Writes: []journal.Write{good, {}}}); err == nil {
		t.Fatal("an invalid batch is taken")
	}
	if _, ok, err := j.Record(id); ok {
		t.Errorf("half of an invalid batch was written (%v)", err)
	}
	if err := j.Append(journal.Batch{Writes: []journal.Write{good}}); !errors.Is(err, journal.ErrFailed) {
		t.Errorf("Append after an error: %v, want journal.ErrFailed", err)
	}
	if _, ok, err := j.Record(id); ok {
		t.Errorf("a batch was written after an error (%v)", err)
	}
}

func closed(t *testing.T, j journal.Journal) {
	id := ids(1)[0]
	appendAll(t, j, journal.Write{Put: &journal.Record{Transaction: id, Kind: journal.Commit}})
	for i := range 2 {
		if err := j.Close(); err != nil {
			t.Fatalf("Close, time %d: %v", i+1, err)
		}
	}
	check := func(method string, err error) {
		t.Helper()
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s after Close: %v, want journal.ErrClosed", method, err)
		}
	}
	check("Append", j.Append(journal.Batch{Writes: []journal.Write{{Header: &journal.Header{}}}}))
	_, err := j.Header()
	check("Header", err)
	_, _, err = j.Record(id)
	check("Record", err)
	n := 0
	for _, err := range j.Records(uuid.Nil) {
		check("Records", err)
		n++
	}
	for _, err := range j.Outcomes() {
		check("Outcomes", err)
		n++
	}
	if n != 2 {
		t.Errorf("Records and Outcomes after Close give %d times something, want an error each", n)
	}
}
