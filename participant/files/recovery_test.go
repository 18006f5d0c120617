package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
)

// stuck prepares a branch that writes a and b, has somebody put a directory in b's
// place, and begins its commit.
func stuck(t *testing.T, tree *Tree, dir string, c func(participant.Branch) error) participant.Branch {
	t.Helper()
	b := newBranch(Payload{Write: []Write{{Path: "a", Data: []byte("new")}, {Path: "b", Data: []byte("new")}}})
	must(t, tree.Prepare(ctx, b), os.MkdirAll(filepath.Join(dir, "b"), 0o755))
	if err := c(b); err == nil {
		t.Fatal("a directory was replaced")
	}
	return b
}

// A commit that somebody is in the way of is repeated until it succeeds, and is not
// rolled back half way.
func TestStuckCommit(t *testing.T) {
	for _, restart := range []bool{false, true} {
		tree, dir := fresh(t, nil, "a")
		b := stuck(t, tree, dir, func(b participant.Branch) error { return tree.Commit(ctx, b) })
		if restart {
			must(t, tree.Close())
			tree = openTree(t, dir, nil)
		}
		refusedWith(t, tree.Rollback(ctx, b), participant.ErrCommitted)
		refusedAs[*ConflictError](t, tree.Prepare(ctx, newBranch(write("a", "other"))))
		must(t, tree.Prepare(ctx, b))
		pending, err := tree.Pending()
		if err != nil || len(pending) != 1 || !pending[0].Decided || !slices.Equal(pending[0].Paths, []string{"a", "b"}) {
			t.Errorf("pending: %+v, %v", pending, err)
		}
		if ids, err := tree.InDoubt(ctx, "c"); len(ids) > 0 || err != nil {
			t.Errorf("in doubt: %v, %v", ids, err)
		}
		if committed, err := tree.Committed(ctx, b); committed || err == nil {
			t.Errorf("committed: %t, %v", committed, err)
		}
		must(t, os.Remove(filepath.Join(dir, "b")), tree.Commit(ctx, b), tree.Commit(ctx, b))
		expectContent(t, dir, map[string]string{"a": "new", "b": "new"})
		nothingStaged(t, dir)
		nothingLocked(t, tree)
	}
}

// Open finishes what it can.
func TestOpenFinishes(t *testing.T) {
	tree, dir := fresh(t, nil, "a")
	b := stuck(t, tree, dir, func(b participant.Branch) error { return tree.CommitOnePhase(ctx, b) })
	must(t, tree.Close(), os.Remove(filepath.Join(dir, "b")))
	tree = openTree(t, dir, nil)
	expectContent(t, dir, map[string]string{"a": "new", "b": "new"})
	if committed, err := tree.Committed(ctx, b); !committed || err != nil {
		t.Errorf("committed: %t, %v", committed, err)
	}
	nothingStaged(t, dir)
}

// What others do to the directory after Prepare.
func TestOutsiders(t *testing.T) {
	tree, dir := fresh(t, nil, "replaced", "removed", "dir/x", "file")
	at := func(name string) string { return filepath.Join(dir, name) }
	work, b := begun(t, tree)
	must(t, work.WriteFile("replaced", []byte("ours"), 0o644), work.Remove("removed"), work.Remove("dir/x"), work.Remove("dir"),
		work.Remove("file"), work.MkdirAll("made", 0o755), work.WriteFile("made/x", []byte("ours"), 0o644))
	must(t, tree.Prepare(ctx, b))
	must(t, os.WriteFile(at("replaced"), []byte("theirs"), 0o644), os.Remove(at("removed")), os.WriteFile(at("dir/y"), []byte("theirs"), 0o644),
		os.Remove(at("file")), os.Mkdir(at("file"), 0o755), os.Mkdir(at("made"), 0o755))
	must(t, tree.Commit(ctx, b))
	expectContent(t, dir, map[string]string{"replaced": "ours", "dir": "/", "dir/y": "theirs", "file": "/", "made": "/", "made/x": "ours"})
}

// What others do before Prepare is found.
func TestOutsidersBeforePrepare(t *testing.T) {
	for name, c := range map[string]struct {
		does func(dir string) error
		is   func(*testing.T, error)
	}{
		"a directory in the file's place": {
			func(dir string) error { return os.Mkdir(filepath.Join(dir, "new"), 0o755) }, isKind},
		"a file in the directory's place": {
			func(dir string) error { return os.WriteFile(filepath.Join(dir, "made"), nil, 0o644) }, isKind},
		"something in the removed directory": {
			func(dir string) error { return os.WriteFile(filepath.Join(dir, "dir/new"), nil, 0o644) }, isKind},
		"a link in the parent's place": {
			func(dir string) error {
				return errors.Join(os.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, "sub2")), os.Symlink("sub2", filepath.Join(dir, "sub")))
			}, isKind},
		"no parent": {
			func(dir string) error { return os.RemoveAll(filepath.Join(dir, "sub")) },
			func(t *testing.T, err error) { refusedWith(t, err, fs.ErrNotExist) }},
	} {
		t.Run(name, func(t *testing.T) {
			tree, dir := fresh(t, nil, "dir/x", "sub/x", "gone")
			work, b := begun(t, tree)
			must(t, work.WriteFile("new", nil, 0o644), work.MkdirAll("made", 0o755), work.Remove("dir/x"), work.Remove("dir"),
				work.WriteFile("sub/x", nil, 0o644), work.Remove("gone"), os.Remove(filepath.Join(dir, "gone")))
			must(t, c.does(dir))
			was := content(t, dir)
			c.is(t, tree.Prepare(ctx, b))
			expectContent(t, dir, was)
			nothingStaged(t, dir)
			nothingLocked(t, tree)
		})
	}
}

// A file that was replaced before Prepare is not taken away under another's name.
func TestRenamedIsAnother(t *testing.T) {
	for _, remove := range []bool{false, true} {
		tree, dir := fresh(t, nil, "a", "new")
		work, b := begun(t, tree)
		must(t, work.Rename("a", "b"), work.Rename("b", "c"))
		found, left := "another", map[string]string{"a": "new"}
		must(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "a")))
		if remove {
			must(t, os.Remove(filepath.Join(dir, "a")))
			found, left = nothing, map[string]string{}
		}
		if e := refusedAs[*ChangedError](t, tree.Prepare(ctx, b)); e != nil && (e.Path != "a" || e.Found != found) {
			t.Errorf("changed: %v", e)
		}
		expectContent(t, dir, left)
		nothingStaged(t, dir)
		nothingLocked(t, tree)
	}
}

func isKind(t *testing.T, err error) { t.Helper(); refusedAs[*KindError](t, err) }

// A staged file that is gone is not taken for one that is in place already.
func TestLostStaging(t *testing.T) {
	tree, dir := fresh(t, nil, "a")
	b := newBranch(write("a", "new"))
	must(t, tree.Prepare(ctx, b), os.RemoveAll(filepath.Join(dir, staging)), os.Mkdir(filepath.Join(dir, staging), 0o700))
	for range 2 {
		err := tree.Commit(ctx, b)
		if lost := refusedAs[*LostError](t, err); lost != nil && lost.Path != "a" {
			t.Errorf("lost: %v", lost)
		}
		refusedWith(t, err, ErrCorrupt)
		must(t, tree.Close())
		tree = openTree(t, dir, nil)
	}
	must(t, tree.Rollback(ctx, b))
	expectContent(t, dir, map[string]string{"a": "a"})
	nothingLocked(t, tree)
}

// After a failed sync of a directory nothing more is done, or said.
func TestFailedSync(t *testing.T) {
	dir := t.TempDir()
	disk := errors.New("input/output error")
	bad := false
	o := &Options{around: func(call, name string, do func() error) error {
		if bad && call == "syncdir" {
			return disk
		}
		return do()
	}}
	tree := openTree(t, dir, o)
	b := newBranch(write("a", "new"))
	must(t, tree.Prepare(ctx, b))
	bad = true
	err := tree.Commit(ctx, b)
	refusedWith(t, err, ErrFailed)
	refusedWith(t, err, disk)
	bad = false
	for i, err := range []error{tree.Commit(ctx, b), tree.Rollback(ctx, b), tree.Prepare(ctx, newBranch(write("b", ""))),
		second(tree.Begin(ctx, b.Transaction)), second(tree.InDoubt(ctx, "c"))} {
		if !errors.Is(err, ErrFailed) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	must(t, tree.Close())
	tree = openTree(t, dir, nil)
	must(t, tree.Commit(ctx, b))
	expectContent(t, dir, map[string]string{"a": "new"})
}

func TestDirIsNoDirectory(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	for _, target := range []string{elsewhere, "other"} {
		must(t, os.MkdirAll(filepath.Join(dir, "other"), 0o755), os.Symlink(target, filepath.Join(dir, Dir)))
		refusedAs[*KindError](t, second(Open("site", dir, nil)))
		must(t, os.Remove(filepath.Join(dir, Dir)))
	}
	fill(t, dir, Dir)
	refusedAs[*KindError](t, second(Open("site", dir, nil)))
	expectContent(t, elsewhere, map[string]string{})
}

func TestAnotherFormat(t *testing.T) {
	tree, dir := fresh(t, nil)
	must(t, tree.Close(), os.WriteFile(filepath.Join(dir, logPath), make([]byte, 100), 0o600))
	refusedWith(t, second(Open("site", dir, nil)), ErrFormat)
	must(t, os.WriteFile(filepath.Join(dir, logPath), nil, 0o600))
	refusedWith(t, second(Open("site", dir, nil)), ErrCorrupt)
}

// The log does not grow with what is finished, and neither does what is held.
func TestStaysBounded(t *testing.T) {
	dir := quick(t)
	tree := openTree(t, dir, &Options{Limit: 10, slack: 4096})
	for i := range 200 {
		other := newBranch()
		other.Coordinator = fmt.Sprint(i)
		must(t, tree.CommitOnePhase(ctx, newBranch(write("a", "new"))), tree.Rollback(ctx, other))
		refusedWith(t, second(tree.Begin(ctx, other.Transaction)), participant.ErrRolledBack)
	}
	for name, s := range map[string]*participant.MemoryStore{"states": &tree.book.states, "begun": &tree.book.begun} {
		n := 0
		for range s.All() {
			n++
		}
		if n != 10 {
			t.Errorf("%s has %d branches", name, n)
		}
	}
	info, err := os.Stat(filepath.Join(dir, logPath))
	if err != nil || info.Size() > 12_000 {
		t.Errorf("the log has %d bytes (%v)", info.Size(), err)
	}
	nothingStaged(t, dir)
	nothingLocked(t, tree)
	if len(tree.open) > 0 || tree.turns.Len() > 0 {
		t.Errorf("%d branches are open, %d worked on", len(tree.open), tree.turns.Len())
	}
}
