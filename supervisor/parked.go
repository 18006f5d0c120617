package supervisor

import (
	"container/heap"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
)

// parking is the transactions that are decided, not finished and not in memory,
// by the participant they wait for. The journal holds them; what is here is only
// when to take them up.
//
// A participant that fails is probed by one transaction at a time, so that it
// takes no slots from those whose participants are well. When it answers again,
// all that wait for it are due at once.
type parking struct {
	limit   int
	slots   int // how many may be taken up at a time
	running int
	byID    map[uuid.UUID]*parkedEntry
	queues  map[string]*queue
	rest
}

// parkedEntry is one parked transaction.
type parkedEntry struct {
	handle *actors.Handle
	// record is set where the journal holds none.
	record *journal.Record
	// names of the participants that have not acknowledged.
	names []string
	// stray: not a transaction, but one branch that a participant listed and that
	// none accounts for.
	stray bool
	tries int
	last  time.Time // of the last try; zero before the first
	due   time.Time
	now   bool // a person wants it tried now

	queue   *queue // nil while it has an actor
	index   int    // in the queue
	probing *queue // whose probe it is
}

// queue is what waits for one participant, the earliest due first.
type queue struct {
	name    string
	entries []*parkedEntry
	probe   bool // a probe is under way
	told    bool // that it is not registered
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (q *queue) Len() int           { return len(q.entries) }
func (q *queue) Less(i, j int) bool { return q.entries[i].due.Before(q.entries[j].due) }
func (q *queue) Swap(i, j int) {
	q.entries[i], q.entries[j] = q.entries[j], q.entries[i]
	q.entries[i].index, q.entries[j].index = i, j
}
func (q *queue) Push(x any) {
	e := x.(*parkedEntry)
	e.index = len(q.entries)
	q.entries = append(q.entries, e)
}
func (q *queue) Pop() any {
	last := len(q.entries) - 1
	e := q.entries[last]
	q.entries[last] = nil
	q.entries = q.entries[:last]
	return e
}

// put queues an entry for the participant that it waits for: one that is well if
// it can be.
func (p *parking) put(e *parkedEntry, gateway func(string) *actors.Gateway) {
	name := e.names[0]
	for _, n := range e.names {
		if g := gateway(n); g != nil {
			name = n
			if g.Healthy() {
				break
			}
		}
	}
	q := p.queues[name]
	if q == nil {
		q = &queue{name: name}
		p.queues[name] = q
	}
	e.queue = q
	heap.Push(q, e)
}

// take removes an entry from its queue, to be tried.
func (p *parking) take(e *parkedEntry) {
	q := e.queue
	heap.Remove(q, e.index)
	e.queue = nil
	if len(q.entries) == 0 && !q.probe {
		delete(p.queues, q.name)
	}
}

// stopped notes that the actor of a try has stopped. Whether the transaction is
// finished or parked again, its handle says.
func (p *parking) stopped(e *parkedEntry) {
	p.running--
	if e.probing != nil {
		e.probing.probe = false
		e.probing = nil
	}
	if e.handle.Finished() {
		delete(p.byID, e.handle.ID)
	}
}

// left takes a transaction that has left memory unfinished.
func (r *root) left(h *actors.Handle, m *actors.Left) {
	if m.Gone {
		delete(r.parked.byID, h.ID)
		r.remove(h.ID)
		r.deliver()
		return
	}
	r.park(h, m)
	if m.Settle != nil {
		r.settleParked(&SettleParked{h.ID, m.Settle})
	}
}

// park lists a transaction, to be taken up later.
func (r *root) park(h *actors.Handle, m *actors.Left) {
	e := r.parked.byID[h.ID]
	if e == nil {
		if len(r.parked.byID) >= r.parked.limit && r.Log.Journal.Lasts() && m.Record == nil {
			r.overflow.Store(true)
			r.parked.more = true
			r.remove(h.ID)
			return
		}
		e = &parkedEntry{handle: h, tries: -1}
		r.parked.byID[h.ID] = e
	}
	e.tries++
	e.record, e.now = m.Record, false
	ending := h.Ending()
	var parked actors.Parked
	if ending.Parked != nil {
		parked = *ending.Parked
	}
	if parked.Waiting != nil {
		e.names = names(parked.Waiting)
	}
	e.last = time.Now()
	e.due = e.last
	if e.tries > 0 || parked.Waiting == nil || len(e.names) > 0 {
		e.due = e.last.Add(r.config.Limits.Retry.After(e.tries + 1))
	}
	parked.Tries, parked.Next = e.tries, e.due
	ending.Parked = &parked
	h.SetEnding(ending)
	if len(e.names) == 0 {
		e.names = []string{nobody}
	}
	r.parked.put(e, r.Registry.Gateway)
	r.markFull(e)
	r.deliver()
}

// nobody is the name in the place of a participant where none is waited for and
// only the end is to be written.
const nobody = ""

func names(waiting []messages.Cause) (list []string) {
	for _, w := range waiting {
		list = append(list, w.Participant)
	}
	return list
}

// markFull keeps a participant from taking part in more, when with a journal
// that does not last more transactions wait for it than are to be held in
// memory.
func (r *root) markFull(e *parkedEntry) {
	if r.Log.Journal.Lasts() {
		return
	}
	full := len(r.parked.byID) >= r.parked.limit
	for _, n := range e.names {
		if g := r.Registry.Gateway(n); g != nil {
			g.Full.Store(full)
		}
	}
}

// deliver takes parked transactions up, as many as there are slots and as the
// participants bear.
func (r *root) deliver() {
	if r.closing != nil || r.Log.Err() != nil {
		return
	}
	r.refill()
	now := time.Now()
	for r.parked.running < r.parked.slots {
		e := r.pick(now)
		if e == nil {
			break
		}
		r.try(e, nil)
	}
	r.schedule()
}

// pick returns the next entry to try; nil if none may be tried now.
func (r *root) pick(now time.Time) *parkedEntry {
	for _, q := range r.parked.queues {
		if len(q.entries) == 0 {
			continue
		}
		e := q.entries[0]
		if !e.now && (e.due.After(now) || !r.mayTry(q, e)) {
			continue
		}
		return e
	}
	return nil
}

// mayTry tells whether a queue's first entry may be tried: if its participant is
// well, or if this is the one probe of it, or if others are to be told for the
// first time.
func (r *root) mayTry(q *queue, e *parkedEntry) bool {
	g := r.Registry.Gateway(q.name)
	switch {
	case q.name == nobody:
		return true
	case g == nil:
		if !q.told {
			q.told = true
			r.config.Observer.Emit(actors.Event{Kind: actors.EventUnregistered, Participant: q.name})
		}
		return false
	case g.Healthy():
		return true
	default:
		return !q.probe || e.last.IsZero() && len(e.names) > 1
	}
}

// try spawns an actor for a parked transaction, to settle a branch by hand first,
// if there is one to settle.
func (r *root) try(e *parkedEntry, settle *messages.Settle) {
	q := e.queue
	r.parked.take(e)
	g := r.Registry.Gateway(q.name)
	probe := g != nil && !g.Healthy() && !q.probe
	if probe {
		q.probe = true
		e.probing = q
	}
	r.parked.running++
	e.last, e.now = time.Now(), false
	res := &actors.Resumption{Settle: settle, Probe: probe}
	if e.record != nil {
		res.Record, res.Unrecorded = e.record, true
	}
	r.spawn(&child{actor: actors.Resume(r.env, e.handle, res), handle: e.handle, resumed: e})
}

// participantRecovered has all that waits for a participant tried at once, but
// none of it sooner after its last try than the shortest wait.
func (r *root) participantRecovered(name string) {
	if q := r.parked.queues[name]; q != nil {
		now := time.Now()
		for _, e := range q.entries {
			soon := e.last.Add(r.config.Limits.Retry.Initial)
			if now.After(soon) {
				soon = now
			}
			if soon.Before(e.due) {
				e.due = soon
			}
		}
		heap.Init(q)
	}
	r.deliver()
}

// Retry asks for a parked transaction to be tried now, or for all of them.
type Retry struct {
	ID    uuid.UUID
	Reply *messages.Reply[error]
}

func (r *root) retry(m *Retry) {
	if e := r.parked.byID[m.ID]; e != nil && e.queue != nil {
		r.expedite(e)
	}
	m.Reply.Send(nil)
	r.deliver()
}

// expedite has an entry tried next.
func (r *root) expedite(e *parkedEntry) {
	e.now, e.due = true, time.Time{}
	heap.Fix(e.queue, e.index)
}

// SettleParked asks for a branch of a parked transaction to be settled by hand.
type SettleParked struct {
	ID     uuid.UUID
	Settle *messages.Settle
}

func (r *root) settleParked(m *SettleParked) {
	if e := r.parked.byID[m.ID]; e != nil && e.queue != nil && r.closing == nil {
		r.try(e, m.Settle)
		return
	}
	h, to := r.Directory.Find(m.ID), &r.Ref
	switch {
	case h != nil && h.Send(m.Settle):
		// It has an actor.
	case h != nil && !h.Finished() && r.closing == nil:
		// Its actor is about to stop, or to come back.
		time.AfterFunc(time.Millisecond, func() {
			if !to.Send(m) {
				m.refuse()
			}
		})
	default:
		m.refuse()
	}
}

// refuse says that there is nothing to settle.
func (m *SettleParked) refuse() {
	if m.Settle.Reply.Claim() {
		m.Settle.Reply.Send(messages.Result{
			Transaction: m.ID, Refused: messages.RefusedUnsettled, Participant: m.Settle.Participant,
		})
	}
}
