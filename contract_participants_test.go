package dtc_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// Operations, as a fake notes them.
const (
	prepare  = "prepare"
	commit   = "commit"
	rollback = "rollback"
	onePhase = "commit-one-phase"
	ask      = "ask"
	inDoubt  = "in-doubt"
)

// errRefused is what a fake says that refuses.
var errRefused = errors.New("the shelf is empty")

// act is what a fake does in one call before it does what is asked; an error
// keeps it from that.
type act func(context.Context, participant.Branch) error

// fake keeps a participant's promises, notes every call in order, fails the test
// when the coordinator breaks a promise of its own, and can be told to misbehave.
type fake struct {
	t    *testing.T
	name string

	mu       sync.Mutex
	script   map[string][]act
	always   map[string]act
	calls    []call
	busy     map[uuid.UUID]bool
	state    map[uuid.UUID]string // prepared, committed, rolled back
	effects  map[uuid.UUID]int    // how often a commit took effect
	doubts   []uuid.UUID          // listed beside what is prepared
	twoPhase bool
	// recovered: it has a past that this value does not know of.
	recovered bool
}

// call is one call of a fake.
type call struct {
	op         string
	tx         uuid.UUID
	payload    string
	begun, end time.Time
	err        error
}

func newFake(t *testing.T, name string, twoPhase bool) *fake {
	return &fake{
		t: t, name: name, twoPhase: twoPhase,
		script: map[string][]act{}, always: map[string]act{}, busy: map[uuid.UUID]bool{},
		state: map[uuid.UUID]string{}, effects: map[uuid.UUID]int{},
	}
}

// The kinds of participants.
type (
	one struct{ *fake } // one-phase
	two struct{ *fake } // two-phase
	// nonBlockingOne and nonBlockingTwo are called in the gateway's mailbox.
	nonBlockingOne struct{ one }
	nonBlockingTwo struct{ two }
	recoverer      struct{ two }
	delegate       struct{ two } // a OnePhaseCommitter
	// wrapper adds nothing.
	wrapper struct{ of participant.Participant }
)

func newOne(t *testing.T, name string) *one { return &one{newFake(t, name, false)} }
func newTwo(t *testing.T, name string) *two { return &two{newFake(t, name, true)} }
func newNonBlockingOne(t *testing.T, name string) *nonBlockingOne {
	return &nonBlockingOne{*newOne(t, name)}
}
func newNonBlockingTwo(t *testing.T, name string) *nonBlockingTwo {
	return &nonBlockingTwo{*newTwo(t, name)}
}
func newRecoverer(t *testing.T, name string) *recoverer { return &recoverer{*newTwo(t, name)} }
func newDelegate(t *testing.T, name string) *delegate   { return &delegate{*newTwo(t, name)} }

func (f *fake) Name() string { return f.name }

func (f *fake) self() *fake { return f }

func (f *fake) Commit(ctx context.Context, b participant.Branch) error {
	return f.run(ctx, commit, b)
}

func (f *fake) Rollback(ctx context.Context, b participant.Branch) error {
	return f.run(ctx, rollback, b)
}

func (p *two) Prepare(ctx context.Context, b participant.Branch) error {
	return p.run(ctx, prepare, b)
}

func (*nonBlockingOne) NonBlocking() {}
func (*nonBlockingTwo) NonBlocking() {}

func (p *recoverer) InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := append([]uuid.UUID(nil), p.doubts...)
	for id, s := range p.state {
		if s == "prepared" {
			list = append(list, id)
		}
	}
	return list, nil
}

func (p *delegate) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	return p.run(ctx, onePhase, b)
}

func (p *delegate) Committed(ctx context.Context, b participant.Branch) (bool, error) {
	if err := p.run(ctx, ask, b); err != nil {
		return false, err
	}
	return p.became(b.Transaction) == "committed", nil
}

func (w *wrapper) Name() string { return w.of.Name() }
func (w *wrapper) Commit(ctx context.Context, b participant.Branch) error {
	return w.of.Commit(ctx, b)
}
func (w *wrapper) Rollback(ctx context.Context, b participant.Branch) error {
	return w.of.Rollback(ctx, b)
}
func (w *wrapper) Unwrap() participant.Participant { return w.of }

// next has the next calls of an operation do this, one after the other.
func (f *fake) next(op string, acts ...act) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script[op] = append(f.script[op], acts...)
}

// every has all further calls of an operation do this; nil: what is asked.
func (f *fake) every(op string, a act) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always[op] = a
}

// run is one call.
func (f *fake) run(ctx context.Context, op string, b participant.Branch) (err error) {
	n, a := f.enter(op, b)
	finished := false
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !finished {
			err = errors.New("did not return")
		}
		f.calls[n].end, f.calls[n].err = time.Now(), err
		f.busy[b.Transaction] = false
	}()
	if a != nil {
		err = a(ctx, b)
	}
	if err == nil {
		err = f.apply(op, b.Transaction)
	}
	finished = true
	return err
}

// enter notes a call and finds what to do in it.
func (f *fake) enter(op string, b participant.Branch) (n int, a act) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[b.Transaction] {
		f.t.Errorf("%s: %s of %s while another call of that branch runs", f.name, op, b.Transaction)
	}
	if b.Participant != f.name {
		f.t.Errorf("%s: called as %q", f.name, b.Participant)
	}
	f.busy[b.Transaction] = true
	f.calls = append(f.calls, call{op: op, tx: b.Transaction, payload: string(b.Payload), begun: time.Now()})
	if s := f.script[op]; len(s) > 0 {
		f.script[op] = s[1:]
		return len(f.calls) - 1, s[0]
	}
	return len(f.calls) - 1, f.always[op]
}

// apply does what is asked, as a participant that keeps its promises.
func (f *fake) apply(op string, tx uuid.UUID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch was := f.state[tx]; op {
	case prepare:
		if was == "rolled back" {
			f.t.Errorf("%s: %s is to be prepared after it was rolled back", f.name, tx)
			return participant.ErrRolledBack
		}
		if was == "" {
			f.state[tx] = "prepared"
		}
	case commit, onePhase:
		if was == "rolled back" {
			f.t.Errorf("%s: %s is to be committed after it was rolled back", f.name, tx)
			return participant.ErrRolledBack
		}
		if f.twoPhase && op == commit && was == "" && !f.recovered {
			f.t.Errorf("%s: %s is to be committed, but was never prepared", f.name, tx)
		}
		if was != "committed" {
			f.effects[tx]++
		}
		f.state[tx] = "committed"
	case rollback:
		if was == "committed" && f.twoPhase {
			f.t.Errorf("%s: %s is to be rolled back after it was committed", f.name, tx)
		}
		f.state[tx] = "rolled back"
	case ask:
		if was == "" {
			f.state[tx] = "rolled back"
		}
	}
	return nil
}

// ops returns the calls of all transactions as words.
func (f *fake) ops() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var words []string
	for _, c := range f.calls {
		words = append(words, c.op)
	}
	return strings.Join(words, " ")
}

// of returns the calls of one transaction as words.
func (f *fake) of(id uuid.UUID) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var words []string
	for _, c := range f.calls {
		if c.tx == id {
			words = append(words, c.op)
		}
	}
	return strings.Join(words, " ")
}

// became returns what became of a branch.
func (f *fake) became(id uuid.UUID) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state[id]
}

// history returns a copy of the calls.
func (f *fake) history() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]call(nil), f.calls...)
}

// count returns how many calls of an operation there were.
func (f *fake) count(op string) (n int) {
	for _, c := range f.history() {
		if c.op == op {
			n++
		}
	}
	return n
}

// expect fails the test unless the fake was called exactly so.
func (f *fake) expect(ops string) {
	f.t.Helper()
	if got := f.ops(); got != ops {
		f.t.Errorf("%s was called: %q, want %q", f.name, got, ops)
	}
}

// Acts.

func refuse(context.Context, participant.Branch) error { return errRefused }

func readOnly(context.Context, participant.Branch) error { return participant.ErrReadOnly }

func fails(err error) act {
	return func(context.Context, participant.Branch) error { return err }
}

// obedient hangs until its time is up.
func obedient(ctx context.Context, _ participant.Branch) error {
	<-ctx.Done()
	return fmt.Errorf("gave up: %w", ctx.Err())
}

// late does what is asked, but only after a while, whatever the context says.
func late(after time.Duration) act {
	return func(context.Context, participant.Branch) error {
		time.Sleep(after)
		return nil
	}
}

// deaf hangs until it is released, whatever the context says.
func deaf(release <-chan struct{}) act {
	return func(context.Context, participant.Branch) error {
		<-release
		return nil
	}
}

func panics(v any) act {
	return func(context.Context, participant.Branch) error { panic(v) }
}

func goexit(context.Context, participant.Branch) error {
	runtime.Goexit()
	return nil
}

// idle lets virtual time pass for one of several goroutines.
func idle(d time.Duration) { time.Sleep(d) }

// pass lets virtual time pass, and waits until everybody has done what was due.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
