package actors

import (
	"runtime"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Dispatcher runs actors on a few goroutines, its crew: as many as there are
// processors, and two at least. Mailboxes that wake up wait in one queue for
// their turn. The library's default starts a goroutine per wake-up, and most of
// its time goes into waking them and growing their stacks.
//
// Handlers are not to block. When the queue stands still for a moment all the
// same, because every handler of the crew does, a new crew takes over, and who
// was held up goes home afterwards.
//
// A coordinator has a Dispatcher of its own and closes it after its last actor.
type Dispatcher struct {
	mu    sync.Mutex
	wake  sync.Cond
	ready queue[func()]

	crew    uint64 // the crew's number
	size    int    // how many it may have
	workers int    // how many it has
	idle    int    // how many of them wait and have not been woken
	closed  bool

	taken    uint64 // how many have been taken from the queue
	watching bool
}

// stall is how long the queue may stand still.
const stall = 5 * time.Millisecond

// turns is after how many mailboxes a worker lets other goroutines run: those
// of callers, and those that wait for the disk.
const turns = 3

// NewDispatcher returns a dispatcher with no goroutine yet.
func NewDispatcher() *Dispatcher {
	d := &Dispatcher{size: max(2, runtime.GOMAXPROCS(0))}
	d.wake.L = &d.mu
	return d
}

// Schedule runs f soon.
func (d *Dispatcher) Schedule(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ready.push(f)
	switch {
	case d.idle > 0:
		d.idle--
		d.wake.Signal()
	case d.workers < d.size:
		d.hire()
	default:
		d.watch()
	}
}

// Throughput implements actor.Dispatcher; the mailbox does not ask.
func (d *Dispatcher) Throughput() int { return 300 }

// hire starts a worker. The caller holds the lock.
func (d *Dispatcher) hire() {
	d.workers++
	go d.serve(d.crew)
}

// serve is a worker of a crew.
func (d *Dispatcher) serve(crew uint64) {
	for n := 1; ; n++ {
		f := d.take(crew)
		if f == nil {
			return
		}
		d.handle(crew, f)
		if n%turns == 0 {
			runtime.Gosched()
		}
	}
}

// take waits for something to do; nil means that the worker is not needed.
func (d *Dispatcher) take(crew uint64) func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.crew == crew {
		if d.ready.len() > 0 {
			d.taken++
			return d.ready.pop()
		}
		if d.closed {
			d.workers--
			return nil
		}
		d.idle++
		d.wake.Wait()
	}
	return nil
}

// handle runs f. Where f ends the goroutine, another worker takes its place.
func (d *Dispatcher) handle(crew uint64, f func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.crew == crew {
			d.workers--
			d.hire()
		}
	}()
	f()
	returned = true
}

// watch looks after a moment whether anything has been taken since. The caller
// holds the lock.
func (d *Dispatcher) watch() {
	if d.watching {
		return
	}
	d.watching = true
	taken := d.taken
	time.AfterFunc(stall, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.watching = false
		if d.ready.len() == 0 {
			return
		}
		if d.taken == taken {
			d.relieve()
		}
		d.watch()
	})
}

// relieve puts a new crew in the place of one that is held up. The caller holds
// the lock.
func (d *Dispatcher) relieve() {
	d.crew++
	d.workers, d.idle = 0, 0
	for d.workers < min(d.size, d.ready.len()) {
		d.hire()
	}
	d.wake.Broadcast()
}

// Close ends the workers. Actors can still run, on new ones that end when there
// is nothing to do.
func (d *Dispatcher) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed, d.idle = true, 0
	d.wake.Broadcast()
}

// Props returns how the coordinator's actors run: the one place where mailbox
// and dispatcher are chosen.
func (d *Dispatcher) Props(produce func() actor.Actor, more ...actor.PropsOption) *actor.Props {
	return actor.PropsFromProducer(produce, actor.WithMailbox(newMailbox), actor.WithDispatcher(d)).Configure(more...)
}
