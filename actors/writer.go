package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
)

// maxBatch is how many bytes of payload go into one batch, so that memory stays
// bounded when many transactions write at once.
const maxBatch = 4 << 20

// writer is the journal writer actor. While one batch is being written, away
// from the mailbox, it gathers the next, which is one write and one sync again.
// The disk does not wait for the answers: the next batch goes first.
type writer struct {
	log     *Log
	pending []*messages.Append
	writing []*messages.Append // empty while nothing is being written
	writes  []journal.Write    // what that is
	last    bool               // nothing is to come any more
}

// flush is what the writer sends itself behind the first Append of a batch: when
// it comes, everything that was in the mailbox has been gathered.
type flush struct{}

// written says how the writing of a batch ended.
type written struct{ err error }

// NewWriter returns the journal writer actor.
func NewWriter(l *Log) actor.Actor { return &writer{log: l} }

// Receive implements actor.Actor.
func (w *writer) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *messages.Append:
		if len(w.pending) == 0 && len(w.writing) == 0 {
			c.Send(c.Self(), flush{})
		}
		w.pending = append(w.pending, m)
	case flush:
		w.flush(c)
	case written:
		done := w.writing
		w.writing = nil
		clear(w.writes)
		w.flush(c)
		answer(done, m.err)
		w.stopIfDone(c)
	case lastCall:
		w.last = true
		w.flush(c)
		w.stopIfDone(c)
	}
}

func (w *writer) stopIfDone(c actor.Context) {
	if w.last && len(w.writing) == 0 {
		c.Stop(c.Self())
	}
}

// flush writes as much of what is pending as fits into one batch, unless one is
// being written.
func (w *writer) flush(c actor.Context) {
	if len(w.pending) == 0 || len(w.writing) > 0 {
		return
	}
	var n, size int
	batch := journal.Batch{Writes: w.writes[:0]}
	for n < len(w.pending) && (n == 0 || size < maxBatch) {
		a := w.pending[n]
		batch.Writes = append(batch.Writes, a.Writes...)
		batch.Force = batch.Force || a.Force
		if a.Force {
			w.log.forced.Add(1)
		}
		size += payload(a)
		n++
	}
	w.writing, w.pending, w.writes = w.pending[:n:n], w.pending[n:], batch.Writes
	root, self := c.ActorSystem().Root, c.Self()
	go func() {
		done := written{errJournalExits}
		defer func() { root.Send(self, done) }()
		done.err = w.log.write(batch)
	}()
}

// answer tells everybody how the batch ended.
func answer(batch []*messages.Append, err error) {
	for _, a := range batch {
		if a.From != nil {
			a.From.Send(&messages.Appended{Record: a.Record, Branches: a.Branches, Err: err})
		}
	}
}

func payload(a *messages.Append) (size int) {
	for _, w := range a.Writes {
		if w.Put != nil {
			for i := range w.Put.Branches {
				size += len(w.Put.Branches[i].Payload)
			}
		}
	}
	return size
}
