package httpbranch_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// script is a service that answers each call with what stands there: a status, with
// what follows it after a space. The last one is repeated.
type script struct {
	mu      sync.Mutex
	answers map[string][]string
	calls   []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	answer := s.next(call)
	if !strings.Contains(answer, "anonymous") {
		w.Header().Set("Dtc-Call", r.Header.Get("Dtc-Call"))
	}
	var status int
	var what string
	_, _ = fmt.Sscan(answer, &status, &what)
	switch {
	case what == "cut":
		panic(http.ErrAbortHandler)
	case what == "read-only":
		w.Header().Set("Dtc-Vote", what)
	case what != "":
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(status)
	if strings.HasPrefix(what, "urn:") {
		_, _ = fmt.Fprintf(w, `{"type": %q, "title": "as the script has it", "status": %d}`, what, status)
	}
}

func (s *script) next(call string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
	answers := s.answers[call]
	if len(answers) == 0 {
		return "204"
	}
	if len(answers) > 1 {
		s.answers[call] = answers[1:]
	}
	return answers[0]
}

func (s *script) called() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// noes is every kind of answer that is no yes and stands for nothing.
var noes = []string{
	"200 anonymous", "202", "206", "301", "307", "400", "401", "403", "404", "405", "408", "409", "409 urn:dtc:refused", "409 urn:x",
	"410", "413", "415", "418", "425", "429", "500", "502", "503", "503 urn:dtc:rolled-back", "504", "599", "200 cut",
}

// run has a coordinator run a transaction with the service alone.
func (s *script) run(t *testing.T, o httpbranch.Options) error {
	t.Helper()
	p := connect(t, "stock", serve(t, s).URL, &o)
	return coordinate(t, dtc.Config{}).Execute(background, nil, dtc.Enlistment{Participant: p, Payload: []byte("{}")})
}

// outcome runs the script and expects an outcome, and these calls.
func (s *script) outcome(t *testing.T, o httpbranch.Options, committed bool, calls ...string) {
	t.Helper()
	err := s.run(t, o)
	if (err == nil) != committed || err != nil && !errors.Is(err, dtc.ErrRolledBack) {
		t.Errorf("%v: %v", s.answers, err)
	}
	if got := s.called(); !slices.Equal(got, calls) {
		t.Errorf("%v: called %v, not %v", s.answers, got, calls)
	}
}

func TestOutcomesOfPrepare(t *testing.T) {
	t.Parallel()
	for _, yes := range []string{"200", "201", "204"} {
		s := &script{answers: map[string][]string{"prepare": {yes}}}
		s.outcome(t, httpbranch.Options{}, true, "prepare", "commit")
	}
	s := &script{answers: map[string][]string{"prepare": {"200 read-only"}}}
	s.outcome(t, httpbranch.Options{}, true, "prepare")
	for _, no := range append(noes, "409 urn:dtc:rolled-back", "409 urn:dtc:forgotten", "204 anonymous read-only") {
		s := &script{answers: map[string][]string{"prepare": {no}}}
		s.outcome(t, httpbranch.Options{}, false, "prepare", "rollback")
	}
}

// TestOutcomesOfCommit: what was decided is told until it is done.
func TestOutcomesOfCommit(t *testing.T) {
	t.Parallel()
	for no := range slices.Chunk(noes, 5) {
		s := &script{answers: map[string][]string{"commit": append(slices.Clone(no), "204")}}
		s.outcome(t, httpbranch.Options{}, true, append([]string{"prepare"}, slices.Repeat([]string{"commit"}, len(no)+1)...)...)
		s = &script{answers: map[string][]string{"prepare": {"503"}, "rollback": append(slices.Clone(no), "204")}}
		err := s.run(t, httpbranch.Options{})
		eventually(t, "every rollback", func() bool { return len(s.called()) == len(no)+2 })
		if !errors.Is(err, dtc.ErrRolledBack) {
			t.Error(err)
		}
	}
}

// TestOutcomesOfOnePhase: a one-phase service's commit is its vote.
func TestOutcomesOfOnePhase(t *testing.T) {
	t.Parallel()
	o := httpbranch.Options{OnePhase: true}
	for _, yes := range []string{"200", "201", "204", "200 read-only"} {
		(&script{answers: map[string][]string{"commit": {yes}}}).outcome(t, o, true, "commit")
	}
	for _, no := range append(noes, "409 urn:dtc:rolled-back") {
		(&script{answers: map[string][]string{"commit": {no}}}).outcome(t, o, false, "commit", "rollback")
	}
}

// TestOutcomesOfOnePhaseCommitter: a refusal is final only where it says so; else
// the service is asked, until it says.
func TestOutcomesOfOnePhaseCommitter(t *testing.T) {
	t.Parallel()
	o := httpbranch.Options{OnePhaseCommitter: true}
	(&script{}).outcome(t, o, true, "commit-one-phase")
	(&script{answers: map[string][]string{"commit-one-phase": {"409 urn:dtc:rolled-back"}}}).outcome(t, o, false, "commit-one-phase", "rollback")
	for _, doubt := range noes {
		s := &script{answers: map[string][]string{"commit-one-phase": {doubt}}}
		s.outcome(t, o, true, "commit-one-phase", "committed")
		s = &script{answers: map[string][]string{"commit-one-phase": {doubt}, "committed": {"409 urn:dtc:rolled-back"}}}
		s.outcome(t, o, false, "commit-one-phase", "committed", "rollback")
		s = &script{answers: map[string][]string{"commit-one-phase": {"503"}, "committed": {doubt, "200"}}}
		s.outcome(t, o, true, "commit-one-phase", "committed", "committed")
	}
}

// TestRefusedBesideOthers: the other branch of a refused transaction is rolled back.
func TestRefusedBesideOthers(t *testing.T) {
	stock := openStock(t, 10)
	s := &script{answers: map[string][]string{"prepare": {"429"}}}
	c := coordinate(t, dtc.Config{})
	err := c.Execute(background, nil,
		dtc.Enlistment{Participant: connect(t, "stock", serve(t, httpbranch.Handler(stock, nil)).URL, nil), Payload: widgets(1)},
		dtc.Enlistment{Participant: connect(t, "payment", serve(t, s).URL, nil)})
	if !errors.Is(err, dtc.ErrRolledBack) || !strings.Contains(err.Error(), "429") {
		t.Error(err)
	}
	if r, err := stock.Reserved(); err != nil || len(r) != 0 {
		t.Errorf("still reserved: %v, %v", r, err)
	}
}

// TestRecovery: the coordinator finds what it has forgotten by the service's list, and
// leaves what is another's.
func TestRecovery(t *testing.T) {
	stock := openStock(t, 10)
	p := connect(t, "stock", serve(t, httpbranch.Handler(stock, nil)).URL, &ledgerOptions)
	forgotten, others := stockBranch(1), stockBranch(2)
	others.Coordinator = "another"
	must(t, p.(participant.Preparer).Prepare(background, forgotten), p.(participant.Preparer).Prepare(background, others))
	j, err := pebble.Open(t.TempDir(), nil)
	must(t, err)
	coordinate(t, dtc.Config{Journal: j, Participants: []participant.Participant{p}, RecoveryInterval: 5 * time.Millisecond})
	eventually(t, "the forgotten branch's rollback", func() bool {
		r, err := stock.Reserved()
		return err == nil && r["widget"] == 2
	})
}
