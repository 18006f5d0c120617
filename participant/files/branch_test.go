package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	must(t, os.Symlink("dir", filepath.Join(dir, "link")))
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
	reads("link/x", "dir/x")
	must(t, work.WriteFile("a", []byte("new"), 0o644), work.WriteFile("dir/x", []byte("new x"), 0o644))
	reads("a", "new")
	reads("link/x", "new x")
	must(t, work.Rename("a", "c"), work.Rename("b", "a"))
	reads("c", "new")
	reads("a", "b")
	absent("b")
	must(t, work.Remove("c"))
	absent("c")
	refusedWith(t, work.Remove("c"), fs.ErrNotExist)
	must(t, work.MkdirAll("made/sub", 0o755), work.WriteFile("made/sub/f", []byte("f"), 0o644), work.Symlink("made/sub", "link"))
	reads("link/f", "f")
	absent("link/x")
	must(t, work.Remove("made/sub/f"), work.Remove("made/sub"))
	absent("made/sub/f")
	absent("link/f")
	refusedAs[*KindError](t, second(work.ReadFile("dir")))
	refusedAs[*KindError](t, second(work.ReadFile("made")))
}

func second[T any](_ T, err error) error { return err }

func TestCreate(t *testing.T) {
	tree, dir := fresh(t, nil)
	work, b := begun(t, tree)
	w, err := work.Create("large", 0o644)
	must(t, err)
	want := strings.Repeat("0123456789abcdef", 1<<14)
	must(t, second(io.Copy(w, strings.NewReader(want))))
	refusedWith(t, second(work.ReadFile("large")), fs.ErrNotExist)
	must(t, w.Close())
	refusedWith(t, w.Close(), fs.ErrClosed)
	refusedWith(t, second(w.Write([]byte("x"))), fs.ErrClosed)
	commit(t, tree, b)
	expectContent(t, dir, map[string]string{"large": want})
}

func TestUnclosed(t *testing.T) {
	tree, dir := fresh(t, nil, "a")
	work, b := begun(t, tree)
	w, err := work.Create("a", 0o644)
	must(t, err, second(w.Write([]byte("half"))))
	if e := refusedAs[*UnclosedError](t, tree.Prepare(ctx, b)); e != nil && e.Path != "a" {
		t.Errorf("the path is %q", e.Path)
	}
	refusedWith(t, w.Close(), participant.ErrRolledBack)
	must(t, tree.Rollback(ctx, b))
	expectContent(t, dir, map[string]string{"a": "a"})
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
			work.WriteFile("x", nil, 0o644), second(work.Create("x", 0o644)), work.Remove("a"), work.Rename("a", "b"),
			work.Symlink("a", "b"), work.MkdirAll("d", 0o755), work.Expect("a", Expectation{}), second(work.ReadFile("a")),
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

func TestRollbackWhileWriting(t *testing.T) {
	tree, dir := fresh(t, nil)
	work, b := begun(t, tree)
	w, err := work.Create("a", 0o644)
	must(t, err, tree.Rollback(ctx, b))
	refusedWith(t, w.(*writer).f.Close(), fs.ErrClosed) // no descriptor is left
	refusedWith(t, second(w.Write([]byte("x"))), participant.ErrRolledBack)
	refusedWith(t, w.Close(), participant.ErrRolledBack)
	nothingStaged(t, dir)
}

// Who begins while the branch is being prepared is told that it is too late.
func TestBegunTooLate(t *testing.T) {
	dir := t.TempDir()
	b := newBranch(write("a", "new"))
	var tree *Tree
	var late *Branch
	preparing := false
	tree = openTree(t, dir, &Options{around: func(call, name string, do func() error) (err error) {
		if preparing && late == nil && call == "syncdir" {
			late, err = tree.Begin(ctx, b.Transaction)
			must(t, err)
		}
		return do()
	}})
	preparing = true
	must(t, tree.Prepare(ctx, b))
	refusedWith(t, late.WriteFile("b", nil, 0o644), ErrPrepared)
	must(t, tree.Commit(ctx, b))
	expectContent(t, dir, map[string]string{"a": "new"})
}

func TestReadOnly(t *testing.T) {
	tree, dir := fresh(t, nil, "a", "d/x")
	work, b := begun(t, tree)
	must(t, second(work.ReadFile("a")), work.Expect("a", Content([]byte("a"))), work.MkdirAll("d", 0o755))
	for range 2 {
		refusedWith(t, tree.Prepare(ctx, b), participant.ErrReadOnly)
	}
	nothingLocked(t, tree)
	refusedWith(t, second(tree.Begin(ctx, b.Transaction)), ErrPrepared)
	refusedWith(t, tree.Prepare(ctx, newBranch(Payload{})), participant.ErrReadOnly)
	alone := newBranch(Payload{})
	must(t, tree.CommitOnePhase(ctx, alone))
	if committed, err := tree.Committed(ctx, alone); !committed || err != nil {
		t.Errorf("committed: %t, %v", committed, err)
	}
	nothingStaged(t, dir)
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

// Begin and a payload come together.
func TestBothKindsOfWork(t *testing.T) {
	tree, dir := fresh(t, nil, "old")
	work, b := begun(t, tree)
	again, err := tree.Begin(ctx, b.Transaction)
	if err != nil || again != work {
		t.Errorf("begun again: %p, %v", again, err)
	}
	must(t, work.WriteFile("a", []byte("begun"), 0o644), work.MkdirAll("d", 0o755))
	b.Payload = Payload{
		Expect:  []Expect{{"old", Content([]byte("old"))}, {"d/x", Absent()}},
		Mkdir:   []string{"d/e"},
		Rename:  []Rename{{"old", "d/old"}},
		Write:   []Write{{Path: "d/e/f", Data: []byte("f"), Perm: 0o600}},
		Symlink: []Symlink{{"link", "d/e"}},
		Remove:  []string{"a"},
	}.Encode()
	commit(t, tree, b)
	expectContent(t, dir, map[string]string{"d": "/", "d/e": "/", "d/old": "old", "d/e/f": "f", "link": "-> d/e"})
}

func TestBadPayload(t *testing.T) {
	tree, dir := fresh(t, nil)
	for _, payload := range []string{"{", "[]", `{"write":1}`, `{"writes":[]}`, "{} {}", `"text"`, "\x00", `{"write":[{"path":"a","data":"secret!"}]}`} {
		b := newBranch()
		b.Payload = []byte(payload)
		err := tree.Prepare(ctx, b)
		refusedAs[*PayloadError](t, err)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("content in an error: %v", err)
		}
	}
	for _, p := range []Payload{
		{Write: []Write{{Path: "../x"}}}, {Remove: []string{"/etc/passwd"}}, {Rename: []Rename{{"a", ""}}}, {Mkdir: []string{Dir + "/x"}},
		{Symlink: []Symlink{{"link", "../.."}}}, {Write: []Write{{Path: "a", Perm: fs.ModeSetuid | 0o755}}},
		{Expect: []Expect{{"a", Expectation{SHA256: "abc"}}}},
	} {
		refusedAs[*PathError](t, tree.Prepare(ctx, newBranch(p)))
	}
	nothingStaged(t, dir)
	nothingLocked(t, tree)
}
