package participanttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/internal/names"
)

func nameIsStable(t *trial) {
	name := t.s.Participant.Name()
	if !names.Fits(name) {
		t.failf("the name is %q", name)
	}
	if t.h.Durable {
		t.restart()
	}
	t.step(func() error {
		if again := t.s.Participant.Name(); again != name {
			return fmt.Errorf("the name was %q and is %q", name, again)
		}
		return nil
	})
}

func commitTakesEffect(t *trial) {
	b := t.branch()
	t.has(b, 0, "before anything")
	t.complete(b)
	t.has(b, 1, "after Commit")
}

func prepareOnce(t *trial) {
	b := t.branch()
	t.prepare(b)
	t.prepare(b)
	t.commit(b)
	t.has(b, 1, "after Prepare, Prepare and Commit")
	// Too late to matter: whatever it answers, it must do nothing.
	_ = t.try(context.Background(), t.prepareCall, b)
	t.has(b, 1, "after a Prepare that came after Commit")
}

func commitOnce(t *trial) {
	b := t.branch()
	t.complete(b)
	t.commit(b)
	t.commit(b)
	t.has(b, 1, "after three Commits")
}

func rollbackOnce(t *trial) {
	begun, unknown := t.branch(), t.branch()
	t.undo(begun)
	t.rollback(begun)
	t.has(begun, 0, "after two Rollbacks")
	t.rollback(unknown)
	t.rollback(unknown)
	t.has(unknown, 0, "after two Rollbacks of an unknown branch")
}

func rollbackUndoes(t *trial) {
	b := t.branch()
	t.undo(b)
	t.has(b, 0, "after Rollback")
}

func rollbackUnknown(t *trial) {
	b := t.branch()
	t.rollback(b)
	t.has(b, 0, "after Rollback of an unknown branch")
}

func unknownIsRemembered(t *trial) {
	b := t.branch()
	t.rollback(b)
	t.tooLate(t.beginCall, b)
}

func latePrepare(t *trial) {
	b := t.branch()
	t.undo(b)
	t.tooLate(t.prepareCall, b)
}

func lateCommit(t *trial) {
	b := t.branch()
	t.undo(b)
	t.tooLate(t.commitCall, b)
}

func refusalIsClean(t *trial) {
	b := t.refusedBranch()
	err := t.try(context.Background(), t.beginCall, b)
	if err == nil || errors.Is(err, participant.ErrReadOnly) {
		t.failf("the payload that it should refuse was answered with %v", err)
	}
	t.has(b, 0, "after the refusal")
	t.rollback(b)
	t.has(b, 0, "after the refused branch's Rollback")
}

func cancelledIsWhole(t *trial) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	b := t.branch()
	if t.try(ended, t.beginCall, b) != nil {
		t.rollback(b)
		t.has(b, 0, "after a first call that failed and Rollback")
	} else {
		t.commit(b)
		t.has(b, 1, "after a first call that succeeded and Commit")
	}
	committed, rolledBack := t.branch(), t.branch()
	t.begin(committed)
	t.begin(rolledBack)
	// Whatever these answer, they come again.
	_ = t.try(ended, t.commitCall, committed)
	_ = t.try(ended, t.rollbackCall, rolledBack)
	t.commit(committed)
	t.has(committed, 1, "after Commit came again")
	t.rollback(rolledBack)
	t.has(rolledBack, 0, "after Rollback came again")
}

func payloadIsLeft(t *trial) {
	committed, rolledBack := t.branch(), t.branch()
	was, wasToo := bytes.Clone(committed.Payload), bytes.Clone(rolledBack.Payload)
	t.complete(committed)
	t.undo(rolledBack)
	if !bytes.Equal(was, committed.Payload) || !bytes.Equal(wasToo, rolledBack.Payload) {
		t.failf("the payloads were %q and %q, and are %q and %q", was, wasToo, committed.Payload, rolledBack.Payload)
	}
}

// branchesAreApart begins many branches at once, and when all have begun it
// commits every other one and rolls the rest back, each twice. A participant
// that wants its calls one at a time gets them so.
func branchesAreApart(t *trial) {
	branches := make([]participant.Branch, 32)
	for i := range branches {
		branches[i] = t.branch()
	}
	t.each(branches, func(own *trial, _ int, b participant.Branch) { own.begin(b) })
	t.each(branches, func(own *trial, i int, b participant.Branch) {
		last := own.commit
		if i%2 != 0 {
			last = own.rollback
		}
		last(b)
		last(b)
	})
	for i, b := range branches {
		t.has(b, (i+1)%2, fmt.Sprintf("after %d branches at a time", len(branches)))
	}
}

// each works on all branches at once, unless the participant is NonBlocking.
func (t *trial) each(branches []participant.Branch, work func(own *trial, i int, b participant.Branch)) {
	var turn sync.Mutex
	oneAtATime := is[participant.NonBlocking](t)
	trials := make([]trial, len(branches))
	var all sync.WaitGroup
	for i, b := range branches {
		trials[i] = *t
		all.Go(func() {
			if oneAtATime {
				turn.Lock()
				defer turn.Unlock()
			}
			work(&trials[i], i, b)
		})
	}
	all.Wait()
	for i := range trials {
		t.step(func() error { return trials[i].found })
	}
}
