package turns_test

import (
	"context"
	"sync"
	"testing"

	"github.com/seed-d36415c0/dtc/participant/internal/turns"
)

// One at a time, and what nobody works on takes no memory.
func TestTurns(t *testing.T) {
	var l turns.Turns[string]
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	inside := 0
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := l.Take(context.Background(), "k"); err != nil {
				t.Error(err)
				return
			}
			inside++
			if err := l.Take(ended, "k"); err == nil {
				t.Error("taken twice")
			}
			if err := l.Take(ended, "free"); err == nil {
				l.End("free")
			}
			inside--
			l.End("k")
		})
	}
	all.Wait()
	if inside != 0 || l.Len() != 0 {
		t.Errorf("%d inside, %d entries", inside, l.Len())
	}
}
