package simulator

import "slices"

// faults are the probabilities of what goes wrong.
type faults struct {
	loses, repeats, delays float64 // a message
	hangs, fails, refuses  float64 // a call
	syncFails              float64
	crashes, partsCrash    float64 // before one effect
	panics                 float64
	powerLoss              float64 // of the crashes of a coordinator
	fences                 float64 // in a while
	requestsGone           float64
}

// plan decides what breaks before an effect.
type plan interface {
	strike(w *world, n node, e effect)
}

// byChance is the plan of a seed.
type byChance struct{}

func (byChance) strike(w *world, n node, e effect) {
	f := &w.faults
	if n >= 0 {
		if w.chance(f.partsCrash) {
			w.crashParticipant(w.parts[n])
		}
		return
	}
	c := w.all[coordinators-n]
	switch {
	case w.chance(f.crashes):
		p := power{process: !w.chance(f.powerLoss)}
		if n := len(w.disk.unsynced); !p.process {
			p.kept = int(w.upTo(int64(n)))
		}
		w.crash(c, p)
	case w.chance(f.panics):
		c.panic(e)
	}
}

// panic has a transaction's actor fail in the middle of what it does.
func (c *coordinator) panic(e effect) {
	if h := c.handles[e.tx]; h != nil && h.actor != nil && h.actor.busy && e.what != "reply" && !h.actor.failed {
		if c.w.tracing {
			c.w.say("%s %d: its actor panics before: %s", c.node, e.tx, e)
		}
		h.actor.fail()
	}
}

// power says what a crash leaves on the disk.
type power struct {
	process bool // only the process ends: what was written can still be read
	kept    int  // else: how many unsynced batches are found
}

// crash ends a coordinator's process. It comes back later.
func (w *world) crash(c *coordinator, p power) {
	if !c.up {
		return
	}
	c.up = false
	if w.tracing {
		w.say("%s crashes (power %v)", c.node, !p.process)
	}
	w.report.Crashes++
	if i := slices.Index(w.zombies, c); i >= 0 {
		w.zombies = slices.Delete(w.zombies, i, i+1)
	}
	if c == w.owner {
		w.owner, w.serving = nil, nil
		if !p.process {
			w.report.PowerLosses++
			w.disk.keep(min(p.kept, len(w.disk.unsynced)))
		}
		w.after(1+w.upTo(w.config.transactionTimeout), func() {
			if w.owner == nil {
				w.open()
			}
		})
	}
	for _, r := range w.requests {
		if r.c == c && !r.replied && r.answered != nil && !r.gone {
			w.after(1, func() { r.answered(answer{}) })
		}
	}
	w.requests = slices.DeleteFunc(w.requests, func(r *request) bool { return r.c == c })
}

// fence has another owner take the journal over. The old one does not know.
func (w *world) fence() {
	old := w.serving
	if old == nil {
		return
	}
	if w.tracing {
		w.say("another owner takes over from %s", old.node)
	}
	w.report.TakeOvers++
	old.log.fenced = true
	w.zombies = append(w.zombies, old)
	w.owner, w.serving = nil, nil
	w.open()
	w.after(w.upTo(2*w.config.transactionTimeout), func() { w.crash(old, power{process: true}) })
}

// crashParticipant ends a participant's process. It comes back later.
func (w *world) crashParticipant(p *service) {
	if !p.up {
		return
	}
	p.up = false
	p.crashes++
	w.report.ParticipantCrashes++
	if w.tracing {
		w.say("%s crashes", p.node())
	}
	for _, x := range w.order {
		if b := p.held[x]; b != nil {
			b.busy = 0
			if b.work && !p.durableWork {
				b.work, b.lost = false, true
			}
		}
	}
	w.after(1+w.upTo(2*w.config.participantTimeout), func() { p.up = true })
}

// lookAround has the journal taken over now and then, while there are faults.
func (w *world) lookAround() {
	c := w.serving
	c.after(w.upTo(w.config.transactionTimeout), func() {
		switch {
		case c != w.serving || w.now >= w.config.faultsEnd:
		case w.chance(w.faults.fences):
			w.fence()
		default:
			w.lookAround()
		}
	})
}

// calm ends the faults.
func (w *world) calm() {
	if w.tracing {
		w.say("the faults stop")
	}
	w.faults = faults{}
	if w.plan == (byChance{}) {
		w.plan = nothing{}
	}
	for _, c := range slices.Clone(w.zombies) {
		w.crash(c, power{process: true})
	}
}

// nothing is the plan in which nothing breaks.
type nothing struct{}

func (nothing) strike(*world, node, effect) {}
