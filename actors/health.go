package actors

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d36415c0/dtc/protocol"
)

// Health is how one participant fares.
//
// A refusal to prepare, or to do one-phase work, is an answer like any other.
// What makes a participant unhealthy is that it does not answer in time, or
// fails to do what it was told in phase two.
type Health struct {
	name string
	sick atomic.Bool

	mu      sync.Mutex
	figures HealthReport
}

// HealthReport is what an operator sees of a participant.
type HealthReport struct {
	Participant string
	Healthy     bool
	// Since is when it became healthy or unhealthy; zero if it always was healthy.
	Since time.Time
	// Calls, Failures, Timeouts and Panics count since the coordinator opened; a
	// refusal is no failure.
	Calls, Failures, Timeouts, Panics uint64
	// Busy is the total time spent in calls; not taken for a NonBlocking participant.
	Busy time.Duration
	// Err is the last failure; it stays after the participant has recovered.
	Err error
}

// Recovered tells the supervisor that a participant answers again.
type Recovered struct{ Participant string }

// Healthy tells whether the last thing heard of the participant was good.
func (g *Gateway) Healthy() bool { return !g.health.sick.Load() }

// note takes the end of a call.
func (h *Health) note(env *Env, op protocol.Op, result protocol.Result, err error, took time.Duration) {
	failed := result == protocol.Failed && (op == protocol.Rollback || op == protocol.Ask)
	h.mu.Lock()
	h.figures.Calls++
	h.figures.Busy += took
	if err != nil && isPanic(err) {
		h.figures.Panics++
	}
	h.mu.Unlock()
	switch {
	case failed:
		h.fail(env, err, false)
	case h.sick.Load() && result != protocol.Failed:
		h.recover(env)
	}
}

func isPanic(err error) bool {
	var p *PanicError
	return errors.As(err, &p)
}

// fail makes the participant unhealthy.
func (h *Health) fail(env *Env, err error, timeout bool) {
	h.mu.Lock()
	if timeout {
		h.figures.Timeouts++
	} else {
		h.figures.Failures++
	}
	h.figures.Err = err
	turned := !h.sick.Swap(true)
	if turned {
		h.figures.Since = time.Now()
	}
	h.mu.Unlock()
	if turned {
		env.Observer.Emit(Event{Kind: EventUnhealthy, Participant: h.name, Err: err})
	}
}

// recover makes it healthy again, and has what waits for it delivered at once.
func (h *Health) recover(env *Env) {
	if !h.sick.Swap(false) {
		return
	}
	h.mu.Lock()
	h.figures.Since = time.Now()
	h.mu.Unlock()
	env.Observer.Emit(Event{Kind: EventHealthy, Participant: h.name})
	env.Supervisor.Send(&Recovered{Participant: h.name})
}

func (h *Health) report() HealthReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.figures
	r.Participant, r.Healthy = h.name, !h.sick.Load()
	return r
}

// Failed notes that something went wrong with the participant outside of a
// call of a branch.
func (g *Gateway) Failed(env *Env, err error) { g.health.fail(env, err, false) }
