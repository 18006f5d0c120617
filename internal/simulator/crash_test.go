package simulator

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/proof"
)

// TestScenarios: every scenario ends well when nothing crashes.
func TestScenarios(t *testing.T) {
	for i := range scenarios {
		s := &scenarios[i]
		if w := s.run(nil, nil); w.broken != nil {
			t.Errorf("%s: %v", s.name, w.broken)
		}
	}
}

// crashPoints is what has been tried.
type crashPoints struct {
	Scenarios int    `json:"scenarios"`
	Effects   uint64 `json:"effects_in_them"`
	Points    uint64 `json:"crash_points"`
	Pairs     uint64 `json:"pairs_of_crash_points"`
	Crashes   uint64 `json:"coordinator_crashes"`
	Parts     uint64 `json:"participant_crashes"`
	Panics    uint64 `json:"actors_that_panicked"`
	Broken    uint64 `json:"violations"`
}

var tried struct {
	sync.Mutex
	crashPoints
}

// count adds a run.
func count(w *world, pair bool) {
	tried.Lock()
	defer tried.Unlock()
	if pair {
		tried.Pairs++
	} else {
		tried.Points++
	}
	tried.Crashes += w.report.Crashes
	tried.Parts += w.report.ParticipantCrashes
	tried.Panics += w.report.Panics
}

// trial is a scenario with crashes.
type trial struct {
	s      *scenario
	points []point
}

// replay is what is printed of a trial that broke an invariant: one line that
// replays it.
func (c trial) replay(err error) error {
	points := make([]string, len(c.points))
	for i, p := range c.points {
		points[i] = fmt.Sprintf("%d:%d", p.effect, p.kind)
	}
	return fmt.Errorf("scenario %q: %w; replay: go test ./internal/simulator -run TestPoints -scenario %q -points %s -v",
		c.s.name, err, c.s.name, strings.Join(points, ","))
}

var (
	oneScenario = flag.String("scenario", "", "the scenario that TestPoints replays")
	somePoints  = flag.String("points", "", "with which crashes: effect:kind,effect:kind")
)

// TestPoints replays a scenario with crashes, and prints what happens.
func TestPoints(t *testing.T) {
	if *oneScenario == "" {
		t.Skip("replays what -scenario says")
	}
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == *oneScenario })
	if i < 0 {
		t.Fatalf("there is no scenario %q", *oneScenario)
	}
	c := trial{s: &scenarios[i]}
	for text := range strings.SplitSeq(*somePoints, ",") {
		var p point
		if _, err := fmt.Sscanf(text, "%d:%d", &p.effect, &p.kind); err == nil {
			c.points = append(c.points, p)
		}
	}
	if w := c.s.run(c.points, func(line string) { t.Log(line) }); w.broken != nil {
		t.Error(c.replay(w.broken))
	}
}

// each tries on all processors what feed gives, until one breaks an invariant.
func each(t *testing.T, feed func(try func(trial) bool), check func(trial) error) {
	t.Helper()
	work := make(chan trial, 64)
	var failed atomic.Bool
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for c := range work {
				if err := check(c); err != nil && !failed.Swap(true) {
					t.Error(err)
				}
			}
		})
	}
	feed(func(c trial) bool {
		work <- c
		return !failed.Load()
	})
	close(work)
	all.Wait()
}

// singles gives every crash point of every scenario.
func singles(try func(trial) bool) {
	for i := range scenarios {
		s := &scenarios[i]
		for e := range s.run(nil, nil).effects {
			for k := range s.kinds() {
				if !try(trial{s, []point{{e + 1, strikeKind(k)}}}) {
					return
				}
			}
		}
	}
}

// TestEveryCrashPoint: whatever crashes before whatever is done, in every
// scenario.
func TestEveryCrashPoint(t *testing.T) {
	each(t, singles, func(c trial) error {
		w := c.s.run(c.points, nil)
		count(w, false)
		if w.broken != nil {
			return c.replay(w.broken)
		}
		return nil
	})
	note(t)
}

// window is how many effects after the first crash a second one is tried.
const window = 40

// TestEveryPairOfCrashPoints: and again, while the first crash is recovered from.
// Where no figures are wanted, a sample of the pairs is tried.
func TestEveryPairOfCrashPoints(t *testing.T) {
	share := 1.0
	if !proof.Wanted() {
		share = 0.01
	}
	each(t, singles, func(c trial) error {
		rng := rand.New(rand.NewPCG(uint64(c.points[0].effect), uint64(c.points[0].kind)))
		last := min(c.s.run(c.points, nil).effects, c.points[0].effect+window)
		for e := c.points[0].effect + 1; e <= last; e++ {
			for k := range c.s.kinds() {
				if share < 1 && rng.Float64() >= share {
					continue
				}
				pair := trial{c.s, append(c.points[:1:1], point{e, strikeKind(k)})}
				w := c.s.run(pair.points, nil)
				count(w, true)
				if w.broken != nil {
					return pair.replay(w.broken)
				}
			}
		}
		return nil
	})
	note(t)
}

// note keeps what both tests have tried.
func note(t *testing.T) {
	tried.Lock()
	defer tried.Unlock()
	tried.Scenarios, tried.Effects = len(scenarios), 0
	for i := range scenarios {
		tried.Effects += uint64(scenarios[i].run(nil, nil).effects)
	}
	proof.Note(t, "crash_points", tried.crashPoints)
}
