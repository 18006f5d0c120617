package bench

import (
	"errors"
	"time"
)

// chanFloor is the conversation of a transaction with three participants,
// written with bare goroutines and channels: a goroutine with a channel for each
// participant, a goroutine and a timer for each transaction, a semaphore for the
// cap. It has no names, no identity, no failure, no retry, no memory of what
// happened.
type chanFloor struct {
	participants []chan chanMessage
	slots        chan struct{}
}

type chanMessage struct {
	id      uint64
	prepare bool
	answer  chan chanMessage
}

func newChanFloor(participants, slots int) *chanFloor {
	f := &chanFloor{slots: make(chan struct{}, slots)}
	for range participants {
		in := make(chan chanMessage, 128)
		f.participants = append(f.participants, in)
		go chanParticipant(in)
	}
	return f
}

func chanParticipant(in chan chanMessage) {
	prepared := make(map[uint64]struct{})
	for m := range in {
		if m.prepare {
			prepared[m.id] = struct{}{}
		} else {
			delete(prepared, m.id)
		}
		m.answer <- chanMessage{id: m.id}
	}
}

var errFloorTimeout = errors.New("the floor timed out")

// commit is one transaction, and returns when it is committed.
func (f *chanFloor) commit(id uint64) error {
	outcome := make(chan error, 1)
	f.slots <- struct{}{}
	go func() {
		answers := make(chan chanMessage, len(f.participants))
		timer := time.NewTimer(30 * time.Second)
		for _, prepare := range []bool{true, false} {
			for _, p := range f.participants {
				p <- chanMessage{id, prepare, answers}
			}
			for range f.participants {
				select {
				case <-answers:
				case <-timer.C:
					outcome <- errFloorTimeout
					return
				}
			}
		}
		timer.Stop()
		<-f.slots
		outcome <- nil
	}()
	return <-outcome
}

func (f *chanFloor) close() {
	for _, p := range f.participants {
		close(p)
	}
}
