package protocol

import (
	"fmt"
	"reflect"
	"testing"
)

// setting is what one exhaustive search is about.
type setting struct {
	name     string
	branches []Branch // one or two
	durable  bool
	// posted: the last branch is enlisted by a message that the application does
	// not wait for, at any moment.
	posted bool
}

// world is everything there is: the coordinator's memory, its journal, the
// participants and what is on its way between them. It is a value without
// pointers, so that a search can copy it, and its own key.
//
// Whatever was ever sent to a participant may arrive at any time, any number of
// times or never; this is loss, duplication, delay and reordering in one.
type world struct {
	up      bool // the transaction is in memory
	tx      memory
	first   uint8 // the participant that is the transaction's first branch
	waiting bool  // WaitOver is to come
	taken   bool  // it has heard that another owner has taken over
	replied bool  // this incarnation has answered the application

	disk   entry
	queue  [6]entry // appended, and not yet known to be on disk
	queued uint8
	dead   bool // the journal has failed, until it is opened again
	fenced bool // another owner made it fail

	parts   [2]part
	known   Outcome // what the application could have been told for sure
	crashed bool    // the process has crashed before
}

// part is a participant with its branch.
type part struct {
	state partState
	sent  uint8 // the operations ever sent to it that could have an effect, as bits
	retry bool  // RetryDue is to come
	late  bool  // enlisted too late to be part of the transaction
}

// partState is where a participant's branch stands in truth.
type partState uint8

const (
	out        partState = iota // not enlisted
	idle                        // enlisted, but the application does not know
	active                      // the application's work is done
	prepared                    // able to go either way
	left                        // read-only
	committed                   // for good
	performed                   // one-phase, committed; can be compensated
	rolledBack                  // for good
)

func (s partState) String() string {
	return [...]string{"out", "idle", "active", "prepared", "read-only", "committed", "performed", "rolled back"}[s]
}

// entry is a write to the journal, or what it left on disk. Its masks have a bit
// for each participant.
type entry struct {
	record         Record
	named, pending uint8
}

// endEntry is the record of an entry that removes the transaction's record.
const endEntry Record = 99

func (e entry) applied() entry {
	if e.record == endEntry {
		return entry{}
	}
	return e
}

// memory is a Transaction as a comparable value.
type memory struct {
	state                                                                    State
	path                                                                     Path
	limit, covered, n                                                        uint8
	durable, resumed, recorded, leaving, held, silent, told, gone, delegated bool
	disowned                                                                 bool
	branches                                                                 [2]memoryBranch
}

type memoryBranch struct {
	op                          Op
	called, pending             bool
	vote                        vote
	done, stuck, stray, settled bool
}

// TestMemoryIsComplete fails when a field is added that the search would lose.
func TestMemoryIsComplete(t *testing.T) {
	if n := reflect.TypeFor[Transaction]().NumField(); n != 16 {
		t.Errorf("Transaction has %d fields: teach load and save about them", n)
	}
	if n := reflect.TypeFor[branch]().NumField(); n != 9 {
		t.Errorf("branch has %d fields: teach load and save about them", n)
	}
}

// load builds the transaction that the world remembers.
func (m *model) load(w *world) *Transaction {
	s, t := &w.tx, &m.tx
	*t = Transaction{
		state: s.state, path: s.path, limit: int(s.limit), durable: s.durable, resumed: s.resumed,
		recorded: s.recorded, covered: int(s.covered), leaving: s.leaving, held: s.held, silent: s.silent,
		delegated: s.delegated, disowned: s.disowned,
		answered: s.told, parked: s.gone, branches: m.branches[:s.n], actions: m.actions[:0],
	}
	for i := range t.branches {
		b := &s.branches[i]
		t.branches[i] = branch{
			Branch: m.setting.branches[int(w.first)+i], op: b.op, pending: b.pending, vote: b.vote,
			done: b.done, stuck: b.stuck, stray: b.stray, settled: b.settled,
		}
		if b.called {
			t.branches[i].attempt = 1
		}
	}
	return t
}

// save remembers the transaction. How often a branch was called is forgotten
// but for whether it was, so that the worlds are finite in number.
func (w *world) save(t *Transaction) {
	w.up = true
	w.tx = memory{
		state: t.state, path: t.path, limit: uint8(t.limit), covered: uint8(t.covered), n: uint8(len(t.branches)),
		durable: t.durable, resumed: t.resumed, recorded: t.recorded, leaving: t.leaving, held: t.held,
		silent: t.silent, delegated: t.delegated, disowned: t.disowned, told: t.answered, gone: t.parked,
	}
	for i := range t.branches {
		b := &t.branches[i]
		w.tx.branches[i] = memoryBranch{
			op: b.op, called: b.attempt > 0, pending: b.pending, vote: b.vote,
			done: b.done, stuck: b.stuck, stray: b.stray, settled: b.settled,
		}
	}
}

// forget drops the transaction from memory.
func (w *world) forget() {
	w.up, w.tx, w.first, w.waiting, w.taken, w.replied = false, memory{}, 0, false, false, false
	for i := range w.parts {
		w.parts[i].retry = false
	}
}

// append puts a write into the journal's queue.
func (w *world) append(e entry) {
	if w.dead && e.record == endEntry {
		return
	}
	if int(w.queued) == len(w.queue) {
		panic("the model's journal queue is too short")
	}
	w.queue[w.queued] = e
	w.queued++
}

// pop takes the oldest write from the queue.
func (w *world) pop() entry {
	e := w.queue[0]
	copy(w.queue[:], w.queue[1:])
	w.queued--
	w.queue[w.queued] = entry{}
	return e
}

// write puts the queue's first n writes on disk.
func (w *world) write(n uint8) {
	for i := range n {
		w.disk = w.queue[i].applied()
	}
}

// settleSent drops what was sent but can have no effect any more.
func (p *part) settleSent() {
	switch p.state {
	case rolledBack, left, out:
		p.sent = 0
	case prepared:
		p.sent &^= bit(Prepare)
	case committed, performed:
		p.sent &= bit(Rollback)
	}
}

func bit(op Op) uint8 { return 1 << op }

func (w world) String() string {
	s := "not in memory"
	if w.up {
		s = fmt.Sprintf("%v %+v", w.tx.state, w.tx)
	}
	return fmt.Sprintf("coordinator: %s\ndisk: %+v queue: %+v dead: %v\nparticipants: %v\nknown: %v", s, w.disk,
		w.queue[:w.queued], w.dead, w.parts, w.known)
}
