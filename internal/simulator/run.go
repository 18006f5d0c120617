package simulator

import (
	"fmt"
	"math/rand/v2"

	"github.com/seed-d36415c0/dtc/protocol"
)

// maxEvents is how much may happen in one run. A run that needs more does not
// end.
const maxEvents = 60_000

// Run lets one seed's world live, and returns what was counted and the first
// invariant that was broken. Trace, if it is not nil, is given every line of what
// happens.
func Run(seed uint64, trace func(line string)) (*Report, error) {
	w := newWorld(seed, trace)
	w.random()
	w.live()
	return &w.report, w.broken
}

// newWorld returns a world with nothing in it.
func newWorld(seed uint64, trace func(line string)) *world {
	w := &world{
		rng:    rand.New(rand.NewPCG(seed, seed)),
		truths: make(map[id]*truth), trace: trace, tracing: trace != nil, plan: nothing{},
	}
	w.now = 1
	w.disk.w = w
	return w
}

// live runs until everything is at rest, or an invariant is broken.
func (w *world) live() {
	defer func() {
		if p := recover(); p != nil {
			w.violated(ends, "panic: %v", p)
		}
		w.report.Runs, w.report.Events, w.report.Effects = 1, uint64(w.handled), uint64(w.effects)
		if w.broken != nil {
			w.report.Violations = 1
		}
	}()
	w.open()
	w.at(w.config.faultsEnd, w.calm)
	w.at(w.config.faultsEnd+w.config.participantTimeout, w.look)
	for w.broken == nil && !w.resting && w.next() {
		if w.handled++; w.handled > maxEvents {
			w.violated(ends, "more than %d events", maxEvents)
		}
	}
	if w.broken == nil && !w.resting {
		w.violated(ends, "nothing happens any more, and not all is at rest")
	}
	if w.broken == nil {
		w.judge()
	}
}

// look looks whether everything is at rest, now and then until it must be.
func (w *world) look() {
	invariant, why := w.atRest()
	switch {
	case why == "":
		w.resting = true
	case w.now > w.config.restEnd:
		w.violated(invariant, "at rest: %s", why)
	default:
		w.after(w.config.participantTimeout, w.look)
	}
}

// random makes the world that the seed decides.
func (w *world) random() {
	pick := func(from, to int64) int64 { return from + w.upTo(to-from) }
	w.config = config{
		participants: int(pick(2, 5)), transactions: int(pick(2, 6)),
		maxTransactions: int(pick(2, 4)), maxParticipants: int(pick(3, 5)),
		maxHistory: int(pick(2, 8)), recoverySlots: int(pick(1, 3)),
		participantTimeout: pick(20, 60), transactionTimeout: pick(40, 150),
		retryInitial: pick(2, 8), retryMax: 60, retention: pick(100, 2000),
		recoveryInterval: pick(60, 200), scanAgain: pick(5, 15),
		delay: pick(0, 6), mailbox: pick(0, 2), callTime: pick(0, 3), syncTime: pick(0, 6),
		faultsEnd: pick(300, 900),
	}
	w.config.restEnd = w.config.faultsEnd + 6000
	w.plan = byChance{}
	w.fair = w.chance(0.06)
	if w.fair {
		w.config.maxHistory, w.config.retention = 100, 10_000
		w.config.participantTimeout, w.config.transactionTimeout = 500, 1000
	} else {
		w.randomFaults()
	}
	w.randomParticipants()
	for range w.config.transactions {
		w.randomApplication()
	}
}

// randomFaults makes some faults common, others rare, and some absent.
func (w *world) randomFaults() {
	some := func(p float64) float64 {
		switch w.upTo(2) {
		case 0:
			return 0
		case 1:
			return p / 4
		}
		return p
	}
	w.faults = faults{
		loses: some(0.1), repeats: some(0.15), delays: some(0.15),
		hangs: some(0.1), fails: some(0.15), refuses: some(0.1),
		syncFails: some(0.06), crashes: some(0.08), partsCrash: some(0.06),
		panics: some(0.04), powerLoss: w.rng.Float64(), fences: some(0.1), requestsGone: some(0.2),
	}
	w.config.readOnly = some(0.3)
}

func (w *world) randomParticipants() {
	for i := range w.config.participants {
		p := &service{
			w: w, n: i, name: letter(i), up: true, held: make(map[id]*branch),
			twoPhase: w.chance(0.75), durableWork: w.chance(0.5),
		}
		p.recoverable = p.twoPhase && w.chance(0.6)
		p.delegable = p.twoPhase && w.chance(0.4)
		p.inquires = p.twoPhase && w.chance(0.3)
		w.parts = append(w.parts, p)
	}
}

// randomApplication has one more transaction worked on.
func (w *world) randomApplication() {
	a := &application{w: w, chosen: w.chance(0.4), durable: w.chance(0.2), posts: w.chance(0.4), ending: "commit"}
	n := min(w.upTo(int64(w.config.maxParticipants)), w.upTo(6))
	for _, name := range w.rng.Perm(len(w.parts)) {
		if int64(len(a.names)) < n {
			a.names = append(a.names, name)
		}
	}
	start := 1 + w.upTo(w.config.faultsEnd*2/3)
	if w.fair {
		a.posts = false
		w.launch(start, a)
		return
	}
	switch {
	case w.chance(0.1):
		a.ending = "rollback"
	case w.chance(0.05):
		a.ending = ""
	}
	if a.chosen && w.chance(0.5) {
		a.tx = w.newID()
	}
	w.launch(start, a)
	w.interfere(a, start)
}

// detail says more of an event, for the trace.
func detail(e protocol.Event) string {
	switch e.Kind {
	case protocol.Answered:
		return fmt.Sprintf(" %d (%d) %s", e.Branch, e.Attempt, e.Result)
	case protocol.Enlist:
		return " " + e.Enlist.Name
	case protocol.Forced, protocol.ForceFailed:
		return " " + e.Record.String()
	case protocol.RetryDue, protocol.Settle:
		return fmt.Sprintf(" %d", e.Branch)
	}
	return ""
}
