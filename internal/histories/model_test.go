package histories_test

import "github.com/anishathalye/porcupine"

// phase is where a transaction stands, as far as a caller can tell.
type phase uint8

const (
	none phase = iota // not begun
	active
	closed // asked to commit: takes no more participants
	committed
	rolledBack
)

// transaction is the model: a phase, and what each participant is enlisted with.
type transaction struct {
	phase    phase
	durable  bool
	enlisted [members]byte // the payload; 0 where it is not enlisted
}

// op is what a caller asks for. A commit is two operations that are under way at
// the same time: ask closes the transaction, and answer tells how it ended.
type op uint8

const (
	begin op = iota
	enlist
	ask
	answer
	rollback
	outcome
	effects // what the participants hold, when everything is over
)

func (o op) String() string {
	return [...]string{"begin", "enlist", "ask to commit", "be told of commit", "rollback", "outcome", "effects"}[o]
}

func (p phase) String() string {
	return [...]string{"none", "active", "closed", "committed", "rolled back"}[p]
}

type input struct {
	op      op
	durable bool // of begin
	member  int  // of enlist
	payload byte
}

// output is what a caller was told.
type output struct {
	said     said
	phase    phase         // where said is ended or stands
	branches [members]byte // of effects: c, r, or 0 for untouched
}

type said uint8

const (
	nothing  said = iota // the caller went away: it may be done now, later or never
	done                 // as asked
	ended                // refused, for the transaction stands at the phase
	notFound             // refused
	full                 // refused
	conflict             // refused
	stands               // at the phase
)

func (s said) String() string {
	return [...]string{"nothing", "done", "ended", "not found", "full", "conflict", "stands"}[s]
}

// model answers as the contract says.
var model = porcupine.Model{
	Init: func() any { return transaction{} },
	Step: func(state, in, out any) (bool, any) {
		t := state.(transaction)
		fits, next := t.step(in.(input), out.(output))
		return fits, next
	},
}

func (t transaction) step(in input, out output) (fits bool, next transaction) {
	if out.said == notFound {
		return t.phase == none, t
	}
	switch in.op {
	case begin:
		return t.begin(in, out)
	case enlist:
		return t.enlist(in, out)
	case ask:
		if t.phase == active {
			t.phase = closed
		}
		return t.phase != none, t
	case answer:
		return t.answer(out)
	case rollback:
		if out.said != ended && (t.phase == active || t.phase == closed) {
			t.phase = rolledBack
		}
		return out.said == nothing || out.said == done && t.phase == rolledBack || out.said == ended && t.phase == committed, t
	case outcome:
		return t.stands() == out.phase, t
	default:
		return t.effects() == out.branches, t
	}
}

func (t transaction) begin(in input, out output) (bool, transaction) {
	if out.said == ended {
		return t.phase == out.phase, t
	}
	if t.phase == none {
		t.phase, t.durable = active, in.durable
	}
	return t.phase <= closed, t
}

func (t transaction) enlist(in input, out output) (bool, transaction) {
	had := t.enlisted[in.member]
	fresh, room := t.phase == active && had == 0, t.size() < maxParticipants
	// A branch that is still being written down when the transaction rolls back is
	// refused, and rolled back all the same.
	caught := t.durable && out.phase == rolledBack
	if fresh && room && (out.said == done || out.said == nothing || out.said == ended && caught) {
		t.enlisted[in.member] = in.payload
		return true, t
	}
	switch out.said {
	case done:
		return t.stands() == active && had == in.payload, t
	case full:
		return fresh && !room, t
	case conflict:
		return had != 0 && had != in.payload, t
	case ended:
		return t.phase != active && t.stands() == out.phase, t
	default:
		return out.said == nothing, t
	}
}

// stands is what Outcome tells.
func (t transaction) stands() phase {
	if t.phase == closed {
		return active
	}
	return t.phase
}

// answer ends a transaction that is closed: it commits, unless somebody refuses.
func (t transaction) answer(out output) (bool, transaction) {
	if t.phase == closed {
		t.phase = committed
		if t.enlisted[refuser] != 0 {
			t.phase = rolledBack
		}
	}
	return out.said == nothing || t.phase == out.phase, t
}

func (t transaction) size() (n int) {
	for _, payload := range t.enlisted {
		if payload != 0 {
			n++
		}
	}
	return n
}

func (t transaction) effects() (branches [members]byte) {
	for i, payload := range t.enlisted {
		if payload != 0 {
			branches[i] = map[phase]byte{committed: 'c', rolledBack: 'r'}[t.phase]
		}
	}
	return branches
}
