package supervisor

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/protocol"
)

// ErrName says that a journal belongs to another coordinator.
var ErrName = errors.New("journal belongs to another coordinator")

// load reads the journal and forces what it read, so that nothing is acted on
// that a power failure could still take away.
func (r *root) load() error {
	j := r.config.Journal
	header, err := j.Header()
	if err != nil {
		return err
	}
	batch := journal.Batch{Force: true}
	switch mine := r.config.Limits.Coordinator; {
	case header.Coordinator == mine:
	case header.Coordinator == "":
		// Participants know their branches by the name they were given.
		if err := r.nothingUnfinished(); err != nil {
			return err
		}
		header.Coordinator = mine
		batch.Writes = append(batch.Writes, journal.Write{Header: &header})
	case mine == "":
		r.config.Limits.Coordinator = header.Coordinator
		r.env.Limits.Coordinator = header.Coordinator
	default:
		return fmt.Errorf("%w: it is %q's, not %q's", ErrName, header.Coordinator, mine)
	}
	r.history.horizon = horizonOf(&header)
	if err := r.loadOutcomes(); err != nil {
		return err
	}
	if err := r.loadRecords(); err != nil {
		return err
	}
	if writes := r.expiry(); writes != nil {
		batch.Writes = append(batch.Writes, writes...)
	}
	if r.Incarnation, err = uuid.NewV7(); err != nil {
		return err
	}
	return j.Append(batch)
}

// nothingUnfinished fails if the journal holds a record.
func (r *root) nothingUnfinished() error {
	for record, err := range r.config.Journal.Records(uuid.Nil) {
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: it has none, and transaction %s was begun so: open it without a name until nothing is unfinished",
			ErrName, record.Transaction)
	}
	return nil
}

func (r *root) loadOutcomes() error {
	for e, err := range r.config.Journal.Outcomes() {
		if err != nil {
			return err
		}
		h := actors.NewHandle(e.Transaction, nil)
		h.SetState(protocol.Committed)
		if e.Outcome == journal.RolledBack {
			h.SetState(protocol.RolledBack)
		}
		h.SetEnding(actors.Ending{Finished: e.Finished, Heuristic: e.Heuristic, Members: e.Members})
		r.add(h)
		r.archive(h)
	}
	return nil
}

func (r *root) loadRecords() error {
	for record, err := range r.config.Journal.Records(uuid.Nil) {
		if err != nil {
			return err
		}
		if len(r.parked.byID) >= r.parked.limit {
			r.overflow.Store(true)
			r.parked.more = true
			break
		}
		r.listRecovered(&record)
	}
	return nil
}

// listRecovered lists a transaction that the journal holds, to be taken up.
func (r *root) listRecovered(record *journal.Record) {
	h := actors.NewHandle(record.Transaction, nil)
	h.SetState(recordState(record.Kind))
	h.SetEnding(actors.Ending{Parked: &actors.Parked{}, Heuristic: record.Heuristic})
	e := &parkedEntry{handle: h}
	for i := range record.Branches {
		if b := &record.Branches[i]; b.Pending {
			e.names = append(e.names, b.Participant)
		}
	}
	if len(e.names) == 0 {
		e.names = []string{nobody}
	}
	r.add(h)
	r.parked.byID[record.Transaction] = e
	r.parked.put(e, r.Registry.Gateway)
}

// recordState is where a transaction stands of which the journal holds such a
// record.
func recordState(k journal.Kind) protocol.State {
	switch k {
	case journal.Commit:
		return protocol.Committing
	case journal.Delegation:
		return protocol.Asking
	default:
		return protocol.RollingBack
	}
}

// expiry is the writes that drop what has left the history; nil if nothing has.
func (r *root) expiry() []journal.Write {
	through, horizon, ok := r.takeUnsaved()
	if !ok {
		return nil
	}
	return []journal.Write{
		{Header: &journal.Header{Coordinator: r.config.Limits.Coordinator, Horizon: horizon}},
		{Expire: &through},
	}
}

// tick is the supervisor's own receive timeout.
type tick struct{ no uint64 }

// schedule sets the timer for whatever is due next. Nothing is any more when the
// coordinator closes.
func (r *root) schedule() {
	if r.closing != nil {
		return
	}
	var next time.Time
	consider := func(at time.Time) {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if r.parked.running < r.parked.slots && r.Log.Err() == nil { // else nothing is delivered
		for _, q := range r.parked.queues {
			if len(q.entries) > 0 && !q.probe && (!q.told || r.Registry.Gateway(q.name) != nil) {
				consider(q.entries[0].due)
			}
		}
	}
	consider(r.doubts.next)
	if r.parked.more {
		consider(r.parked.rest.next)
	}
	consider(r.nextExpiry())
	if next.IsZero() || !r.timerSet.IsZero() && !next.Before(r.timerSet) {
		return
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	r.timerSet = next
	r.tickNo++
	m, to := &tick{r.tickNo}, &r.Ref
	r.timer = time.AfterFunc(time.Until(next), func() { to.Send(m) })
}

func (r *root) tick(m *tick) {
	if m.no != r.tickNo {
		return
	}
	r.timerSet = time.Time{}
	defer r.schedule() // whatever a listener does
	now := time.Now()
	r.expireOld(now)
	r.saveExpired()
	if !r.doubts.next.IsZero() && !now.Before(r.doubts.next) {
		r.scanAll()
	}
	r.deliver()
}
