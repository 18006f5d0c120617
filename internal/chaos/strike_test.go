package chaos

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
)

// strike hits at the n-th time that the code of a user comes by a place. Places
// are named by whoever passes them. A nil strike never hits.
type strike struct {
	mu   sync.Mutex
	aims []aim // the next one first
	held bool
	hits int
	seen map[string]int // how often each place was passed
}

// aim is where to strike, when and how.
type aim struct {
	place string
	n     int
	how   string
}

// The ways to strike.
const (
	panics = "panic"
	exits  = "Goexit"
)

func newStrike(aims ...aim) *strike { return &strike{aims: slices.Clone(aims), seen: map[string]int{}} }

// at is a place that is passed.
func (s *strike) at(place string) {
	if s == nil {
		return
	}
	switch s.due(place) {
	case exits:
		runtime.Goexit()
	case panics:
		panic(errStruck)
	}
}

var errStruck = errors.New("struck")

// due says how the place is struck now; empty where it is not.
func (s *strike) due(place string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[place]++
	if s.held || len(s.aims) == 0 || s.aims[0].place != place {
		return ""
	}
	a := &s.aims[0]
	if a.n--; a.n > 0 {
		return ""
	}
	s.aims = s.aims[1:]
	s.hits++
	return a.how
}

// hold has the strike wait, or go on.
func (s *strike) hold(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = on
}

// over lets the strike hit no more, and tells how often it has.
func (s *strike) over() int {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aims = nil
	return s.hits
}

// listen is an event listener that is struck.
func (s *strike) listen(e dtc.Event) {
	s.at("event")
	s.at("event: " + e.Kind.String())
}

// handler is a log handler that is struck.
type handler struct{ strike *strike }

func (h handler) Enabled(context.Context, slog.Level) bool {
	h.strike.at("log.Enabled")
	return true
}

func (h handler) Handle(context.Context, slog.Record) error {
	h.strike.at("log.Handle")
	return nil
}
func (h handler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h handler) WithGroup(string) slog.Handler      { return h }

// struckJournal is a journal that is struck.
type struckJournal struct {
	journal.Journal
	strike *strike
}

func (j *struckJournal) Append(b journal.Batch) error {
	j.strike.at("journal.Append")
	err := j.Journal.Append(b)
	j.strike.at("journal.Append done")
	return err
}

func (j *struckJournal) Header() (journal.Header, error) {
	j.strike.at("journal.Header")
	return j.Journal.Header()
}

func (j *struckJournal) Record(id uuid.UUID) (journal.Record, bool, error) {
	j.strike.at("journal.Record")
	return j.Journal.Record(id)
}

func (j *struckJournal) Records(after uuid.UUID) iter.Seq2[journal.Record, error] {
	j.strike.at("journal.Records")
	return j.Journal.Records(after)
}

func (j *struckJournal) Outcomes() iter.Seq2[journal.Ended, error] {
	j.strike.at("journal.Outcomes")
	return j.Journal.Outcomes()
}

func (j *struckJournal) Lasts() bool {
	j.strike.at("journal.Lasts")
	return j.Journal.Lasts()
}

func (j *struckJournal) Close() error {
	err := j.Journal.Close() // or else the files are locked, and nothing can be opened again
	j.strike.at("journal.Close")
	return err
}

// immediate is a struck journal that needs no writer.
type immediate struct{ *struckJournal }

func (immediate) Immediate() {}

// lasting is a journal in memory that counts as one on disk: it is there again
// when the next coordinator opens it.
type lasting struct{ journal.Journal }

func (lasting) Lasts() bool  { return true }
func (lasting) Close() error { return nil }
