package httpbranch

import (
	"context"
	"sync"

	"github.com/seed-d36415c0/dtc/participant"
)

// turns lets one call at a time work on a branch. It holds an entry only for
// branches that are being worked on. The zero value is ready.
type turns struct {
	mu sync.Mutex
	// busy has a channel where somebody waits, to be closed at the turn's end.
	busy map[participant.Key]chan struct{}
}

// take waits for the branch until the context ends.
func (t *turns) take(ctx context.Context, k participant.Key) error {
	for {
		ended := t.tryTake(k)
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

// tryTake returns nil if it was the branch's turn, and else what to wait for.
func (t *turns) tryTake(k participant.Key) (ended chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy == nil {
		t.busy = make(map[participant.Key]chan struct{})
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

// end gives the branch to the next.
func (t *turns) end(k participant.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ended := t.busy[k]; ended != nil {
		close(ended)
	}
	delete(t.busy, k)
}
