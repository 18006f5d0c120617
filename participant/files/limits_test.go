package files

import (
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/google/uuid"
)

func TestLimits(t *testing.T) {
	tree, dir := fresh(t, &Options{MaxFiles: 3, MaxBytes: 10, MaxOpen: 2}, "x", "y")
	work, b := begun(t, tree)
	must(t, work.WriteFile("a", []byte("0123456789"), 0o644))
	limit := func(err error, option string, limit, value int64) {
		t.Helper()
		if e := refusedAs[*LimitError](t, err); e == nil || *e != (LimitError{option, limit, value}) {
			t.Errorf("got %v", err)
		}
	}
	limit(work.WriteFile("b", []byte("x"), 0o644), "MaxBytes", 10, 11)
	must(t, work.WriteFile("a", nil, 0o644), work.WriteFile("b", []byte("0123456789"), 0o644), work.Remove("x"))
	must(t, work.WriteFile("b", nil, 0o644), work.WriteFile("b", []byte("0123456789"), 0o644)) // no more paths than before
	limit(work.Rename("y", "z"), "MaxFiles", 3, 5)
	limit(work.MkdirAll("p/q/r", 0o755), "MaxFiles", 3, 6)
	limit(work.WriteFile("c", nil, 0o644), "MaxFiles", 3, 4)
	limit(work.Expect(Absent("c")), "MaxFiles", 3, 4)
	begun(t, tree)
	limit(second(tree.Begin(ctx, uuid.Must(uuid.NewV7()))), "MaxOpen", 2, 3)
	commit(t, tree, b)
	expectContent(t, dir, map[string]string{"a": "", "b": "0123456789", "y": "y"})

	// A path that comes meanwhile counts first.
	work, b = begun(t, tree)
	must(t, work.Remove("a"), work.Remove("b"))
	meanwhile := sync.OnceFunc(func() { must(t, work.WriteFile("n", nil, 0o644)) })
	limit(work.WriteFrom("m", io.LimitReader(endsWithin(meanwhile), 4), 0o644), "MaxFiles", 3, 4)
	must(t, tree.Rollback(ctx, b))

	limit(tree.Prepare(ctx, newBranch(Payload{Remove: []string{"1", "2", "3", "4"}})), "MaxFiles", 3, 4)
	nothingStaged(t, dir)
	nothingLocked(t, tree)
}

// What could not be written does not count.
func TestFailedWriteDoesNotCount(t *testing.T) {
	dir := t.TempDir()
	disk, fails := errors.New("input/output error"), 1
	o := &Options{MaxBytes: 10, MaxFiles: 1, around: func(call, name string, do func() error) error {
		if call == "write" && fails > 0 {
			fails--
			return disk
		}
		return do()
	}}
	tree := openTree(t, dir, o)
	work, b := begun(t, tree)
	refusedWith(t, work.WriteFile("a", make([]byte, 10), 0o644), disk)
	must(t, work.WriteFile("b", []byte("0123456789"), 0o644))
	commit(t, tree, b)
	expectContent(t, dir, map[string]string{"b": "0123456789"})
}

// A branch that nobody prepares does not keep others out for ever.
func TestLifetime(t *testing.T) {
	tree, dir := fresh(t, &Options{Lifetime: 1, MaxOpen: 2}, "a")
	old, b := begun(t, tree)
	must(t, old.WriteFile("a", nil, 0o644))
	young, b2 := begun(t, tree) // gives the old one up
	must(t, young.WriteFile("a", []byte("young"), 0o644))
	for _, err := range []error{old.Remove("a"), tree.Prepare(ctx, b)} {
		refusedAs[*NoWorkError](t, err)
	}
	commit(t, tree, b2)
	expectContent(t, dir, map[string]string{"a": "young"})
	// In a conflict too; and what is prepared stays.
	old, b = begun(t, tree)
	must(t, old.WriteFile("a", nil, 0o644))
	two := newBranch(write("a", "two"))
	must(t, tree.Prepare(ctx, two))
	refusedAs[*NoWorkError](t, old.Remove("a"))
	refusedAs[*ConflictError](t, tree.Prepare(ctx, newBranch(write("a", "three"))))
	must(t, tree.Rollback(ctx, b), tree.Commit(ctx, two))
	nothingStaged(t, dir)
	nothingLocked(t, tree)
}
