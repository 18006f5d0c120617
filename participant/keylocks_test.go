package participant

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// TestKeyLocksAreDropped: what nobody works on takes no memory.
func TestKeyLocksAreDropped(t *testing.T) {
	var l keyLocks
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	inside := 0
	var all sync.WaitGroup
	k := Key{Transaction: uuid.Must(uuid.NewV7())}
	for range 50 {
		all.Go(func() {
			unlock, err := l.lock(context.Background(), k)
			if err != nil {
				t.Error(err)
				return
			}
			inside++
			if stop, err := l.lock(ended, k); err == nil {
				t.Error("locked twice")
				stop()
			}
			inside--
			unlock()
		})
	}
	all.Wait()
	if inside != 0 || len(l.held) != 0 {
		t.Errorf("%d inside, %d keys held", inside, len(l.held))
	}
}
