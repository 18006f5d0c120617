package mysql_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/mysql"
)

// phases are the points in a branch's life at which something breaks, with what must
// be true after it: that it can be rolled back, or that it can be committed.
var phases = []struct {
	name    string
	until   func(t testing.TB, b *bank, branch participant.Branch)
	commits bool
}{
	{"nothing", func(testing.TB, *bank, participant.Branch) {}, false},
	{"begun", func(t testing.TB, b *bank, branch participant.Branch) { b.take(t, branch, "a") }, false},
	{"prepared", func(t testing.TB, b *bank, branch participant.Branch) {
		b.take(t, branch, "a")
		must(t, b.Prepare(within(t), branch))
	}, true},
	{"committed", func(t testing.TB, b *bank, branch participant.Branch) {
		b.take(t, branch, "a")
		must(t, b.Prepare(within(t), branch), b.Commit(within(t), branch))
	}, true},
	{"committed in one phase", func(t testing.TB, b *bank, branch participant.Branch) {
		b.take(t, branch, "a")
		must(t, b.CommitOnePhase(within(t), branch))
	}, true},
	{"rolled back", func(t testing.TB, b *bank, branch participant.Branch) {
		b.take(t, branch, "a")
		must(t, b.Rollback(within(t), branch))
	}, false},
}

// afterwards makes the calls that remain, at both participants if there are two.
func afterwards(t testing.TB, commits bool, branch participant.Branch, banks ...*bank) {
	t.Helper()
	for _, b := range append(banks, banks...) {
		ctx := within(t)
		if commits {
			must(t, b.again(func() error { return b.Commit(ctx, branch) }))
			mustBe(t, participant.ErrCommitted, b.Rollback(ctx, branch))
			done, err := b.Committed(ctx, branch)
			if !done || err != nil {
				t.Errorf("Committed: %t, %v", done, err)
			}
			continue
		}
		must(t, b.again(func() error { return b.Rollback(ctx, branch) }))
		mustBe(t, participant.ErrRolledBack, b.Commit(ctx, branch), b.Prepare(ctx, branch), b.CommitOnePhase(ctx, branch))
	}
	want := 100
	if commits {
		want--
	}
	for _, b := range banks {
		b.is(t, "a", want)
		b.doubts(t, 0)
		b.idle(t)
	}
}

// again repeats a call that fails, as a coordinator does.
func (b *bank) again(call func() error) (err error) {
	for range 5 {
		if err = call(); err == nil || errors.Is(err, participant.ErrRolledBack) {
			return err
		}
	}
	return err
}

// TestConnectionLost: cut off in each phase, with connections that the server sees
// end, and with a cable that is cut, which it does not.
func TestConnectionLost(t *testing.T) {
	alone(t)
	for _, c := range phases {
		t.Run(c.name, func(t *testing.T) {
			direct, far, proxy := proxied(t, nil)
			branch := newBranch()
			c.until(t, far, branch)
			proxy.Cut()
			afterwards(t, c.commits, branch, far, direct)
		})
		t.Run(c.name+", half open", func(t *testing.T) {
			direct, far, proxy := proxied(t, nil)
			branch := newBranch()
			c.until(t, far, branch)
			proxy.Hold()
			soon, cancel := context.WithTimeout(within(t), 50*time.Millisecond)
			defer cancel()
			call := far.Rollback
			if c.commits {
				call = far.Commit
			}
			if err := call(soon, branch); err == nil {
				t.Error("a call succeeded over a cable that is cut")
			}
			afterwards(t, c.commits, branch, direct)
			proxy.Cut()
			proxy.Release()
			afterwards(t, c.commits, branch, far)
		})
	}
}

// decide does what a coordinator does after the call.
func decide(t testing.TB, what string, answer error, branch participant.Branch, b *bank) {
	t.Helper()
	ctx := within(t)
	switch {
	case what == "commit":
		must(t, b.again(func() error { return b.Commit(ctx, branch) }))
	case what == "one phase":
		var done bool
		must(t, b.again(func() (err error) { done, err = b.Committed(ctx, branch); return err }))
		if answer == nil && !done {
			t.Error("what was committed is not")
		}
	case answer == nil:
		must(t, b.again(func() error { return b.Commit(ctx, branch) }))
	default:
		must(t, b.again(func() error { return b.Rollback(ctx, branch) }))
		mustBe(t, participant.ErrRolledBack, b.Commit(ctx, branch))
	}
}

// TestPoolExhausted: open branches that hold all connections do not hold up each
// other's decision, and who needs one more is told what to set.
func TestPoolExhausted(t *testing.T) {
	t.Parallel()
	dsn := serverstest.MariaDBDatabase(t)
	b := openBank(t, dsn, nil)
	b.db.SetMaxOpenConns(2)
	one, two := newBranch(), newBranch()
	b.take(t, one, "a")
	b.take(t, two, "b")
	for _, call := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := b.Begin(ctx, newBranch().Transaction); return err },
		func(ctx context.Context) error { _, err := b.InDoubt(ctx, owner); return err },
		func(ctx context.Context) error { return b.Rollback(ctx, newBranch()) },
	} {
		soon, cancel := context.WithTimeout(within(t), 30*time.Millisecond)
		err := call(soon)
		cancel()
		mustBe(t, context.DeadlineExceeded, err)
		if e := mustAs[*mysql.PoolError](t, err); e != nil && e.Max != 2 {
			t.Errorf("the limit is %d", e.Max)
		}
	}
	must(t, b.Prepare(within(t), one), b.Prepare(within(t), two), b.Commit(within(t), one), b.Rollback(within(t), two))
	b.idle(t)

	brief := openBank(t, dsn, &mysql.Options{BranchTimeout: 50 * time.Millisecond})
	brief.db.SetMaxOpenConns(2)
	for range 2 {
		_, err := brief.Begin(within(t), newBranch().Transaction)
		must(t, err)
	}
	must(t, brief.Rollback(within(t), newBranch())) // when a branch has been held too long
	brief.idle(t)
	b.is(t, "a", 99)
	b.is(t, "b", 100)
}

// TestOneConnection: a pool of one connection is enough for one branch at a time,
// whatever becomes of it.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), &mysql.Options{Work: take})
	b.db.SetMaxOpenConns(1)
	ctx := within(t)
	for range 3 {
		one, two, three := newBranch(), newBranch(), newBranch()
		one.Payload, two.Payload, three.Payload = []byte("a"), []byte("a"), []byte("a")
		must(t, b.Prepare(ctx, one), b.Commit(ctx, one), b.Prepare(ctx, two), b.Rollback(ctx, two), b.CommitOnePhase(ctx, three))
		must(t, b.Rollback(ctx, newBranch()), b.Commit(ctx, one))
		b.idle(t)
	}
	b.is(t, "a", 94)
}
