package supervisor

import (
	"time"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/messages"
)

// Drain asks to be told when no transaction is live. None begins any more.
type Drain struct{ Done chan<- struct{} }

// Shut asks the tree to close, and to be told when it has.
type Shut struct{ Done chan<- struct{} }

// closing is a shutdown under way.
type closing struct {
	done    chan<- struct{}
	timer   *time.Timer
	gone    bool // the grace is over
	writing bool // the journal writer is still to stop
}

// graceOver says that no more acknowledgements are waited for.
type graceOver struct{}

func (r *root) drain(m *Drain) {
	r.stopping.Store(true)
	r.admitWaiting()
	r.drained = append(r.drained, m.Done)
	r.closingProgress()
}

// shut has every undecided transaction rolled back, gives the decided ones a
// grace to be delivered, and leaves the parked ones to the next time.
func (r *root) shut(m *Shut) {
	r.stopping.Store(true)
	r.closing = &closing{done: m.Done}
	r.admitWaiting()
	for _, c := range r.children {
		if c.resumed != nil {
			c.handle.Send(&messages.Leave{})
		} else {
			c.handle.Send(&messages.Closing{})
		}
	}
	to := &r.Ref
	grace := r.config.Limits.ParticipantTimeout + r.config.Limits.ParticipantTimeout/8
	r.closing.timer = time.AfterFunc(grace, func() { to.Send(&graceOver{}) })
	for c := range r.reviving {
		if c.unread {
			r.revive(&revive{c}) // it is not waited for any longer
		}
	}
	r.closingProgress()
}

func (r *root) graceOver() {
	if r.closing.gone {
		r.abandon()
		return
	}
	r.closing.gone = true
	for _, c := range r.children {
		c.handle.Send(&messages.Leave{})
	}
	to := &r.Ref
	r.closing.timer = time.AfterFunc(r.config.Limits.ParticipantTimeout, func() { to.Send(&graceOver{}) })
}

// abandon stops the actors that nothing more can come of: those in doubt, and
// those that a failed journal keeps in memory.
func (r *root) abandon() {
	for _, c := range r.children {
		c.handle.Send(&messages.Leave{Now: true})
	}
}

// closingProgress goes on with a drain or a shutdown when no transaction has an
// actor any more.
func (r *root) closingProgress() {
	if r.Slots.Live() == 0 && r.stopping.Load() {
		for _, done := range r.drained {
			close(done)
		}
		r.drained = nil
	}
	if r.closing == nil || len(r.children) > 0 || len(r.reviving) > 0 || r.closing.writing {
		return
	}
	r.closing.timer.Stop()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.saveExpired()
	for _, g := range r.Registry.Gateways() {
		if pid := g.PID(); pid != nil {
			g.Shut()
			r.system.Root.Send(pid, actors.LastCall)
		}
	}
	r.closing.writing = true
	if pid := r.writer.PID(); pid != nil {
		r.writer.Close()
		r.system.Root.Send(pid, actors.LastCall)
		return
	}
	r.closed()
}

// closingTerminated takes the end of an actor that is no transaction.
func (r *root) closingTerminated() {
	if r.closing != nil && r.closing.writing && len(r.context.Children()) == 0 {
		r.closed()
	}
}

// closed is the end of the supervisor itself, behind what is in its mailbox.
func (r *root) closed() {
	if r.closing.done == nil || len(r.context.Children()) > 0 {
		return
	}
	r.Close()
	r.context.Send(r.context.Self(), stop{r.closing.done})
	r.closing.done = nil
}

// stop is the supervisor's last message: who has sent one before is answered.
type stop struct{ done chan<- struct{} }

func (r *root) stop(m stop) {
	close(m.done)
	r.context.Stop(r.context.Self())
}
