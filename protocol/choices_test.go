package protocol

import "fmt"

// act is a kind of thing that can happen next.
type act uint8

const (
	asksCommit act = iota
	asksRollback
	timeIsUp
	enlists
	answers        // a participant takes its call (how) and its answer arrives
	takesSilently  // it takes a call (op, how) but the answer does not arrive
	answersTooLate // its call has taken too long
	retries
	waitsNoMore
	writes      // the journal has written and forced its oldest entry
	breaks      // forcing fails; n: nothing, or everything queued, is on disk
	isFencedOff // another owner has taken the journal over
	reports     // a broken journal reports a failed force
	crashes     // of the process; n entries of the queue were on disk
	panics      // of the transaction's actor
	leavesMemory
	resumes // from its record
	scans   // the participants (n, as bits) list what is in doubt
)

var actNames = [...]string{
	"the application asks to commit", "the application asks to roll back", "the deadline passes", "enlist",
	"answers", "takes effect unheard", "times out", "retry is due", "waiting is over", "the journal has written",
	"forcing fails", "the journal is fenced off", "the failed force is reported", "crash", "panic", "leaves memory",
	"resumes from its record", "is found in doubt",
}

// choice is one thing that can happen next.
type choice struct {
	act    act
	branch uint8 // a participant
	op     Op
	how    how
	n      uint8
}

func (c choice) String() string {
	switch c.act {
	case answersTooLate, retries:
		return fmt.Sprintf("%s: %s", letter(int(c.branch)), actNames[c.act])
	case answers:
		return fmt.Sprintf("%s: %s (%s)", letter(int(c.branch)), actNames[c.act], c.how)
	case takesSilently:
		return fmt.Sprintf("%s: %s %s (%s)", letter(int(c.branch)), c.op, actNames[c.act], c.how)
	case breaks, crashes, scans:
		return fmt.Sprintf("%s (%d)", actNames[c.act], c.n)
	default:
		return actNames[c.act]
	}
}

// choices appends everything that can happen next.
func (m *model) choices(w *world, cs []choice) []choice {
	if w.up {
		cs = m.foreground(w, cs)
	} else {
		cs = m.background(w, cs)
	}
	for i := range m.setting.branches {
		for op := Prepare; op <= Rollback; op++ {
			if w.parts[i].sent&bit(op) == 0 {
				continue
			}
			for h := range hows {
				s := w.parts[i].state
				if to, _, ok := react(m.setting.branches[i], s, op, h); ok && to != s {
					cs = append(cs, choice{act: takesSilently, branch: uint8(i), op: op, how: h})
				}
			}
		}
	}
	switch {
	case w.queued > 0 && w.dead:
		cs = append(cs, choice{act: reports})
	case w.queued > 0:
		cs = append(cs, choice{act: writes}, choice{act: breaks}, choice{act: breaks, n: w.queued}, choice{act: isFencedOff})
	}
	cs = append(cs, choice{act: crashes})
	for n := uint8(1); n <= w.queued && !w.dead; n++ {
		cs = append(cs, choice{act: crashes, n: n})
	}
	return cs
}

// foreground is what can happen to a transaction in memory.
func (m *model) foreground(w *world, cs []choice) []choice {
	cs = append(cs, choice{act: asksCommit}, choice{act: asksRollback}, choice{act: timeIsUp})
	if m.toEnlist(w) {
		cs = append(cs, choice{act: enlists})
	}
	if w.waiting {
		cs = append(cs, choice{act: waitsNoMore})
	}
	if w.tx.left() {
		cs = append(cs, choice{act: leavesMemory})
	} else if w.tx.n > 0 && w.queued == 0 && !w.dead && (w.known != OutcomeCommitted || w.disk.record != NoRecord) {
		cs = append(cs, choice{act: panics})
	}
	for i := range w.tx.n {
		p := w.first + i
		if w.parts[p].retry {
			cs = append(cs, choice{act: retries, branch: p})
		}
		b := &w.tx.branches[i]
		if !b.pending {
			continue
		}
		cs = append(cs, choice{act: answersTooLate, branch: p})
		for h := range hows {
			if _, _, ok := react(m.setting.branches[p], w.parts[p].state, b.op, h); ok {
				cs = append(cs, choice{act: answers, branch: p, op: b.op, how: h})
			}
		}
	}
	return cs
}

func (s *memory) left() bool { return s.gone || s.state == Committed || s.state == RolledBack }

// toEnlist tells whether the application has a branch left to enlist: one after
// the other, while the transaction is active; but a posted one at any moment.
func (m *model) toEnlist(w *world) bool {
	n := w.tx.n
	return w.first == 0 && int(n) < len(m.setting.branches) && w.parts[n].state == out &&
		(m.setting.posted && !w.tx.silent || m.setting.durable && w.tx.state == Active)
}

// background is what can happen to a transaction that is not in memory.
func (m *model) background(w *world, cs []choice) []choice {
	if w.queued > 0 || w.dead {
		return cs
	}
	if w.disk.record != NoRecord {
		return append(cs, choice{act: resumes})
	}
	listed := m.inDoubt(w)
	for n := uint8(1); n <= listed; n++ {
		if n&listed == n {
			cs = append(cs, choice{act: scans, n: n})
		}
	}
	return cs
}

// inDoubt is what the recoverable participants list, as bits.
func (m *model) inDoubt(w *world) (listed uint8) {
	for i, b := range m.setting.branches {
		if s := w.parts[i].state; b.Recoverable && (s == active || s == prepared) {
			listed |= 1 << i
		}
	}
	return listed
}

// heal is what happens next when nothing fails any more; ok is false when
// nothing is left to happen.
func (m *model) heal(w *world) (c choice, ok bool) {
	switch {
	case w.up && w.tx.left():
		return choice{act: leavesMemory}, true
	case w.queued > 0 && w.dead:
		return choice{act: reports}, true
	case w.queued > 0:
		return choice{act: writes}, true
	case w.up && w.tx.state == InDoubt, w.dead:
		return choice{act: crashes}, true
	case w.up:
		return m.healForeground(w)
	}
	if cs := m.background(w, m.healing[:0]); len(cs) > 0 {
		return cs[len(cs)-1], true
	}
	return choice{}, false
}

func (m *model) healForeground(w *world) (choice, bool) {
	for i := range w.tx.n {
		if b := &w.tx.branches[i]; b.pending {
			return choice{act: answers, branch: w.first + i, op: b.op}, true
		}
	}
	for i := range w.tx.n {
		if w.parts[w.first+i].retry {
			return choice{act: retries, branch: w.first + i}, true
		}
	}
	if w.waiting {
		return choice{act: waitsNoMore}, true
	}
	return choice{act: timeIsUp}, true
}
