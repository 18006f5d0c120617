package actors

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// Ref is the address of an actor that can be closed: a message sent before is
// handled, one sent after is refused. The zero Ref is closed. It may be used
// from everywhere.
type Ref struct {
	mu      sync.RWMutex  // held to read by those who send
	pid     *actor.PID    // nil while closed
	process actor.Process // what the system would find for pid each time
}

// Open starts the actor with spawn and lets messages through to it.
func (r *Ref) Open(root *actor.RootContext, spawn func() *actor.PID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pid = spawn()
	r.process, _ = root.ActorSystem().ProcessRegistry.Get(r.pid)
}

// Send delivers a message. False means that the actor takes no more.
func (r *Ref) Send(message any) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.pid == nil {
		return false
	}
	r.process.SendUserMessage(r.pid, message)
	return true
}

// Close refuses messages from now on. Those sent before are in the mailbox: an
// actor that closes its own Ref and then sends itself a last message gets that
// one last.
func (r *Ref) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pid, r.process = nil, nil
}

// PID returns the actor's process id; nil while the Ref is closed.
func (r *Ref) PID() *actor.PID {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.pid
}

// lastCall is what an actor that has closed its Ref sends itself: nothing comes
// after it.
type lastCall struct {
	// closing says which closing of a transaction's Ref it is behind: one that was
	// opened again since waits for its next.
	closing uint32
}

// LastCall is the last message to a gateway or the journal writer, behind the
// closing of its Ref: it stops the actor.
var LastCall any = lastCall{}
