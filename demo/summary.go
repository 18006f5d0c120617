package main

import (
	"path/filepath"
	"time"
)

// reasons is how many rolled back orders the summary explains.
const reasons = 10

// summarize says how it went.
func summarize(s *screen, o options, dir string, shown snapshot, r *report) {
	s.say("%s committed, %s rolled back; %s orders in %v (%s/s)", grouped(shown.committed), grouped(shown.allRolledBack()),
		grouped(shown.answered-shown.earlier), shown.took.Round(10*time.Millisecond), grouped(int(shown.perSecond)))
	for _, c := range shown.causes() {
		s.say("  %8s %s", grouped(shown.rolledBack[c]), c)
	}
	if o.orders != "" {
		for _, a := range r.refusals {
			s.say("  %s: %s", a.Order, a.Reason)
		}
		if o.dir != "" {
			s.say("  what became of each order is in %s", filepath.Join(dir, "answers.jsonl"))
		}
	}
	if r.unanswered > 0 {
		s.say("%s orders are still to be done", grouped(r.unanswered))
	}
	for _, offence := range r.offences {
		s.say("audit: %s", offence)
	}
	if n := len(r.offences); n > 0 {
		s.say("AUDIT FAILED: %s findings in %s", grouped(n), dir)
		return
	}
	s.say("audit passed: %s committed in all three services, %s in none, as their customers were told;",
		grouped(r.committed), grouped(r.rolledBack))
	s.say("  stock, money and shipments agree in %s accounts, and nothing is left reserved", grouped(r.accounted))
}
