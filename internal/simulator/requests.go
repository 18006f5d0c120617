package simulator

import "github.com/seed-d36415c0/dtc/protocol"

// request is what an application asks of a transaction, and waits for.
type request struct {
	c        *coordinator // whom it was asked
	what     string
	tx       id
	with     []int // AskCommit: what the caller counts on
	name     int   // Enlist, Settle: the participant
	chosen   bool  // Begin: the application has made the id
	commit   bool  // Settle: how
	forget   bool
	replied  bool
	gone     bool // nobody waits any more
	answered func(answer)
}

// answer is what an application is told.
type answer struct {
	outcome  protocol.Outcome
	enlisted bool
	refused  bool
	late     bool // the outcome stands, but not for every branch that was counted on
	full     bool
	begun    bool
}

// reply answers a request, once.
func (c *coordinator) reply(r *request, a answer) {
	if r == nil || !c.w.may(c.node, effect{what: "reply", tx: r.tx}) {
		return
	}
	c.w.replying(c, r, a)
	r.replied = true
	if r.answered != nil && !r.gone {
		c.w.after(0, func() { r.answered(a) })
	}
}

// enlist takes an enlistment; r is nil for one that was posted.
func (t *transaction) enlist(name int, r *request) {
	if t.failed {
		switch {
		case r != nil:
			t.c.reply(r, answer{refused: true})
		case t.index(name) < 0:
			t.parts = append(t.parts, part{name: name})
		}
		return
	}
	t.asking = r
	refused := t.tryEnlist(name, r == nil)
	if r == nil || t.asking == nil {
		return
	}
	t.asking = nil
	switch i := t.tx.Index(t.c.w.parts[name].name); {
	case refused:
		t.c.reply(r, answer{refused: true, outcome: t.tx.Outcome()})
	case t.tx.Pending(i):
		t.parts[i].replies = append(t.parts[i].replies, r)
	default:
		t.c.reply(r, answer{enlisted: true})
	}
}

// tryEnlist adds a branch, or refuses it.
func (t *transaction) tryEnlist(name int, posted bool) (refused bool) {
	w := t.c.w
	if i := t.index(name); i >= 0 {
		return t.tx.State() != protocol.Active && !posted
	}
	before := t.tx.Len()
	if !posted && (t.tx.State() != protocol.Active || before >= w.config.maxParticipants) {
		return true
	}
	t.parts = append(t.parts, part{name: name})
	t.step(protocol.Event{Kind: protocol.Enlist, Enlist: w.parts[name].branch(), Posted: posted})
	if t.tx.Len() == before && !t.failed {
		t.parts = t.parts[:before]
	} else if t.tx.Len() > before && !t.tx.Stray(before) {
		t.h.members.add(name)
	}
	return false
}

// askCommit enlists what is missing of what the caller counts on, and starts to
// commit.
func (t *transaction) askCommit(r *request) {
	t.waiters = append(t.waiters, r)
	if t.failed {
		return
	}
	for _, name := range r.with {
		switch refused := t.tryEnlist(name, false); {
		case !refused:
		case t.tx.State() == protocol.Active:
			t.step(protocol.Event{Kind: protocol.AskRollback})
		}
	}
	t.step(protocol.Event{Kind: protocol.AskCommit})
	t.answerIfKnown()
}

func (t *transaction) askRollback(r *request) {
	t.waiters = append(t.waiters, r)
	if t.failed {
		return
	}
	t.step(protocol.Event{Kind: protocol.AskRollback})
	t.answerIfKnown()
}

func (t *transaction) answerIfKnown() {
	if t.tx.Answered() {
		t.answerWaiters(t.tx.Outcome())
	}
}

// answerAll tells whoever waits how it stands. The slot is given back before.
func (t *transaction) answerAll() {
	if t.tx.Left() {
		t.c.release(t.h)
	}
	t.answerWaiters(t.tx.Outcome())
}

func (t *transaction) answerWaiters(o protocol.Outcome) {
	for len(t.waiters) > 0 && !t.gone() {
		r := t.waiters[len(t.waiters)-1]
		t.waiters = t.waiters[:len(t.waiters)-1]
		t.c.reply(r, answer{outcome: o, late: t.h.lacks(r.with)})
	}
}

// settle takes a person's word for it that a branch is done. One that comes when
// the transaction is about to leave goes with it.
func (t *transaction) settle(r *request) {
	if t.failed {
		t.c.reply(r, answer{refused: true})
		return
	}
	finished := t.h.finished()
	if t.tx.Left() && !finished && t.late == nil {
		t.late = r
		return
	}
	i, before := t.index(r.name), t.tx.State()
	decided := before == protocol.Committing || before == protocol.RollingBack || before == protocol.Asking
	if i < 0 || !decided || !t.tx.Unfinished(i) || before == protocol.Asking && r.forget {
		t.c.reply(r, answer{refused: true, outcome: t.tx.Outcome()})
		return
	}
	t.c.w.settled(t, r)
	t.asking = r
	t.h.heuristic = true
	t.step(protocol.Event{Kind: protocol.Settle, Branch: i, Committed: r.commit})
	if t.gone() {
		return
	}
	if t.written && !t.h.finished() {
		t.c.log.append(appendage{writes: []write{{put: t.record(t.recordKind())}}})
	}
	t.asking = nil
	t.c.reply(r, answer{outcome: t.tx.Outcome()})
}
