package actors

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long to wait before a branch is told again: Initial after the
// first failure, Factor times longer after each further one, never longer than
// Max, and each time shorter or longer by up to the share Jitter.
type Backoff struct {
	// Initial defaults to 50 ms.
	Initial time.Duration
	// Max defaults to 30 s.
	Max time.Duration
	// Factor defaults to 2.
	Factor float64
	// Jitter defaults to 0.2; negative for none.
	Jitter float64
}

// After returns the wait after the n-th failure, counting from 1.
func (b Backoff) After(n int) time.Duration {
	wait := float64(b.Initial)
	for ; n > 1 && wait < float64(b.Max); n-- {
		wait *= b.Factor
	}
	wait = min(wait, float64(b.Max))
	if b.Jitter > 0 {
		wait *= 1 + b.Jitter*(2*rand.Float64()-1)
	}
	return time.Duration(wait)
}
