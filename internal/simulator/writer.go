package simulator

import (
	"slices"

	"github.com/seed-d36415c0/dtc/protocol"
)

// failure says why a journal takes nothing more.
type failure uint8

const (
	sound failure = iota
	broken
	fenced
)

// request to write, as the journal's writer takes them.
type appendage struct {
	writes   []write
	force    bool
	record   protocol.Record
	branches int
	from     *transaction // who is told how it ended; nil for nobody
	barrier  func()       // told instead
}

// writer is the journal writer of one coordinator. While one batch is being
// written it gathers the next, which is one write and one sync again.
type writer struct {
	c       *coordinator
	pending []appendage
	writing bool
	failure failure
	// fenced: another owner has the journal. The writer learns it when it writes.
	fenced bool
}

func (l *writer) append(a appendage) {
	l.pending = append(l.pending, a)
	if len(l.pending) == 1 && !l.writing {
		// Everything that is in the mailbox by then goes along.
		l.c.after(l.c.w.upTo(1), l.flush)
	}
}

// flush starts to write what is pending, unless a batch is being written.
func (l *writer) flush() {
	if len(l.pending) == 0 || l.writing {
		return
	}
	batch := l.pending
	l.pending = nil
	l.writing = true
	w := l.c.w
	var writes []write
	force := false
	for _, a := range batch {
		writes = append(writes, a.writes...)
		force = force || a.force
	}
	switch {
	case l.failure != sound:
		l.written(batch, l.failure)
	case l.fenced:
		l.written(batch, fenced)
	case !w.may(l.c.node, effect{what: "write", n: len(writes)}):
		// Power is off.
	default:
		w.disk.append(writes)
		if !force {
			l.c.after(w.upTo(2), func() { l.written(batch, sound) })
			return
		}
		l.c.after(1+w.upTo(w.config.syncTime), func() { l.sync(batch) })
	}
}

// sync ends the forcing of a batch.
func (l *writer) sync(batch []appendage) {
	w := l.c.w
	if l.fenced {
		// The new owner has overtaken it: whether it was written, nobody knows.
		l.written(batch, broken)
		return
	}
	if !w.may(l.c.node, effect{what: "sync"}) {
		return
	}
	w.report.Syncs++
	if w.chance(w.faults.syncFails) || w.report.Syncs == w.failSync {
		w.report.FailedSyncs++
		if w.tracing {
			w.say("the sync fails")
		}
		w.disk.dropPages(int(w.upTo(int64(len(w.disk.unsynced)))))
		l.written(batch, broken)
		return
	}
	w.disk.sync()
	l.written(batch, sound)
}

// written tells everybody how the batch ended, after it has begun the next.
func (l *writer) written(batch []appendage, err failure) {
	if err != sound {
		l.failed(err)
	}
	l.writing = false
	l.flush()
	for _, a := range batch {
		switch {
		case a.barrier != nil:
			l.c.after(0, a.barrier)
		case a.from != nil:
			t := a.from
			t.take(func() { t.appended(a.record, a.branches, err) })
		}
	}
}

// failed notes the first failure. The process is started again some time later.
func (l *writer) failed(err failure) {
	if l.failure == sound {
		w := l.c.w
		w.after(1+w.upTo(w.config.transactionTimeout), func() { w.crash(l.c, power{process: true}) })
	}
	l.failure = max(l.failure, err)
}

// holds tells whether a record of that kind is on its way to the disk.
func (l *writer) holds(x id, kind protocol.Record) bool {
	return slices.ContainsFunc(l.pending, func(a appendage) bool {
		return slices.ContainsFunc(a.writes, func(w write) bool { return w.put != nil && w.put.id == x && w.put.kind == kind })
	})
}
