package supervisor

import (
	"time"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
)

// maxLives is how often a transaction's actor is brought back at once. After
// that it is left to the journal, like one whose participant does not answer.
const maxLives = 3

// revive says that nothing of a failed actor is on the way to the journal any
// more.
type revive struct{ child *child }

// barrier is where the journal writer answers for a failed actor.
type barrier struct {
	to    *actors.Ref
	child *child
}

// Send implements messages.Address.
func (b *barrier) Send(any) bool { return b.to.Send(&revive{b.child}) }

// comeBack brings a transaction back whose actor failed and has stopped, once
// everything it gave to the journal is written.
func (r *root) comeBack(c *child) {
	r.reviving[c] = true
	if r.Log.Immediate() || !r.writer.Send(&messages.Append{From: &barrier{&r.Ref, c}}) {
		r.revive(&revive{c})
	}
}

func (r *root) revive(m *revive) {
	c := m.child
	if !r.reviving[c] {
		return // the coordinator has closed on it meanwhile
	}
	record, ok, err := r.Log.Record(c.handle.ID)
	if err != nil && r.Log.Err() == nil && r.closing == nil {
		// Nobody knows what was decided before the journal can be read.
		c.unread = true
		to := &r.Ref
		time.AfterFunc(r.config.Limits.Retry.Initial, func() { to.Send(m) })
		return
	}
	delete(r.reviving, c)
	known := err == nil && r.Log.Err() == nil
	if known && c.lives < maxLives {
		var found *journal.Record
		if ok {
			found = &record
		}
		r.spawn(&child{
			actor: actors.Revive(c.actor, found), handle: c.handle, resumed: c.resumed, lives: c.lives + 1,
		})
		return
	}
	c.handle.Release() // first: who has his answer finds the slot free
	c.actor.GiveUp()
	if c.resumed != nil {
		r.parked.stopped(c.resumed)
	}
	if known {
		left := &actors.Left{}
		if !ok {
			left.Record = c.actor.Unrecorded()
		}
		r.left(c.handle, left)
	}
	r.admitWaiting()
	r.closingProgress()
}
