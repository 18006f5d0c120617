package simulator

import "slices"

// strikeKind is what happens before an effect.
type strikeKind uint8

const (
	lostTail  strikeKind = iota // the coordinator loses power, and what was not synced
	cutTail                     // and half of it
	keptTail                    // and nothing
	endsOnly                    // only its process ends
	actorFail                   // only the actor of the transaction panics
	firstPart                   // from here on: a participant crashes
)

// point is a crash: what happens before which effect of a run.
type point struct {
	effect int
	kind   strikeKind
}

// atPoints is the plan in which nothing but these crashes happens.
type atPoints struct{ points []point }

func (a *atPoints) strike(w *world, n node, e effect) {
	for len(a.points) > 0 && w.effects == a.points[0].effect {
		kind := a.points[0].kind
		a.points = a.points[1:]
		switch {
		case kind >= firstPart:
			w.crashParticipant(w.parts[kind-firstPart])
		case kind == actorFail:
			if n < 0 {
				w.all[coordinators-n].panic(e)
			}
		case w.owner != nil:
			unsynced := len(w.disk.unsynced)
			kept := [...]int{lostTail: 0, cutTail: unsynced / 2, keptTail: unsynced, endsOnly: unsynced}[kind]
			w.crash(w.owner, power{process: kind == endsOnly, kept: kept})
		}
	}
}

// run lets a scenario happen with these crashes, and returns how many effects it
// had.
func (s *scenario) run(points []point, trace func(string)) (w *world) {
	w = newWorld(1, trace)
	w.config = config{
		maxTransactions: 4, maxParticipants: 3, maxHistory: 100, recoverySlots: 2,
		participantTimeout: 30, transactionTimeout: 60, retryInitial: 4, retryMax: 40, retention: 2000,
		recoveryInterval: 80, scanAgain: 8, delay: 2, mailbox: 1, callTime: 1, syncTime: 2,
		faultsEnd: 260, restEnd: 6000, hangAtLeast: 40,
	}
	w.plan = &atPoints{points: slices.Clone(points)}
	s.set(w)
	w.live()
	return w
}

// kinds is how many kinds of crashes there are in the scenario.
func (s *scenario) kinds() int { return int(firstPart) + len(s.parts) }
