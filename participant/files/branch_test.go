package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/seed-d36415c0/dtc/participant"
)

func commit(t *testing.T, tree *Tree, b participant.Branch) {
	t.Helper()
	must(t, tree.Prepare(ctx, b), tree.Commit(ctx, b))
}

func TestNothingShowsBeforeCommit(t *testing.T) {
	tree, dir := fresh(t, nil, "a", "b", "d/x")
	was := content(t, dir)
	work, b := begun(t, tree)
	must(t, work.WriteFile("a", []byte("new"), 0o600), work.Remove("b"), work.Rename("d/x", "x"), work.MkdirAll("e/f", 0o755),
		work.WriteFile("e/f/g", nil, 0o644), work.Symlink("e/f", "link"))
	expectContent(t, dir, was)
	must(t, tree.Prepare(ctx, b))
	expectContent(t, dir, was)
	must(t, tree.Commit(ctx, b))
	expectContent(t, dir, map[string]string{
		"a": "new", "d": "/", "x": "d/x", "e": "/", "e/f": "/", "e/f/g": "", "link": "-> e/f",
	})
	info, err := os.Stat(filepath.Join(dir, "a"))
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("a has mode %v", info.Mode())
	}
	nothingStaged(t, dir)
	nothingLocked(t, tree)
}

// The branch sees its own changes, over what is committed.
func TestBranchSeesItself(t *testing.T) {
	tree, dir := fresh(t, nil, "a", "b", "dir/x")
	must(t, os.Symlink("a", filepath.Join(dir, "link")), os.Symlink("dir", filepath.Join(dir, "linked")))
	work, _ := begun(t, tree)
	reads := func(name, want string) {
		t.Helper()
		if got, err := work.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	absent := func(name string) {
		t.Helper()
		_, err := work.ReadFile(name)
		refusedWith(t, err, fs.ErrNotExist)
	}
	reads("a", "a")
	refusedAs[*KindError](t, second(work.ReadFile("link")))
	refusedAs[*KindError](t, second(work.ReadFile("linked/x")))
	must(t, work.WriteFile("a", []byte("new"), 0o644), work.WriteFile("dir/x", []byte("new x"), 0o644))
	reads("a", "new")
	reads("dir/x", "new x")
	must(t, work.Rename("a", "c"), work.Rename("b", "a"))
	reads("c", "new")
	reads("a", "b")
	absent("b")
	must(t, work.Remove("c"))
	absent("c")
	refusedWith(t, work.Remove("c"), fs.ErrNotExist)
	must(t, work.MkdirAll("made/sub", 0o755), work.WriteFile("made/sub/f", []byte("f"), 0o644), work.Symlink("made/sub", "linked2"))
	reads("made/sub/f", "f")
	refusedAs[*KindError](t, second(work.ReadFile("linked2")))
	refusedAs[*KindError](t, second(work.ReadFile("linked2/f")))
	must(t, work.Remove("made/sub/f"), work.Remove("made/sub"))
	absent("made/sub/f")
	refusedAs[*KindError](t, second(work.ReadFile("dir")))
	refusedAs[*KindError](t, second(work.ReadFile("made")))
}

func second[T any](_ T, err error) error { return err }

func TestWriteFrom(t *testing.T) {
	tree, dir := fresh(t, nil, "a")
	work, b := begun(t, tree)
	want := strings.Repeat("0123456789abcdef", 1<<14)
	must(t, work.WriteFrom("large", iotest.HalfReader(strings.NewReader(want)), 0o644))
	boom := errors.New("boom")
	for range 2 {
		refusedWith(t, work.WriteFrom("a", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(boom)), 0o644), boom)
		if work.size != int64(len(want)) || len(work.steps) != 1 {
			t.Errorf("%d bytes and %d steps are left", work.size, len(work.steps))
		}
	}
	commit(t, tree, b)
	expectContent(t, dir, map[string]string{"large": want, "a": "a"})
	nothingStaged(t, dir)
}

// endsWithin is content that is being read when something happens.
type endsWithin func()

func (e endsWithin) Read(data []byte) (int, error) {
	e()
	return copy(data, "late"), nil
}

// Who still writes when the branch is decided is told, and has no effect.
func TestDecidedWhileWriting(t *testing.T) {
	tree, dir := fresh(t, nil, "a")
	for name, c := range map[string]struct {
		decide func(b participant.Branch) error
		want   error
	}{
		"prepared":    {func(b participant.Branch) error { return tree.Prepare(ctx, b) }, ErrPrepared},
		"committed":   {func(b participant.Branch) error { return tree.CommitOnePhase(ctx, b) }, ErrPrepared},
		"rolled back": {func(b participant.Branch) error { return tree.Rollback(ctx, b) }, participant.ErrRolledBack},
	} {
		work, b := begun(t, tree)
		must(t, work.MkdirAll("d", 0o755))
		refusedWith(t, work.WriteFrom("a", endsWithin(func() {
			if err := c.decide(b); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}), 0o644), c.want)
		if name == "prepared" {
			must(t, tree.Commit(ctx, b))
		}
	}
	expectContent(t, dir, map[string]string{"a": "a", "d": "/"})
	nothingStaged(t, dir)
	nothingLocked(t, tree)
}

// A branch that is over takes nothing more, and says why.
func TestOver(t *testing.T) {
	tree, dir := fresh(t, nil, "a")
	for name, c := range map[string]struct {
		end  func(participant.Branch) error
		want error
	}{
		"prepared":    {func(b participant.Branch) error { return tree.Prepare(ctx, b) }, ErrPrepared},
		"rolled back": {func(b participant.Branch) error { return tree.Rollback(ctx, b) }, participant.ErrRolledBack},
		"committed":   {func(b participant.Branch) error { return tree.CommitOnePhase(ctx, b) }, ErrPrepared},
	} {
		work, b := begun(t, tree)
		must(t, work.WriteFile(name, nil, 0o644), c.end(b))
		for i, err := range []error{
			work.WriteFile("x", nil, 0o644), work.Remove("a"), work.Rename("a", "b"),
			work.Symlink("a", "b"), work.MkdirAll("d", 0o755), work.Expect(Absent("a")), second(work.ReadFile("a")),
		} {
			if !errors.Is(err, c.want) {
				t.Errorf("%s: call %d: %v", name, i+1, err)
			}
		}
		if _, err := tree.Begin(ctx, b.Transaction); !errors.Is(err, map[string]error{"prepared": ErrPrepared,
			"rolled back": participant.ErrRolledBack, "committed": participant.ErrCommitted}[name]) {
			t.Errorf("%s: Begin again: %v", name, err)
		}
		if name == "prepared" {
			must(t, tree.Rollback(ctx, b))
		}
	}
	nothingStaged(t, dir)
	nothingLocked(t, tree)
}

// Who begins while the branch is being prepared is told that it is too late.
func TestBegunTooLate(t *testing.T) {
	var tree *Tree
	var meanwhile func()
	o := &Options{around: func(call, name string, do func() error) error {
		if f := meanwhile; f != nil && call == "syncdir" {
			meanwhile = nil
			f()
		}
		return do()
	}}
	dir := quick(t)
	tree = openTree(t, dir, o)
	for name, call := range map[string]func(context.Context, participant.Branch) error{"two": tree.Prepare, "one": tree.CommitOnePhase} {
		var late *Branch
		b := newBranch(write(name, "new"))
		meanwhile = func() {
			var err error
			late, err = tree.Begin(ctx, b.Transaction)
			must(t, err)
		}
		must(t, call(ctx, b))
		refusedWith(t, late.WriteFile("late", nil, 0o644), ErrPrepared)
		must(t, tree.Commit(ctx, b))
	}
	expectContent(t, dir, map[string]string{"one": "new", "two": "new"})
	nothingLocked(t, tree)
}

func TestReadOnly(t *testing.T) {
	tree, dir := fresh(t, nil, "a")
	for _, late := range []func(participant.Branch) error{
		func(b participant.Branch) error { return tree.Commit(ctx, b) },
		func(b participant.Branch) error { return tree.CommitOnePhase(ctx, b) },
		func(participant.Branch) error { return nil },
	} {
		work, b := begun(t, tree)
		must(t, second(work.ReadFile("a")))
		for range 2 {
			refusedWith(t, tree.Prepare(ctx, b), participant.ErrReadOnly)
		}
		nothingLocked(t, tree)
		refusedWith(t, second(tree.Begin(ctx, b.Transaction)), ErrPrepared)
		must(t, late(b))
		s, err := tree.Branch("c", b.Transaction)
		must(t, err)
		committed, err := tree.Committed(ctx, b)
		if committed != (s == participant.Committed) || err != nil {
			t.Errorf("it was %v, and committed: %t, %v", s, committed, err)
		}
		if late := tree.CommitOnePhase(ctx, b); committed != (late == nil) {
			t.Errorf("committed: %t, and then: %v", committed, late)
		}
	}
	_, alone := begun(t, tree)
	must(t, tree.CommitOnePhase(ctx, alone))
	if committed, err := tree.Committed(ctx, alone); !committed || err != nil {
		t.Errorf("committed: %t, %v", committed, err)
	}
	nothingStaged(t, dir)
}

// Who only expects something, or needs a directory, has it until the transaction
// is decided.
func TestOnlyExpects(t *testing.T) {
	tree, dir := fresh(t, nil, "d/")
	for _, restart := range []bool{false, true} {
		one, two := newBranch(Payload{Expect: []Expect{Absent("a")}}), newBranch(Payload{Mkdir: []string{"d"}})
		must(t, tree.Prepare(ctx, one), tree.Prepare(ctx, two))
		if restart {
			must(t, tree.Close())
			tree = openTree(t, dir, nil)
		}
		refusedAs[*ConflictError](t, tree.Prepare(ctx, newBranch(write("a", ""))))
		refusedAs[*ConflictError](t, tree.Prepare(ctx, newBranch(Payload{Remove: []string{"d"}})))
		must(t, tree.Commit(ctx, one), tree.Commit(ctx, two))
		nothingLocked(t, tree)
	}
	expectContent(t, dir, map[string]string{"d": "/"})
}

// Work that was never begun, or is lost, is not taken for nothing to do.
func TestNoWork(t *testing.T) {
	dir := t.TempDir()
	tree := openTree(t, dir, nil)
	refusedAs[*NoWorkError](t, tree.Prepare(ctx, newBranch()))
	work, b := begun(t, tree)
	must(t, work.WriteFile("a", nil, 0o644), tree.Close())
	refusedWith(t, work.WriteFile("b", nil, 0o644), ErrClosed)
	tree = openTree(t, dir, nil)
	nothingStaged(t, dir)
	refusedAs[*NoWorkError](t, tree.Prepare(ctx, b))
	refusedWith(t, tree.CommitOnePhase(ctx, b), participant.ErrRolledBack)
	expectContent(t, dir, map[string]string{})
}
