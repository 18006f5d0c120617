package histories_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/seed-d36415c0/dtc"
)

var errWork = errors.New("the work has failed")

// caller draws a context. One in ten is done before the call, which then has no
// effect.
func caller(t *rapid.T) (ctx context.Context, gone bool) {
	if rapid.IntRange(0, 9).Draw(t, "caller") < 9 {
		return background, false
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	return ctx, true
}

// target draws a transaction to call: mostly one that there was.
func (m *machine) target(t *rapid.T) *tx {
	live := slices.DeleteFunc(slices.Clone(m.known), func(x *tx) bool { return x.phase != active })
	switch n := rapid.IntRange(0, 9).Draw(t, "transaction"); {
	case n == 9:
		return &tx{id: uuid.Must(uuid.NewV7())}
	case n == 8:
		return &tx{id: uuid.New()}
	case n == 7 && m.fs == nil:
		return &tx{id: rapid.SampledFrom(m.unborn).Draw(t, "unborn")}
	case n == 7:
		return m.presumable(&tx{id: rapid.SampledFrom(m.unborn).Draw(t, "unborn"), presumed: true})
	case n > 1 && len(live) > 0:
		return rapid.SampledFrom(live).Draw(t, "active")
	case len(m.known) == 0:
		t.Skip("no transaction yet")
	}
	return m.presumable(rapid.SampledFrom(m.known).Draw(t, "known"))
}

// presumable finds out what a transaction is taken for whose outcome nobody has.
func (m *machine) presumable(x *tx) *tx {
	if x.presumed {
		x.phase = none
		if _, err := m.Outcome(background, x.id); err == nil {
			x.phase = rolledBack
		}
		if x.phase == none { // of a copy: the model keeps it as it was
			return &tx{id: x.id}
		}
	}
	return x
}

// answered compares an error with those it must be; none for nil.
func (m *machine) answered(t *rapid.T, call string, err error, want ...error) {
	t.Helper()
	text := call
	for _, w := range want {
		text += ", " + w.Error()
		if !errors.Is(err, w) {
			t.Fatalf("%s answers %v, want %v", call, err, w)
		}
	}
	if len(want) == 0 && err != nil {
		t.Fatalf("%s answers %v, want no error", call, err)
	}
	m.answers[text]++
}

func (m *machine) enlist(t *rapid.T) {
	ctx, gone := caller(t)
	x := m.target(t)
	p := rapid.SampledFrom(m.players).Draw(t, "participant")
	payload := payloads.Draw(t, "payload")
	if had := x.branch(playerOf(p)); had != nil && had.payload != payload && x.phase != active && x.finished.IsZero() {
		t.Skip("whether it ended or the payload differs is told first")
	}
	err := m.Enlist(ctx, x.id, p, []byte(payload))
	if gone {
		m.answered(t, "Enlist", err, context.Canceled)
		return
	}
	want := x.enlist(playerOf(p), payload)
	m.answered(t, "Enlist", err, want...)
	var ended *dtc.NotActiveError
	if errors.As(err, &ended) && (ended.ID != x.id || ended.Outcome != x.outcome()) {
		t.Fatalf("Enlist answers %+v of %v", ended, x)
	}
}

// payloads are small, but for one.
var payloads = rapid.SampledFrom([]string{"", "", "", "x", "too large"})

// enlist is what Enlist answers; it takes the branch if that is none.
func (x *tx) enlist(p *player, payload string) []error {
	had := x.branch(p)
	switch {
	case len(payload) > payloadLimit:
		return []error{dtc.ErrPayloadTooLarge}
	case !x.found():
		return []error{dtc.ErrTransactionNotFound}
	case x.phase != active:
		return []error{dtc.ErrNotActive}
	case had != nil && had.payload != payload:
		return []error{dtc.ErrAlreadyEnlisted}
	case had != nil:
		return nil
	case len(x.branches) == branchLimit:
		return []error{dtc.ErrTooManyParticipants}
	}
	x.branches = append(x.branches, branch{p, payload})
	return nil
}

func (m *machine) commit(t *rapid.T) {
	ctx, gone := caller(t)
	x := m.target(t)
	end, known := x.end()
	if x.phase == active && !known {
		t.Skip("it ends either way")
	}
	began := time.Now()
	err := m.Commit(ctx, x.id)
	switch {
	case gone:
		m.answered(t, "Commit", err, context.Canceled)
		return
	case !x.found():
		m.answered(t, "Commit", err, dtc.ErrTransactionNotFound)
		return
	case x.phase == active:
		x.phase, x.asked = end, true
	}
	m.answered(t, "Commit", err, x.answer()...)
	if took := time.Since(began); took > 2*callTimeout {
		t.Fatalf("Commit took %v", took)
	}
}

// answer is what Commit answers of a transaction that has ended.
func (x *tx) answer() []error {
	if x.phase == rolledBack {
		return []error{dtc.ErrRolledBack}
	}
	return nil
}

func (m *machine) rollback(t *rapid.T) {
	ctx, gone := caller(t)
	x := m.target(t)
	err := m.Rollback(ctx, x.id)
	waits := x.has(forgets) && x.finished.IsZero()
	switch {
	case !x.found():
		m.answered(t, "Rollback", err, dtc.ErrTransactionNotFound)
	case x.phase == committed:
		m.answered(t, "Rollback", err, dtc.ErrCommitted)
	case gone && x.phase == active: // it is rolled back all the same
		if err != nil {
			m.answered(t, "Rollback", err, dtc.ErrOutcomeUnknown, context.Canceled)
		}
		x.phase = rolledBack
	case x.phase == active && waits:
		m.answered(t, "Rollback", err, dtc.ErrParticipantFailedToRollback)
		x.phase = rolledBack
	case x.phase == active || !waits && !gone && !x.finished.IsZero():
		m.answered(t, "Rollback", err)
		x.phase = rolledBack
	}
}

// reopen closes the coordinator and opens it again. What is not decided is rolled
// back by that, and what no journal has is presumed to be.
func (m *machine) reopen(t *rapid.T) {
	if m.fs == nil || rapid.IntRange(0, 2).Draw(t, "reopen") < 2 {
		t.Skip("it stays open")
	}
	m.close(t)
	for _, x := range m.known {
		x.retold = x.retold || x.finished.IsZero()
		if x.phase == active || x.phase == rolledBack || len(x.branches) == 0 {
			x.phase, x.presumed = rolledBack, !x.expired
		}
	}
	m.open(t)
}

func (m *machine) close(t *rapid.T) {
	for range 2 {
		m.answered(t, "Close", m.Close())
	}
	_, err := m.Begin(background, nil)
	m.answered(t, "Begin after Close", err, dtc.ErrClosed)
	m.answered(t, "Commit after Close", m.Commit(background, uuid.New()), dtc.ErrClosed)
	if n := m.Stats().Live; n != 0 {
		t.Fatalf("after Close %d transactions are live", n)
	}
}
