package actors

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// Handlers that block, more of them than there are workers, keep nobody from
// being handled.
func TestDispatcher_HandlersBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDispatcher()
		release := make(chan struct{})
		blocked := 10 * d.size
		for range blocked {
			d.Schedule(func() { <-release })
		}
		done := make(chan struct{})
		d.Schedule(func() { close(done) })
		<-done
		close(release)
		d.Close()
		synctest.Wait() // and the bubble ends only if every goroutine does
	})
}

// A handler that ends its goroutine takes no worker away.
func TestDispatcher_HandlerEndsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDispatcher()
		for range 10 * d.size {
			d.Schedule(runtime.Goexit)
		}
		done := make(chan struct{})
		d.Schedule(func() { close(done) })
		<-done
		synctest.Wait()
		if d.workers != d.size || d.idle != d.size || d.crew != 0 {
			t.Errorf("%d workers of crew %d, %d idle; want %d of crew 0, all idle", d.workers, d.crew, d.idle, d.size)
		}
		d.Close()
	})
}

// What is scheduled after Close is handled, and no goroutine stays.
func TestDispatcher_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDispatcher()
		var handled int
		d.Schedule(func() { handled++ })
		synctest.Wait()
		d.Close()
		synctest.Wait()
		d.Schedule(func() { handled++ })
		synctest.Wait()
		if handled != 2 || d.workers != 0 {
			t.Errorf("%d handled, %d workers stay", handled, d.workers)
		}
	})
}
