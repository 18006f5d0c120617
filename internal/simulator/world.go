package simulator

import (
	"fmt"
	"math/rand/v2"

	"github.com/seed-d36415c0/dtc/protocol"
)

// world is everything there is.
type world struct {
	clock
	rng    *rand.Rand
	config config
	faults faults
	plan   plan

	disk    disk
	parts   []*service
	all     []*coordinator // every one that was ever opened
	owner   *coordinator   // who has opened the journal last; nil while nobody has it
	serving *coordinator   // the owner, when it takes work
	zombies []*coordinator // those that another has fenced off
	opened  int

	truths map[id]*truth
	order  []id // of begin
	lastID id

	requests []*request
	effects  int // how many things were done that a crash can come before
	handled  int
	broken   error // the first broken invariant
	fair     bool  // nothing goes wrong in this run
	resting  bool
	// fencedReads: a coordinator that does not know yet that another owner has the
	// journal takes what it reads there for its own: it resolves branches in doubt and
	// presumes aborts. See TestFencedCoordinatorReads.
	fencedReads bool
	// failSync is the sync that fails, by its number; 0 for none.
	failSync uint64
	report   Report

	tracing bool
	trace   func(line string)
}

// config is how one run's world is made.
type config struct {
	participants, transactions         int
	maxTransactions, maxParticipants   int
	maxHistory, recoverySlots          int
	participantTimeout                 int64
	transactionTimeout                 int64
	retryInitial, retryMax             int64
	retention                          int64
	recoveryInterval, scanAgain        int64
	delay, mailbox, callTime, syncTime int64
	readOnly                           float64
	hangAtLeast                        int64
	faultsEnd                          int64
	restEnd                            int64
}

// effect is a single thing that a node does, and that a crash can come before.
type effect struct {
	what   string
	tx     id
	op     protocol.Op
	record protocol.Record
	n      int
}

func (e effect) String() string {
	s := e.what
	if e.tx != 0 {
		s = fmt.Sprintf("%d: %s", e.tx, s)
	}
	switch e.what {
	case "call":
		return fmt.Sprintf("%s %s: %s", s, letter(e.n), e.op)
	case "force":
		return fmt.Sprintf("%s %s", s, e.record)
	case "persist":
		return fmt.Sprintf("%s %s: %s", s, e.op, standing(e.n))
	case "answer":
		return fmt.Sprintf("%s %s: %s", s, e.op, protocol.Result(e.n))
	case "write":
		return fmt.Sprintf("%s %d", s, e.n)
	}
	return s
}

// may is asked before a node does a single thing, and is where it crashes:
// false means that it does nothing any more.
func (w *world) may(n node, e effect) bool {
	if !w.alive(n) || w.broken != nil {
		return false
	}
	w.effects++
	w.plan.strike(w, n, e)
	if !w.alive(n) {
		return false
	}
	if w.tracing {
		w.say("%s %s", n, e)
	}
	return true
}

func (w *world) alive(n node) bool {
	if n >= 0 {
		return w.parts[n].up
	}
	return w.all[coordinators-n].up
}

// upTo returns a number from 0 to n.
func (w *world) upTo(n int64) int64 {
	if n <= 0 {
		return 0
	}
	return w.rng.Int64N(n + 1)
}

// chance tells whether something of that probability happens.
func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// backoff is how long to wait after the n-th failure.
func (w *world) backoff(n int) int64 {
	wait := w.config.retryInitial
	for ; n > 1 && wait < w.config.retryMax; n-- {
		wait *= 2
	}
	wait = min(wait, w.config.retryMax)
	return wait*4/5 + w.upTo(wait*2/5)
}

// newID returns an id from now, greater than all before.
func (w *world) newID() id {
	w.lastID = max(w.lastID+1, id(w.now)*1000)
	return w.lastID
}

// say adds a line to the trace.
func (w *world) say(format string, args ...any) {
	w.trace(fmt.Sprintf("%6d  ", w.now) + fmt.Sprintf(format, args...))
}

// violated notes that an invariant is broken. The run ends.
func (w *world) violated(invariant, format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf("violated %s: %s", invariant, fmt.Sprintf(format, args...))
		if w.tracing {
			w.say("%v", w.broken)
		}
	}
}
