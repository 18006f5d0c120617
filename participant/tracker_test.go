package participant_test

import (
	"context"
	"sync"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
)

// failingStore is a store that is not NonBlocking and can be made to fail.
type failingStore struct {
	inner *participant.MemoryStore
	fail  func(participant.State) error
}

func newFailingStore() *failingStore {
	return &failingStore{inner: new(participant.MemoryStore)}
}

func (s *failingStore) Load(ctx context.Context, k participant.Key) (participant.State, error) {
	return s.inner.Load(ctx, k)
}

func (s *failingStore) Save(ctx context.Context, k participant.Key, state participant.State) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.fail != nil {
		if err := s.fail(state); err != nil {
			return err
		}
	}
	return s.inner.Save(ctx, k, state)
}

// TestStoreFails: what happened is not repeated because it was not recorded.
func TestStoreFails(t *testing.T) {
	n, s := new(naive), newFailingStore()
	p := participant.Idempotent(n, s)
	b := newBranch()
	s.fail = func(participant.State) error { return errPassing }
	mustBe(t, errPassing, p.Commit(ctx, b), p.Rollback(ctx, b))
	must(t, n.called()) // an effect that could be forgotten is not begun
	s.fail = func(state participant.State) error {
		if state != participant.Begun {
			return errPassing
		}
		return nil
	}
	mustBe(t, errPassing, p.Commit(ctx, b), p.Commit(ctx, b))
	s.fail = nil
	must(t, p.Commit(ctx, b), p.Commit(ctx, b), n.called("commit"))
	expect(t, s, b.Key(), participant.Committed)
}

// TestContextEndsInTheCall: what has happened is recorded nonetheless.
func TestContextEndsInTheCall(t *testing.T) {
	ending, cancel := context.WithCancel(ctx)
	n, s := &naive{on: func(string, participant.Branch) error { cancel(); return nil }}, newFailingStore()
	b := newBranch()
	must(t, participant.Idempotent(n, s).Commit(ending, b))
	expect(t, s, b.Key(), participant.Committed)
}

// TestCrashInACall: the next process finds that something was begun.
func TestCrashInACall(t *testing.T) {
	n, s := new(naive), new(participant.MemoryStore)
	crash := func(b participant.Branch, call func(context.Context, participant.Branch) error) {
		t.Helper()
		n.on = func(string, participant.Branch) error { panic("crash") }
		defer func() {
			n.on = nil
			if recover() != "crash" {
				t.Error("the panic did not pass on")
			}
		}()
		_ = call(ctx, b)
	}
	undone, done, compensated := newBranch(), newBranch(), newBranch()
	p := participant.Idempotent(n, s)
	crash(undone, p.Commit)
	crash(done, p.Commit)
	must(t, p.Commit(ctx, compensated))
	crash(compensated, p.Rollback)
	expect(t, s, undone.Key(), participant.Begun)
	expect(t, s, compensated.Key(), participant.Committed)

	p = participant.Idempotent(n, s)
	must(t, n.called("commit", "commit", "commit", "rollback"))
	must(t, p.Rollback(ctx, undone), p.Rollback(ctx, undone), n.called("rollback"))
	must(t, p.Commit(ctx, done), p.Commit(ctx, done), n.called("commit"))
	must(t, p.Rollback(ctx, compensated), p.Rollback(ctx, compensated), n.called("rollback"))
}

// database is a Transactor: states and effects in one map each, and a
// transaction that swaps in changed copies.
type database struct {
	mu      sync.Mutex
	states  map[participant.Key]participant.State
	effects int
	crash   bool // instead of the next commit
}

type inTransaction struct{}

func (d *database) Load(_ context.Context, k participant.Key) (participant.State, error) {
	return d.states[k], nil
}

func (d *database) Save(ctx context.Context, k participant.Key, s participant.State) error {
	if ctx.Value(inTransaction{}) == nil {
		d.states[k] = s
		return nil
	}
	ctx.Value(inTransaction{}).(*database).states[k] = s
	return nil
}

func (d *database) Transact(ctx context.Context, f func(context.Context) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := &database{states: map[participant.Key]participant.State{}, effects: d.effects}
	for k, s := range d.states {
		changed.states[k] = s
	}
	if err := f(context.WithValue(ctx, inTransaction{}, changed)); err != nil {
		return err
	}
	if d.crash {
		d.crash = false
		return errPassing
	}
	d.states, d.effects = changed.states, changed.effects
	return nil
}

// account has its effects in the database that keeps the states.
type account struct{ refuse bool }

func (a *account) Name() string { return "p" }

func (a *account) add(ctx context.Context, n int) error {
	ctx.Value(inTransaction{}).(*database).effects += n
	if a.refuse {
		return errPassing
	}
	return nil
}

func (a *account) Commit(ctx context.Context, _ participant.Branch) error   { return a.add(ctx, 1) }
func (a *account) Rollback(ctx context.Context, _ participant.Branch) error { return a.add(ctx, -1) }

// TestSharedTransaction: with it, a crash between effect and record leaves
// neither.
func TestSharedTransaction(t *testing.T) {
	d := &database{states: map[participant.Key]participant.State{}}
	a := new(account)
	p := participant.Idempotent(a, d)
	effects := func(want int) {
		t.Helper()
		if d.effects != want {
			t.Errorf("%d effects, not %d", d.effects, want)
		}
	}
	b := newBranch()
	d.crash = true
	mustBe(t, errPassing, p.Commit(ctx, b))
	effects(0)
	must(t, p.Commit(ctx, b), p.Commit(ctx, b))
	effects(1)
	d.crash = true
	mustBe(t, errPassing, p.Rollback(ctx, b))
	effects(1)
	must(t, p.Rollback(ctx, b), p.Rollback(ctx, b))
	effects(0)

	refused := newBranch()
	a.refuse = true
	mustBe(t, errPassing, p.Commit(ctx, refused))
	a.refuse = false
	must(t, p.Rollback(ctx, refused)) // the refused call left nothing to undo
	effects(0)
}

// TestOneCallAtATime: calls of a branch wait for each other, those of another
// branch do not, and a caller does not wait past its context.
func TestOneCallAtATime(t *testing.T) {
	entered, leave := make(chan participant.Branch), make(chan struct{})
	n := &naive{on: func(_ string, b participant.Branch) error {
		entered <- b
		<-leave
		return nil
	}}
	p := participant.Idempotent(n, nil)
	a, b := newBranch(), newBranch()
	var all sync.WaitGroup
	for _, branch := range []participant.Branch{a, a, a, b} {
		all.Go(func() { must(t, p.Commit(ctx, branch)) })
	}
	if one, two := <-entered, <-entered; one.Transaction == two.Transaction {
		t.Error("two calls of one branch at a time")
	}
	late, cancel := context.WithCancel(ctx)
	waits := make(chan error)
	go func() { waits <- p.Rollback(late, a) }()
	cancel()
	mustBe(t, context.Canceled, <-waits)
	close(leave)
	all.Wait()
	must(t, n.called("commit", "commit"))
}

// TestNonBlockingParticipant: it needs no lock, even where the store blocks so
// that calls come concurrently. The race detector checks it.
func TestNonBlockingParticipant(t *testing.T) {
	effects := 0
	n := &naive{on: func(string, participant.Branch) error { effects++; return nil }}
	p := participant.Idempotent(naiveNonBlocking{n}, newFailingStore())
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { must(t, p.Commit(ctx, newBranch())) })
	}
	all.Wait()
	if effects != 100 {
		t.Errorf("%d effects", effects)
	}
}
