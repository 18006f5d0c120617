// Package turns lets one caller at a time work on each of many things, such as
// the branches of a participant.
package turns

import (
	"context"
	"sync"
)

// Turns gives callers turns at things that are named by keys. It holds an entry
// only for things that are being worked on. The zero value is ready; it may be
// used from everywhere, and must not be copied.
type Turns[K comparable] struct {
	mu sync.Mutex
	// busy has a channel where somebody waits, closed at the end of the turn.
	busy map[K]chan struct{}
}

// Take waits for the thing until the context ends, and then returns the context's
// error. Who waits longest need not be next.
func (t *Turns[K]) Take(ctx context.Context, k K) error {
	for {
		ended := t.try(k)
		if ended == nil {
			return nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// try returns nil if nobody had the thing, and else what to wait for.
func (t *Turns[K]) try(k K) (ended chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy == nil {
		t.busy = make(map[K]chan struct{})
	}
	ended, busy := t.busy[k]
	if !busy {
		t.busy[k] = nil
		return nil
	}
	if ended == nil {
		ended = make(chan struct{})
		t.busy[k] = ended
	}
	return ended
}

// End gives the thing back. Only who has it may.
func (t *Turns[K]) End(k K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ended := t.busy[k]; ended != nil {
		close(ended)
	}
	delete(t.busy, k)
}

// Len is how many things are being worked on.
func (t *Turns[K]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.busy)
}
