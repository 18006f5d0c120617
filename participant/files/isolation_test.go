package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// Who was refused can go on with something else.
func TestConflictIsNoEnd(t *testing.T) {
	tree, dir := fresh(t, nil, "a")
	one, b1 := begun(t, tree)
	two, b2 := begun(t, tree)
	must(t, one.WriteFile("a", []byte("one"), 0o644), two.WriteFile("b", []byte("two"), 0o644))
	refusedAs[*ConflictError](t, two.Remove("a"))
	refusedAs[*ConflictError](t, two.Rename("b", "a"))
	commit(t, tree, b2)
	commit(t, tree, b1)
	expectContent(t, dir, map[string]string{"a": "one", "b": "two"})
	nothingLocked(t, tree)
}

// A refused Prepare lets go of everything at once.
func TestRefusalReleases(t *testing.T) {
	tree, dir := fresh(t, nil, "d/")
	work, b := begun(t, tree)
	must(t, work.WriteFile("a", nil, 0o644), work.Expect(Absent("d")))
	refusedAs[*ChangedError](t, tree.Prepare(ctx, b))
	refusedAs[*NoWorkError](t, tree.Prepare(ctx, b))
	refusedAs[*KindError](t, tree.Prepare(ctx, newBranch(Payload{Write: []Write{{Path: "a"}, {Path: "d"}}})))
	nothingStaged(t, dir)
	nothingLocked(t, tree)
}

// A branch that was refused in one phase stays so, also when nothing is in its way
// any more.
func TestRefusalInOnePhaseIsFinal(t *testing.T) {
	tree, dir := fresh(t, nil)
	work, b := begun(t, tree)
	must(t, work.WriteFile("a", nil, 0o644))
	refused := newBranch(write("a", "refused"))
	for range 2 {
		refusedWith(t, tree.CommitOnePhase(ctx, refused), participant.ErrRolledBack)
		must(t, tree.Rollback(ctx, b))
	}
	if committed, err := tree.Committed(ctx, refused); committed || err != nil {
		t.Errorf("committed: %t, %v", committed, err)
	}
	expectContent(t, dir, map[string]string{})
}

func TestExpect(t *testing.T) {
	tree, dir := fresh(t, nil, "a", "d/")
	must(t, os.Symlink("a", filepath.Join(dir, "link")))
	for i, c := range []struct {
		Expect
		met bool
	}{
		{Content("a", []byte("a")), true}, {Content("a", []byte("b")), false}, {Content("none", nil), false}, {Content("d", nil), false},
		{Content("link", []byte("a")), false}, {Absent("none"), true}, {Absent("a"), false}, {Absent("d"), false}, {Absent("link"), false},
		{Absent("d/none"), true}, {Absent("none/x"), true}, {Expect{Path: "a", SHA256: strings.ToUpper(Content("", []byte("a")).SHA256)}, true},
	} {
		p := write("new", "")
		p.Expect = []Expect{c.Expect}
		b := newBranch(p)
		err := tree.Prepare(ctx, b)
		if c.met != (err == nil) {
			t.Errorf("%d: %v", i, err)
		}
		if !c.met {
			if e := refusedAs[*ChangedError](t, err); e != nil && (e.Path != c.Path || e.Want == e.Found) {
				t.Errorf("%d: %v", i, err)
			}
		}
		must(t, tree.Rollback(ctx, b))
	}
	work, _ := begun(t, tree)
	for _, e := range []Expect{{Path: "a"}, {Path: "a", SHA256: "xyz"}, {Path: "a", SHA256: "abcd"}, {Path: "a", Absent: true, SHA256: Content("a", nil).SHA256}} {
		refusedAs[*PathError](t, work.Expect(e))
	}
}

// Many add one to a number in a file, and none is lost: who read an old number is
// refused.
func TestNoUpdateIsLost(t *testing.T) {
	tree, dir := fresh(t, nil)
	must(t, os.WriteFile(filepath.Join(dir, "n"), []byte("0"), 0o644))
	var done atomic.Int64
	add := func() error {
		work, b := begun(t, tree)
		data, err := work.ReadFile("n")
		if err != nil {
			return err
		}
		var n int
		fmt.Sscan(string(data), &n)
		err = work.Expect(Content("n", data))
		if err == nil {
			err = work.WriteFile("n", fmt.Append(nil, n+1), 0o644)
		}
		if err == nil {
			err = tree.Prepare(ctx, b)
		}
		if err != nil {
			return errors.Join(err, tree.Rollback(ctx, b))
		}
		done.Add(1)
		return tree.Commit(ctx, b)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				err := add()
				var conflict *ConflictError
				var changed *ChangedError
				if err != nil && !errors.As(err, &conflict) && !errors.As(err, &changed) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := content(t, dir)["n"]; got != fmt.Sprint(done.Load()) || got == "0" {
		t.Errorf("%s after %d additions", got, done.Load())
	}
	nothingLocked(t, tree)
}

func TestOneAtATime(t *testing.T) {
	tree, dir := fresh(t, nil)
	refusedWith(t, second(Open("other", dir, nil)), ErrLocked)
	must(t, tree.Close(), tree.Close())
	_, branchErr := tree.Branch("c", uuid.Must(uuid.NewV7()))
	_, doubtErr := tree.InDoubt(ctx, "c")
	_, pendingErr := tree.Pending()
	for i, err := range []error{
		second(tree.Begin(ctx, uuid.Must(uuid.NewV7()))), tree.Prepare(ctx, newBranch(write("a", ""))), tree.Commit(ctx, newBranch()),
		tree.Rollback(ctx, newBranch()), tree.CommitOnePhase(ctx, newBranch()), second(tree.Committed(ctx, newBranch())),
		branchErr, doubtErr, pendingErr,
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	openTree(t, dir, nil)
	refusedWith(t, second(Open("site", filepath.Join(dir, "none"), nil)), fs.ErrNotExist)
	fill(t, dir, "file")
	if _, err := Open("site", filepath.Join(dir, "file"), nil); err == nil {
		t.Error("a file is opened as a directory")
	}
}

func TestHorizon(t *testing.T) {
	dir := t.TempDir()
	o := &Options{Limit: 3}
	tree := openTree(t, dir, o)
	prepared, late, old := newBranch(write("p", "")), newBranch(write("l", "")), newBranch(write("o", ""))
	must(t, tree.Prepare(ctx, prepared), tree.CommitOnePhase(ctx, old))
	for i := range 4 {
		must(t, tree.CommitOnePhase(ctx, newBranch(write(fmt.Sprint(i), ""))))
	}
	for range 3 {
		for _, b := range []participant.Branch{late, old} {
			for i, err := range []error{
				tree.Prepare(ctx, b), tree.CommitOnePhase(ctx, b), second(tree.Committed(ctx, b)), second(tree.Begin(ctx, b.Transaction)),
			} {
				if forgotten := (*participant.ForgottenError)(nil); !errors.As(err, &forgotten) || errors.Is(err, participant.ErrRolledBack) {
					t.Errorf("call %d: %v", i+1, err)
				}
			}
			must(t, tree.Commit(ctx, b), tree.Rollback(ctx, b))
		}
		pending, err := tree.Pending()
		if err != nil || len(pending) != 1 || pending[0].Transaction != prepared.Transaction || pending[0].Paths[0] != "p" || pending[0].Decided {
			t.Errorf("pending: %+v, %v", pending, err)
		}
		must(t, tree.Close())
		tree = openTree(t, dir, o)
	}
	must(t, tree.Commit(ctx, prepared))
	if s, err := tree.Branch("c", prepared.Transaction); s != participant.Committed && s != participant.Forgotten || err != nil {
		t.Errorf("%v, %v", s, err)
	}
	if _, there := content(t, dir)["p"]; !there {
		t.Error("the prepared branch has no effect")
	}
}
