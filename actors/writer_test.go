package actors

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/protocol"
)

// slowJournal takes a batch, and ends its writing when it is told how.
type slowJournal struct {
	journal.Journal
	batches chan journal.Batch
	results chan error
}

func (j *slowJournal) Append(b journal.Batch) error {
	b.Writes = slices.Clone(b.Writes)
	j.batches <- b
	return <-j.results
}

// asker is where the writer answers.
type asker chan messages.Appended

func (a asker) Send(m any) bool {
	a <- *m.(*messages.Appended)
	return true
}

// writing starts a writer in front of a slow journal.
func writing(t *testing.T) (*Log, *slowJournal) {
	j := &slowJournal{Journal: journal.Memory(), batches: make(chan journal.Batch), results: make(chan error)}
	system, d, ref := actor.NewActorSystem(), NewDispatcher(), &Ref{}
	l := NewLog(struct{ journal.Journal }{j}, ref, func(error) {}) // hides that memory needs no writer
	ref.Open(system.Root, func() *actor.PID {
		return system.Root.Spawn(d.Props(func() actor.Actor { return NewWriter(l) }))
	})
	t.Cleanup(func() {
		pid := ref.PID()
		ref.Close()
		system.Root.Send(pid, LastCall)
		synctest.Wait()
		d.Close()
		system.Shutdown()
	})
	return l, j
}

func appending(a asker, branches int, force bool) messages.Append {
	put := &journal.Record{Transaction: uuid.UUID{15: byte(branches)}, Kind: journal.Commit}
	return messages.Append{
		Writes: []journal.Write{{Put: put}}, Force: force, Record: protocol.CommitRecord, Branches: branches, From: a,
	}
}

// Who asks while a batch is being written is in the next one, with everybody else
// who does, and is answered when that one is written.
func TestWriter_GathersTheNextBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, j := writing(t)
		first, others := make(asker, 1), make(asker, 3)
		l.Append(appending(first, 1, true))
		if b := <-j.batches; len(b.Writes) != 1 || !b.Force {
			t.Errorf("the first batch has %d writes, forced %v", len(b.Writes), b.Force)
		}
		l.Append(appending(others, 2, false))
		l.Append(appending(others, 3, true))
		l.Append(appending(others, 4, false))
		synctest.Wait()
		j.results <- nil
		if a := <-first; a.Branches != 1 || a.Err != nil {
			t.Errorf("the first one is answered %+v", a)
		}
		if b := <-j.batches; len(b.Writes) != 3 || !b.Force {
			t.Errorf("the next batch has %d writes, forced %v", len(b.Writes), b.Force)
		}
		synctest.Wait()
		if len(others) > 0 {
			t.Errorf("%+v is answered before it is written", <-others)
		}
		j.results <- nil
		for want := 2; want <= 4; want++ {
			if a := <-others; a.Branches != want || a.Err != nil {
				t.Errorf("answered %+v, want %d", a, want)
			}
		}
		if appends, syncs := l.Forced(); appends != 2 || syncs != 2 {
			t.Errorf("%d forced appends in %d syncs", appends, syncs)
		}
	})
}

// When a batch cannot be written, everybody in it hears of that, and so does
// whoever comes later; the journal is not asked any more.
func TestWriter_FailsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, j := writing(t)
		a := make(asker, 2)
		l.Append(appending(a, 1, true))
		<-j.batches
		l.Append(appending(a, 2, true))
		synctest.Wait()
		j.results <- journal.ErrFailed
		for range 2 {
			if answer := <-a; answer.Err == nil {
				t.Errorf("%d is answered as if it were written", answer.Branches)
			}
		}
		if l.Err() == nil {
			t.Error("the failure is forgotten")
		}
	})
}
