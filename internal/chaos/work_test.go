package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
)

// work runs so many random transactions, some at a time, and returns when
// everybody has an answer.
func (w *world) work(rng *rand.Rand, transactions int) {
	const workers = 8
	var all sync.WaitGroup
	for range workers {
		own := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))
		all.Go(func() {
			for range transactions / workers {
				w.alone(func() { w.transaction(own) })
			}
		})
	}
	if !w.within(func() { all.Wait() }) {
		w.fatalf("callers wait for ever")
	}
}

// alone calls f as a goroutine of its own, which the strike may end: the strike
// also hits the code of users that the coordinator calls on their own goroutine.
func (w *world) alone(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil && !errors.Is(errStruck, p.(error)) {
				panic(p)
			}
		}()
		f()
	}()
	<-done
}

// within tells whether f returns before long.
func (w *world) within(f func()) bool {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
		return true
	case <-time.After(time.Hour):
		return false
	}
}

// transaction runs one transaction of some fate.
func (w *world) transaction(rng *rand.Rand) {
	id := uuid.Must(uuid.NewV7())
	a := &tale{id: id, calm: rng.IntN(3) > 0}
	list := w.choose(rng, a)
	w.mu.Lock()
	w.tales = append(w.tales, a)
	w.mu.Unlock()
	o := &dtc.TxOptions{ID: id, Durable: rng.IntN(8) == 0}
	ctx := background
	if !a.calm && rng.IntN(4) == 0 {
		limited, cancel := context.WithTimeout(background, time.Duration(rng.IntN(3))*time.Second)
		defer cancel()
		ctx = limited
		a.fate("the caller's context ends")
	}
	a.told = errors.New("no answer")
	switch style := rng.IntN(9); {
	case style < 2:
		a.asked = true
		a.told = w.Execute(ctx, o, list...)
	case style < 4:
		a.asked = true
		a.told = w.Run(ctx, o, func(tx *dtc.Tx) error { return enlistAll(ctx, tx, list) })
	case style < 6 || a.calm:
		w.bySteps(ctx, a, o, list)
	case style == 6:
		a.fate("the application panics")
		a.told = w.Run(ctx, o, func(tx *dtc.Tx) error {
			_ = enlistAll(ctx, tx, list)
			panic(errStruck)
		})
	case style == 7:
		a.fate("given up")
		if _, err := w.Begin(ctx, o); err == nil {
			for _, e := range list {
				_ = w.Enlist(ctx, id, e.Participant, e.Payload)
			}
			_ = w.Rollback(ctx, id)
		}
	default:
		a.fate("left to its deadline")
		if _, err := w.Begin(ctx, o); err == nil {
			for _, e := range list {
				_ = w.Enlist(ctx, id, e.Participant, e.Payload)
			}
		}
	}
}

func enlistAll(ctx context.Context, tx *dtc.Tx, list []dtc.Enlistment) error {
	for _, e := range list {
		if err := tx.Enlist(ctx, e.Participant, e.Payload); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) bySteps(ctx context.Context, a *tale, o *dtc.TxOptions, list []dtc.Enlistment) {
	if _, a.told = w.Begin(ctx, o); a.told != nil {
		return
	}
	defer func() { _ = w.Rollback(ctx, a.id) }()
	for _, e := range list {
		if a.told = w.Enlist(ctx, a.id, e.Participant, e.Payload); a.told != nil {
			return
		}
	}
	a.asked = true
	a.told = w.Commit(ctx, a.id)
}

// choose picks participants, and what else than the strike befalls them.
func (w *world) choose(rng *rand.Rand, a *tale) (list []dtc.Enlistment) {
	for _, i := range rng.Perm(len(w.members))[:rng.IntN(4)] {
		a.enlisted = append(a.enlisted, w.clerks[i])
		e := dtc.Enlistment{Participant: w.members[i]}
		if !a.calm && rng.IntN(2) == 0 {
			wish := w.wish(rng, i)
			e.Payload = []byte(wish)
			a.fate("a participant " + strings.TrimSuffix(wish, "OnePhase"))
		}
		list = append(list, e)
	}
	return list
}

// wish is what a participant is to do out of turn.
func (w *world) wish(rng *rand.Rand, member int) string {
	op := []string{"Prepare", "Commit", "Rollback", "CommitOnePhase"}[rng.IntN(4)]
	_, inMailbox := w.members[member].(quick)
	_, isActor := w.members[member].(participant.MessageDriven)
	switch rng.IntN(4) {
	case 3:
		return breaks + op
	case 0:
		if !inMailbox && !isActor { // who would hold up the others
			return hangs + op
		}
	case 1:
		if op == "Prepare" {
			return reads + op
		}
	}
	return refuses + op
}
