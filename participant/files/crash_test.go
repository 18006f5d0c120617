//go:build unix

package files

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/participant"
)

// The files before and after the branch that is tried at every crash point: it does
// everything that a branch can do.
var (
	before = map[string]string{
		"a": "a", "b": "b", "dir": "/", "dir/x": "dir/x", "empty": "/", "deep": "/", "deep/er": "/", "full": "/", "full/y": "full/y", "full/z": "full/z",
		"current": "-> dir", "keep": "keep",
	}
	after = map[string]string{
		"a": "new a", "b": "new b", "dir": "/", "dir/b": "b", "dir/x": "dir/x", "full": "/", "full/y": "again",
		"current": "-> new/sub", "keep": "keep", "new": "/", "new/sub": "/", "new/sub/f": "new f",
	}
)

func fillBefore(t *testing.T, dir string) {
	t.Helper()
	fill(t, dir, "a", "b", "dir/x", "empty/", "deep/er/", "full/y", "full/z", "keep")
	must(t, os.Symlink("dir", filepath.Join(dir, "current")))
}

// change does all of it.
func doAll(b *Branch) error {
	calls := []func() error{
		func() error { return b.Expect(Content("keep", []byte("keep"))) },
		func() error { return b.MkdirAll("new/sub", 0o755) },
		func() error { return b.Rename("b", "dir/b") },
		func() error { return b.WriteFile("a", []byte("draft"), 0o644) },
		func() error { return b.WriteFile("a", []byte("new a"), 0o644) },
		func() error { return b.WriteFile("b", []byte("new b"), 0o600) },
		func() error {
			return b.WriteFrom("new/sub/f", io.MultiReader(strings.NewReader("new "), strings.NewReader("f")), 0o644)
		},
		func() error { return b.Remove("empty") },
		func() error { return b.Remove("deep/er") },
		func() error { return b.Remove("deep") },
		func() error { return b.Remove("full/y") },
		func() error { return b.Remove("full/z") },
		func() error { return b.Remove("full") },
		func() error { return b.MkdirAll("full", 0o755) },
		func() error { return b.WriteFile("full/y", []byte("again"), 0o644) },
		func() error { return b.Symlink("new/sub", "current") },
	}
	for _, call := range calls {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

// attempt is how far a coordinator has come with a branch.
type attempt struct {
	branch     participant.Branch
	prepared   bool // Prepare was answered with a yes
	committing bool // Commit was asked for
	done       bool // Commit or Rollback was answered
}

// plan is what the coordinator is about to do.
type plan string

const (
	commits    plan = "commit"
	rollsBack  plan = "roll back"
	commitsOne plan = "commit in one phase"
)

// run opens a tree and goes through with the plan as far as it gets.
func (p plan) run(dir string, o *Options) (a attempt, err error) {
	a.branch = newBranch()
	tree, err := Open("site", dir, o)
	if err != nil {
		return a, err
	}
	defer tree.Close()
	b, err := tree.Begin(ctx, a.branch.Transaction)
	if err == nil {
		err = doAll(b)
	}
	if err != nil {
		return a, err
	}
	if p == commitsOne {
		a.committing = true
		err := tree.CommitOnePhase(ctx, a.branch)
		a.done = err == nil
		return a, err
	}
	if err := tree.Prepare(ctx, a.branch); err != nil {
		return a, err
	}
	a.prepared = true
	if p == rollsBack {
		err = tree.Rollback(ctx, a.branch)
	} else {
		a.committing = true
		err = tree.Commit(ctx, a.branch)
	}
	a.done = err == nil
	return a, err
}

// settle does what the coordinator does when it finds the tree again, and checks
// what comes of it.
func (p plan) settle(t *testing.T, dir string, a attempt, f *faults) error {
	t.Helper()
	tree, err := Open("site", dir, f.options())
	if err != nil {
		return err
	}
	defer tree.Close()
	ids, err := tree.InDoubt(ctx, "c")
	if err != nil {
		return err
	}
	opened := content(t, dir)
	if doubt := slices.Contains(ids, a.branch.Transaction); p == commits && a.prepared && doubt != maps.Equal(opened, before) {
		t.Errorf("in doubt: %t, with the files %q", doubt, opened)
	}
	want := before
	switch {
	case p == commits && a.committing:
		want, err = after, tree.Commit(ctx, a.branch)
	case p == commitsOne && a.committing:
		var committed bool
		if committed, err = tree.Committed(ctx, a.branch); committed {
			want = after
		}
		if a.done && !committed && err == nil {
			t.Error("what was committed is not any more")
		}
	default:
		err = tree.Rollback(ctx, a.branch)
	}
	if err != nil || f.ended {
		return err
	}
	expectContent(t, dir, want)
	nothingStaged(t, dir)
	nothingLocked(t, tree)
	late := tree.CommitOnePhase(ctx, a.branch)
	if maps.Equal(want, after) {
		return errors.Join(late, tree.Commit(ctx, a.branch))
	}
	refusedWith(t, late, participant.ErrRolledBack)
	refusedWith(t, tree.Commit(ctx, a.branch), participant.ErrRolledBack)
	return tree.Rollback(ctx, a.branch)
}

// callsOf is how many calls of the file system the plan takes.
func (p plan) callsOf(t *testing.T) []string {
	t.Helper()
	dir := quick(t)
	fillBefore(t, dir)
	f := &faults{dir: dir}
	a, err := p.run(dir, f.options())
	must(t, err, p.settle(t, dir, a, &faults{dir: dir}))
	return f.calls
}

// eachPoint tries the plan with an end, or an error, at each call.
func eachPoint(t *testing.T, try func(t *testing.T, p plan, dir string, f *faults)) {
	for _, p := range []plan{commits, rollsBack, commitsOne} {
		t.Run(string(p), func(t *testing.T) {
			for i, call := range p.callsOf(t) {
				dir := quick(t)
				fillBefore(t, dir)
				try(t, p, dir, &faults{dir: dir, at: i + 1})
				if t.Failed() {
					t.Fatalf("at call %d, %s", i+1, call)
				}
			}
		})
	}
}

// TestCrash_Killed ends the process at each call, before it and within.
func TestCrash_Killed(t *testing.T) {
	eachPoint(t, func(t *testing.T, p plan, dir string, f *faults) {
		f.torn = f.at%2 == 0
		a, err := p.run(dir, f.options())
		if !f.ended && err == nil {
			t.Error("the process did not end")
		}
		must(t, p.settle(t, dir, a, &faults{dir: dir}))
	})
}

// TestCrash_KilledAgain ends the process that recovers, too, at each of its calls.
func TestCrash_KilledAgain(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	eachPoint(t, func(t *testing.T, p plan, dir string, f *faults) {
		a, _ := p.run(dir, f.options())
		for {
			again := &faults{dir: dir, at: 1 + chance.IntN(30), torn: true}
			err := p.settle(t, dir, a, again)
			if !again.ended {
				must(t, err)
				return
			}
			if t.Failed() {
				t.Fatalf("again at %q", again.calls[again.at-1])
			}
		}
	})
}

// TestCrash_PowerLoss ends the process at each call, and what was not synced is
// lost; all of it, or some.
func TestCrash_PowerLoss(t *testing.T) {
	seeds := uint64(2)
	if proof.Wanted() {
		seeds = 8
	}
	for seed := range seeds {
		eachPoint(t, func(t *testing.T, p plan, dir string, f *faults) {
			f.disk = newDiskModel(dir)
			a, _ := p.run(dir, f.options())
			var chance *rand.Rand
			if seed > 0 {
				chance = rand.New(rand.NewPCG(seed, uint64(f.at)))
			}
			left := quick(t)
			must(t, f.disk.survive(left, chance), p.settle(t, left, a, &faults{dir: left}))
		})
	}
}

// TestFailure_EachCall lets each call fail once, as a full disk does. Whatever the
// branch has come to, the coordinator can bring it to an end, and nothing is half
// done.
func TestFailure_EachCall(t *testing.T) {
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO} {
		eachPoint(t, func(t *testing.T, p plan, dir string, f *faults) {
			f.fail = fmt.Errorf("injected: %w", fault)
			a, err := p.run(dir, f.options())
			if err != nil && !errors.Is(err, fault) {
				t.Errorf("the error does not say why: %v", err)
			}
			must(t, p.settle(t, dir, a, &faults{dir: dir}))
		})
	}
}
