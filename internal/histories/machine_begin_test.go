package histories_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/seed-d36415c0/dtc"
)

// choice is an id to begin with, and what follows from it.
type choice struct {
	id      uuid.UUID
	refused error // for the id's sake; nil for none
	known   *tx   // whose id it is; nil if it is new
}

// choose draws an id that the application chooses.
func (m *machine) choose(t *rapid.T) choice {
	fresh := uuid.Must(uuid.NewV7())
	switch n := rapid.IntRange(0, 9).Draw(t, "id"); {
	case n == 9:
		return choice{id: uuid.New(), refused: dtc.ErrInvalidID}
	case n == 8:
		fresh[5] += 2 // 512 ms
		fresh[3]++    // 16 s and more, unless it wraps
		fresh[2]++    // more than four hours
		return choice{id: fresh, refused: dtc.ErrInvalidID}
	case n == 7:
		return choice{id: rapid.SampledFrom(m.unborn).Draw(t, "unborn"), refused: dtc.ErrNotActive}
	case n >= 5 && len(m.known) > 0:
		x := m.presumable(rapid.SampledFrom(m.known).Draw(t, "known"))
		c := choice{id: x.id, known: x}
		if !x.found() {
			c.refused = dtc.ErrNotActive
		}
		return c
	}
	return choice{id: fresh}
}

// born takes a transaction that has begun.
func (m *machine) born(id uuid.UUID) *tx {
	x := &tx{id: id, phase: active, deadline: time.Now().Add(30*time.Second + odd)}
	m.known = append(m.known, x)
	return x
}

func (m *machine) full() bool { return m.Stats().Live >= liveLimit }

func (m *machine) begin(t *rapid.T) {
	ctx, gone := caller(t)
	c, full := m.choose(t), m.full()
	var o *dtc.TxOptions
	if rapid.Bool().Draw(t, "chosen") {
		o = &dtc.TxOptions{ID: c.id, Durable: rapid.Bool().Draw(t, "durable")}
	} else {
		c = choice{}
	}
	id, err := m.Begin(ctx, o)
	switch {
	case gone:
		m.answered(t, "Begin", err, context.Canceled)
	case c.refused != nil:
		m.answered(t, "Begin", err, c.refused)
	case c.known != nil && c.known.phase == committed:
		m.answered(t, "Begin again", err, dtc.ErrNotActive, dtc.ErrCommitted)
	case c.known != nil && c.known.phase == rolledBack:
		m.answered(t, "Begin again", err, dtc.ErrNotActive, dtc.ErrRolledBack)
	case c.known != nil:
		m.answered(t, "Begin again", err)
		if id != c.id {
			t.Fatalf("Begin of %s answers %s", c.id, id)
		}
	case full:
		m.answered(t, "Begin", err, dtc.ErrTooManyTransactions)
	default:
		m.answered(t, "Begin", err)
		m.born(id)
	}
}

// refusal is why a transaction is neither run nor executed anew under an id.
func (m *machine) refusal(c choice, full bool) (answer []error, refused bool) {
	switch {
	case c.refused != nil:
		return []error{c.refused}, true
	case c.known != nil:
		return c.known.answer(), true
	case full:
		return []error{dtc.ErrTooManyTransactions}, true
	}
	return nil, false
}

// another draws an id for Run and Execute, and the branches.
func (m *machine) another(t *rapid.T) (c choice, list []dtc.Enlistment) {
	c = m.choose(t)
	if c.known != nil && c.known.phase == active {
		t.Skip("it would go on with a transaction that there is")
	}
	for range rapid.IntRange(0, branchLimit+1).Draw(t, "branches") {
		list = append(list, dtc.Enlistment{
			Participant: rapid.SampledFrom(m.players).Draw(t, "participant"), Payload: []byte(payloads.Draw(t, "payload")),
		})
	}
	return c, list
}

// execute begins, enlists and commits in one step.
func (m *machine) execute(t *rapid.T) {
	ctx, gone := caller(t)
	c, list := m.another(t)
	full := m.full()
	x := &tx{id: c.id, phase: active}
	var wrong []error
	for _, e := range list {
		if refused := x.enlist(playerOf(e.Participant), string(e.Payload)); wrong == nil {
			wrong = refused
		}
	}
	err := m.Execute(ctx, &dtc.TxOptions{ID: c.id}, list...)
	refusal, refused := m.refusal(c, full)
	switch {
	case gone:
		m.answered(t, "Execute", err, context.Canceled)
	case errors.Is(c.refused, dtc.ErrInvalidID):
		m.answered(t, "Execute", err, dtc.ErrInvalidID)
	case wrong != nil:
		m.answered(t, "Execute", err, wrong...)
	case refused:
		m.answered(t, "Execute", err, refusal...)
	default:
		born := m.born(c.id)
		born.branches, born.asked = x.branches, true
		born.deadline = time.Now().Add(time.Hour) // it is not what decides
		born.phase, _ = born.end()
		m.answered(t, "Execute", err, born.answer()...)
	}
}

// run runs a function that enlists and then returns, fails or panics.
func (m *machine) run(t *rapid.T) {
	ctx, gone := caller(t)
	c, list := m.another(t)
	full := m.full()
	how := rapid.SampledFrom([]string{"returns", "returns", "fails", "panics"}).Draw(t, "work")
	var x *tx
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = p.(error)
			}
		}()
		return m.Run(ctx, &dtc.TxOptions{ID: c.id}, func(in *dtc.Tx) error {
			x = m.born(in.ID())
			for _, e := range list {
				err := in.Enlist(ctx, e.Participant, e.Payload)
				m.answered(t, "Tx.Enlist", err, x.enlist(playerOf(e.Participant), string(e.Payload))...)
			}
			switch how {
			case "fails":
				return errWork
			case "panics":
				panic(errWork)
			}
			return nil
		})
	}()
	refusal, refused := m.refusal(c, full)
	switch {
	case gone:
		m.answered(t, "Run", err, context.Canceled)
	case refused:
		m.answered(t, "Run", err, refusal...)
	case how == "panics":
		m.answered(t, "Run that panics", err, errWork)
		x.phase = rolledBack
	case how == "fails":
		m.answered(t, "Run that fails", err, errWork, dtc.ErrRolledBack)
		x.phase = rolledBack
	default:
		x.asked = true
		deadline := x.deadline
		x.deadline = deadline.Add(time.Hour) // it is not what decides
		x.phase, _ = x.end()
		m.answered(t, "Run", err, x.answer()...)
	}
	if (gone || refused) && x != nil {
		t.Fatal(fmt.Sprint("Run calls its function, and answers ", err))
	}
}
