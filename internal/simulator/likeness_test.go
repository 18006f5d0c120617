package simulator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
)

// TestJournalIsLikeTheRealOne gives the disk and journal.Memory the same batches,
// and compares what they hold.
func TestJournalIsLikeTheRealOne(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, seed))
		d := &disk{w: newWorld(seed, nil)}
		real := journal.Memory()
		var finished int64
		for range 60 {
			batch := randomBatch(rng, &finished)
			for _, w := range batch {
				if w.put != nil && d.w.truths[w.put.id] == nil {
					d.w.truths[w.put.id] = &truth{id: w.put.id, contrary: true}
				}
			}
			d.append(batch)
			if rng.IntN(3) == 0 {
				d.sync()
			}
			if err := real.Append(journal.Batch{Writes: asReal(batch), Force: true}); err != nil {
				t.Fatal(err)
			}
			if got, want := shown(&d.seen), shownReal(t, real); got != want {
				t.Fatalf("seed %d: the disk holds\n%s\nand a journal\n%s", seed, got, want)
			}
		}
		d.sync()
		if got, want := shown(&d.safe), shown(&d.seen); got != want {
			t.Fatalf("seed %d: what is safe is\n%s\nand not\n%s", seed, got, want)
		}
	}
}

func randomBatch(rng *rand.Rand, finished *int64) (batch []write) {
	for range 1 + rng.IntN(3) {
		x := id(1 + rng.IntN(8))
		switch rng.IntN(6) {
		case 0, 1, 2:
			r := &record{id: x, kind: protocol.Record(1 + rng.IntN(5))}
			for n := range rng.IntN(3) {
				r.branches = append(r.branches, recorded{n, rng.IntN(2) == 0, rng.IntN(2) == 0})
			}
			batch = append(batch, write{put: r})
		case 3, 4:
			*finished++
			batch = append(batch, write{end: &ended{id: x + id(*finished)*10, committed: rng.IntN(2) == 0, at: *finished}})
			batch = append(batch, write{end: &ended{id: x, at: *finished + 1}})
			*finished++
		default:
			if *finished > 0 {
				batch = append(batch, write{expire: 1 + rng.Int64N(*finished)}, write{horizon: x})
			}
		}
	}
	return batch
}

func realID(x id) (u uuid.UUID) {
	binary.BigEndian.PutUint64(u[8:], uint64(x))
	return u
}

func asReal(batch []write) (writes []journal.Write) {
	for _, w := range batch {
		switch {
		case w.put != nil:
			r := &journal.Record{Transaction: realID(w.put.id), Kind: journal.Kind(w.put.kind), Began: time.UnixMicro(0)}
			for _, b := range w.put.branches {
				r.Branches = append(r.Branches, journal.Branch{Participant: letter(b.participant), TwoPhase: b.twoPhase, Pending: b.pending})
			}
			writes = append(writes, journal.Write{Put: r})
		case w.end != nil:
			e := &journal.Ended{Transaction: realID(w.end.id), Outcome: journal.RolledBack, Finished: time.UnixMicro(w.end.at)}
			if w.end.committed {
				e.Outcome = journal.Committed
			}
			writes = append(writes, journal.Write{End: e})
		case w.expire > 0:
			limit := time.UnixMicro(w.expire)
			writes = append(writes, journal.Write{Expire: &limit})
		default:
			writes = append(writes, journal.Write{Header: &journal.Header{Horizon: realID(w.horizon)}})
		}
	}
	return writes
}

func shown(c *contents) (s string) {
	for _, r := range c.records {
		s += fmt.Sprintf("%v %d", realID(r.id), r.kind)
		for _, b := range r.branches {
			s += fmt.Sprintf(" %s %v %v", letter(b.participant), b.twoPhase, b.pending)
		}
		s += "\n"
	}
	for _, e := range c.ended {
		s += fmt.Sprintf("%v %v %d\n", realID(e.id), e.committed, e.at)
	}
	return s + realID(c.horizon).String()
}

func shownReal(t *testing.T, j journal.Journal) (s string) {
	t.Helper()
	for r, err := range j.Records(uuid.Nil) {
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprintf("%v %d", r.Transaction, r.Kind)
		for _, b := range r.Branches {
			s += fmt.Sprintf(" %s %v %v", b.Participant, b.TwoPhase, b.Pending)
		}
		s += "\n"
	}
	for e, err := range j.Outcomes() {
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprintf("%v %v %d\n", e.Transaction, e.Outcome == journal.Committed, e.Finished.UnixMicro())
	}
	h, err := j.Header()
	if err != nil {
		t.Fatal(err)
	}
	return s + h.Horizon.String()
}

// moody is a participant that takes its calls in a mood.
type moody struct{ mood mood }

var errMoody = errors.New("fails")

func (m *moody) do(prepares bool) error {
	switch {
	case m.mood == failing:
		return errMoody
	case m.mood == refusing:
		return participant.ErrRolledBack
	case m.mood == unconcerned && prepares:
		return participant.ErrReadOnly
	}
	return nil
}

func (m *moody) Name() string                                             { return "a" }
func (m *moody) Prepare(context.Context, participant.Branch) error        { return m.do(true) }
func (m *moody) Commit(context.Context, participant.Branch) error         { return m.do(false) }
func (m *moody) CommitOnePhase(context.Context, participant.Branch) error { return m.do(false) }
func (m *moody) Rollback(context.Context, participant.Branch) error       { return m.do(false) }
func (m *moody) Committed(context.Context, participant.Branch) (bool, error) {
	return false, m.do(false)
}

// plain hides everything but Commit and Rollback.
type plain struct{ participant.Participant }

// transacts is a store that shares the effect's transaction.
type transacts struct{ participant.MemoryStore }

func (s *transacts) Transact(ctx context.Context, act func(context.Context) error) error {
	return act(ctx)
}

// TestParticipantsAreIdempotent gives a participant of the simulator and one that
// participant.Idempotent wraps the same calls, and compares their answers.
func TestParticipantsAreIdempotent(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, seed))
		real := &moody{}
		p := &service{twoPhase: rng.IntN(2) == 0}
		wrapped := participant.Idempotent(plain{real}, &transacts{})
		ops := []protocol.Op{protocol.Commit, protocol.Rollback}
		if p.twoPhase {
			wrapped = participant.Idempotent(real, &transacts{})
			ops = append(ops, protocol.Prepare, protocol.CommitOnePhase, protocol.Ask)
		}
		b, said := &branch{}, ""
		for range 12 {
			op := ops[rng.IntN(len(ops))]
			if op == protocol.CommitOnePhase && b.standing == prepared {
				continue // no coordinator does that
			}
			m := mood(rng.IntN(4))
			if m == unconcerned && op != protocol.Prepare || m == refusing && !(op == protocol.Prepare || op == protocol.CommitOnePhase || !p.twoPhase && op == protocol.Commit) {
				m = willing
			}
			real.mood = m
			to, got := p.react(b, op, m)
			want := invoked(wrapped, op)
			said += fmt.Sprintf("%s (mood %d): %s\n", op, m, want)
			if fails := m == failing && got == protocol.Failed; got != want && !fails {
				t.Fatalf("seed %d: two-phase %v: the answer is %s after\n%s", seed, p.twoPhase, got, said)
			} else if fails && want != protocol.Failed {
				break // what needs no call cannot fail there
			}
			b.standing = to
		}
	}
}

// invoked makes the call as package actors does.
func invoked(p participant.Participant, op protocol.Op) protocol.Result {
	ctx, b := context.Background(), participant.Branch{Participant: "a"}
	var err error
	switch op {
	case protocol.Prepare:
		prepares, _ := participant.As[participant.Preparer](p)
		err = prepares.Prepare(ctx, b)
	case protocol.Commit:
		err = p.Commit(ctx, b)
	case protocol.Rollback:
		err = p.Rollback(ctx, b)
	case protocol.CommitOnePhase:
		one, _ := participant.As[participant.OnePhaseCommitter](p)
		err = one.CommitOnePhase(ctx, b)
	case protocol.Ask:
		one, _ := participant.As[participant.OnePhaseCommitter](p)
		committed, failed := one.Committed(ctx, b)
		if failed == nil && !committed {
			failed = participant.ErrRolledBack
		}
		err = failed
	}
	switch {
	case err == nil:
		return protocol.Done
	case errors.Is(err, participant.ErrReadOnly):
		return protocol.ReadOnly
	case errors.Is(err, participant.ErrRolledBack):
		return protocol.WasRolledBack
	}
	return protocol.Failed
}
