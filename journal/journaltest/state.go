package journaltest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

// state is what a journal holds, as a value.
type state struct {
	header  journal.Header
	records map[uuid.UUID]journal.Record
	ended   map[uuid.UUID]journal.Ended
}

func newState() *state {
	return &state{records: map[uuid.UUID]journal.Record{}, ended: map[uuid.UUID]journal.Ended{}}
}

// apply does to the state what Append does to a journal.
func (s *state) apply(b journal.Batch) {
	for _, w := range b.Writes {
		switch {
		case w.Put != nil:
			s.records[w.Put.Transaction] = *w.Put
		case w.End != nil:
			delete(s.records, w.End.Transaction)
			s.ended[w.End.Transaction] = *w.End
		case w.Expire != nil:
			maps.DeleteFunc(s.ended, func(_ uuid.UUID, e journal.Ended) bool { return !e.Finished.After(*w.Expire) })
		case w.Header != nil:
			s.header = *w.Header
		}
	}
}

// read takes the state of a journal, and checks that every way to read it
// gives the same, in the right order.
func read(j journal.Journal) (*state, error) {
	s := newState()
	var err error
	if s.header, err = j.Header(); err != nil {
		return nil, fmt.Errorf("reading with Header: %w", err)
	}
	var last uuid.UUID
	for r, err := range j.Records(uuid.Nil) {
		if err != nil {
			return nil, fmt.Errorf("reading with Records: %w", err)
		}
		if bytes.Compare(last[:], r.Transaction[:]) >= 0 {
			return nil, fmt.Errorf("reading with Records: %v comes after %v", r.Transaction, last)
		}
		last = r.Transaction
		s.records[r.Transaction] = r
	}
	for id, r := range s.records {
		alone, ok, err := j.Record(id)
		if err != nil || !ok || describe(alone) != describe(r) {
			return nil, fmt.Errorf("reading with Record(%v) = %s, %t, %v, Records has %s", id, describe(alone), ok, err, describe(r))
		}
	}
	var finished time.Time
	for e, err := range j.Outcomes() {
		if err != nil {
			return nil, fmt.Errorf("reading with Outcomes: %w", err)
		}
		if len(s.ended) > 0 && e.Finished.Before(finished) {
			return nil, fmt.Errorf("reading with Outcomes: %v comes after %v", e.Finished, finished)
		}
		finished = e.Finished
		if _, twice := s.ended[e.Transaction]; twice {
			return nil, fmt.Errorf("reading with Outcomes: %v comes twice", e.Transaction)
		}
		s.ended[e.Transaction] = e
	}
	return s, nil
}

// diff says how what was found differs from s; empty where it does not.
func (s *state) diff(found *state) string {
	want, got := s.lines(), found.lines()
	var out []string
	for _, l := range want {
		if _, ok := slices.BinarySearch(got, l); !ok {
			out = append(out, "missing "+l)
		}
	}
	for _, l := range got {
		if _, ok := slices.BinarySearch(want, l); !ok {
			out = append(out, "unexpected "+l)
		}
	}
	const enough = 6
	if len(out) > enough {
		out = append(out[:enough], fmt.Sprintf("and %d more", len(out)-enough))
	}
	return joinLines(out)
}

// lines describes the state, sorted.
func (s *state) lines() []string {
	lines := []string{fmt.Sprintf("header %q %v", s.header.Coordinator, s.header.Horizon)}
	for _, r := range s.records {
		lines = append(lines, describe(r))
	}
	for _, e := range s.ended {
		lines = append(lines, fmt.Sprintf("outcome %v %v %d %q %q", e.Transaction, e.Outcome, e.Finished.UnixMicro(), e.Heuristic, e.Members))
	}
	slices.Sort(lines)
	return lines
}

// describe gives equal records equal texts, and others different ones. An empty
// payload may come back as nil, and a time in another zone.
func describe(r journal.Record) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "record %v %v %d %q %q", r.Transaction, r.Kind, r.Began.UnixMicro(), r.Label, r.Heuristic)
	for _, p := range r.Branches {
		fmt.Fprintf(&b, " {%q %t %t %d bytes %x}", p.Participant, p.TwoPhase, p.Pending, len(p.Payload), sha256.Sum224(p.Payload))
	}
	return b.String()
}

func joinLines(lines []string) string {
	var b bytes.Buffer
	for _, l := range lines {
		const width = 300
		if len(l) > width {
			l = fmt.Sprintf("%s... (%d bytes)", l[:width], len(l))
		}
		b.WriteString("\n\t" + l)
	}
	return b.String()
}

// expect checks what a journal holds.
func expect(t *testing.T, j journal.Journal, want *state) {
	t.Helper()
	got, err := read(j)
	if err != nil {
		t.Fatal(err)
	}
	if d := want.diff(got); d != "" {
		t.Fatalf("the journal differs:%s", d)
	}
}

// ids returns n different transaction ids in their order.
func ids(n int) []uuid.UUID {
	all := make([]uuid.UUID, n)
	for i := range all {
		all[i] = uuid.Must(uuid.NewV7())
	}
	slices.SortFunc(all, func(a, b uuid.UUID) int { return cmp.Compare(a.String(), b.String()) })
	return all
}
