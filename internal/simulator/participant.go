package simulator

import (
	"github.com/seed-d36415c0/dtc/protocol"
)

// standing is where a participant's branch stands, on its own stable storage.
type standing uint8

const (
	unknown standing = iota
	prepared
	readOnly
	committed
	rolledBack
)

var standings = [...]string{"unknown", "prepared", "read-only", "committed", "rolled back"}

func (s standing) String() string { return standings[s] }

// service is a participant. What it remembers shares a
// transaction with its effects, as with a participant.Transactor.
type service struct {
	w    *world
	n    int
	name string

	twoPhase, recoverable, delegable bool
	// durableWork: work that is not prepared survives a crash.
	durableWork bool
	// inquires: it asks the coordinator what became of a branch that waits long.
	inquires bool

	up      bool
	crashes int
	moods   []scripted // what a scenario has it do
	held    map[id]*branch
}

// branch is what a participant holds of one transaction.
type branch struct {
	standing standing
	work     bool // done outside of any call, and not prepared
	lost     bool // such work was lost
	effects  int  // how often it took effect, less how often that was undone
	busy     int64
}

// holds tells whether there is something to commit or to undo.
func (b *branch) holds() bool { return b.work || b.standing == prepared || b.effects > 0 }

func (p *service) node() node { return node(p.n) }

// branch is what the protocol knows of the participant.
func (p *service) branch() protocol.Branch {
	return protocol.Branch{Name: p.name, TwoPhase: p.twoPhase, Recoverable: p.recoverable, Delegable: p.delegable}
}

func (p *service) of(x id) *branch {
	b := p.held[x]
	if b == nil {
		b = new(branch)
		p.held[x] = b
	}
	return b
}

// receive takes a call. The calls of one branch are made one at a time.
func (p *service) receive(m *call) {
	if !p.up {
		return
	}
	w, b := p.w, p.of(m.h.id)
	took := w.upTo(w.config.callTime)
	if p.hangs(m.op) {
		w.report.Hangs++
		took = w.upTo(3*w.config.participantTimeout) + w.config.hangAtLeast
	}
	b.busy = max(b.busy, w.now) + took
	life := p.crashes
	w.at(b.busy, func() {
		if p.crashes == life {
			p.perform(m, b)
		}
	})
}

// perform makes the call, and answers it.
func (p *service) perform(m *call, b *branch) {
	w, x, op := p.w, m.h.id, m.op
	to, result := p.react(b, op, p.mood(op))
	if (to != b.standing || b.work && to != unknown) && !p.persist(x, b, op, to) {
		return
	}
	if w.may(p.node(), effect{what: "answer", tx: x, op: op, n: int(result)}) {
		w.answer(m, p.n, result)
	}
}

// persist makes a standing durable, and the effect with it.
func (p *service) persist(x id, b *branch, op protocol.Op, to standing) bool {
	w := p.w
	if !w.may(p.node(), effect{what: "persist", tx: x, op: op, n: int(to)}) {
		return false
	}
	from := b.standing
	b.standing = to
	if to != from && to == committed {
		b.effects++
	}
	if from == committed && to == rolledBack {
		b.effects--
	}
	if to != unknown {
		b.work = false
	}
	w.persisted(p, x, b, from, op)
	if to == prepared && p.inquires {
		p.inquireLater(x, b)
	}
	return true
}

// mood is how a participant takes a call, beside what it must do.
type mood uint8

const (
	willing mood = iota
	failing      // it fails, and nothing has happened
	refusing
	unconcerned // it votes read-only
	hanging     // it answers too late
)

// scripted is a mood in which the next so many calls of a kind are taken.
type scripted struct {
	op    protocol.Op
	mood  mood
	times int
}

// hangs tells whether a call takes longer than anybody waits.
func (p *service) hangs(op protocol.Op) bool {
	for i := range p.moods {
		if s := &p.moods[i]; s.op == op && s.times > 0 && s.mood == hanging {
			s.times--
			return true
		}
	}
	return p.w.chance(p.w.faults.hangs)
}

func (p *service) mood(op protocol.Op) mood {
	f := &p.w.faults
	for i := range p.moods {
		if s := &p.moods[i]; s.op == op && s.times > 0 && s.mood != hanging {
			s.times--
			return s.mood
		}
	}
	switch {
	case p.w.chance(f.fails):
		return failing
	case op != protocol.Prepare && op != protocol.Commit && op != protocol.CommitOnePhase:
		return willing
	case p.w.chance(f.refuses):
		return refusing
	case op == protocol.Prepare && p.w.chance(p.w.config.readOnly):
		return unconcerned
	}
	return willing
}

// react is how the call of a branch ends, and where that leaves the branch. It
// is what participant.Idempotent keeps: see TestParticipantsAreIdempotent.
func (p *service) react(b *branch, op protocol.Op, m mood) (standing, protocol.Result) {
	if m == failing {
		return b.standing, protocol.Failed
	}
	switch op {
	case protocol.Prepare:
		return prepare(b, m)
	case protocol.Commit, protocol.CommitOnePhase:
		if p.twoPhase && op == protocol.Commit {
			return commitPrepared(b)
		}
		return commitAlone(b, m)
	case protocol.Ask:
		if b.standing == committed {
			return committed, protocol.Done
		}
		return rolledBack, protocol.WasRolledBack
	default:
		if p.twoPhase && b.standing == committed {
			return committed, protocol.Failed
		}
		return rolledBack, protocol.Done
	}
}

func prepare(b *branch, m mood) (standing, protocol.Result) {
	switch b.standing {
	case prepared, committed:
		return b.standing, protocol.Done
	case readOnly:
		return readOnly, protocol.ReadOnly
	case rolledBack:
		return rolledBack, protocol.WasRolledBack
	}
	switch {
	case b.lost:
		return unknown, protocol.Failed
	case m == refusing:
		return rolledBack, protocol.WasRolledBack
	case m == unconcerned && !b.work:
		return readOnly, protocol.ReadOnly
	}
	return prepared, protocol.Done
}

// commitPrepared is phase two.
func commitPrepared(b *branch) (standing, protocol.Result) {
	switch b.standing {
	case committed, readOnly:
		return b.standing, protocol.Done
	case rolledBack:
		return rolledBack, protocol.WasRolledBack
	case unknown:
		if !b.work {
			return unknown, protocol.Failed
		}
	}
	return committed, protocol.Done
}

// commitAlone is a commit without a prepare before.
func commitAlone(b *branch, m mood) (standing, protocol.Result) {
	switch {
	case b.standing == committed:
		return committed, protocol.Done
	case b.standing == rolledBack:
		return rolledBack, protocol.WasRolledBack
	case m == refusing:
		return rolledBack, protocol.WasRolledBack
	case b.lost:
		return unknown, protocol.Failed
	}
	return committed, protocol.Done
}

// workOn is what an application does at a participant before it commits.
func (p *service) workOn(x id) {
	b := p.of(x)
	if p.up && b.standing == unknown && b.effects == 0 {
		b.work = true
		if p.w.tracing {
			p.w.say("%s %d: work is done", p.node(), x)
		}
	}
}

// inDoubt lists the transactions of which the participant holds a branch that is
// neither committed nor rolled back.
func (p *service) inDoubt() (ids []id) {
	for _, x := range p.w.order { // maps have no order
		if b := p.held[x]; b != nil && (b.standing == prepared || b.work) {
			ids = append(ids, x)
		}
	}
	return ids
}

// inquireLater asks, if the branch waits long, what became of its transaction.
func (p *service) inquireLater(x id, b *branch) {
	w := p.w
	w.after(w.config.participantTimeout+w.upTo(w.config.participantTimeout), func() {
		if b.standing != prepared {
			return
		}
		if p.up {
			w.inquire(p.n, x, func(o protocol.Outcome) { p.decided(x, b, o) })
		}
		p.inquireLater(x, b)
	})
}

// decided takes the answer to an inquiry.
func (p *service) decided(x id, b *branch, o protocol.Outcome) {
	if !p.up || b.standing != prepared {
		return
	}
	switch o {
	case protocol.OutcomeCommitted:
		p.persist(x, b, protocol.Commit, committed)
	case protocol.OutcomeRolledBack:
		p.persist(x, b, protocol.Rollback, rolledBack)
	}
}
