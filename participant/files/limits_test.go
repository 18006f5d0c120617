package files

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
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
	limit(work.Rename("y", "z"), "MaxFiles", 3, 5)
	limit(work.MkdirAll("p/q/r", 0o755), "MaxFiles", 3, 7)
	limit(second(work.Create("c", 0o644)), "MaxFiles", 3, 4)
	limit(work.Expect("c", Absent()), "MaxFiles", 3, 4)
	other, _ := begun(t, tree)
	limit(second(tree.Begin(ctx, uuid.Must(uuid.NewV7()))), "MaxOpen", 2, 3)
	commit(t, tree, b)
	expectContent(t, dir, map[string]string{"a": "", "b": "0123456789", "y": "y"})

	// In a stream the limit comes too late to go on.
	w, err := other.Create("c", 0o644)
	must(t, err, second(w.Write(make([]byte, 6))))
	limit(second(w.Write(make([]byte, 5))), "MaxBytes", 10, 11)
	limit(w.Close(), "MaxBytes", 10, 11)
	limit(tree.Prepare(ctx, participant.Branch{Coordinator: "c", Transaction: other.id}), "MaxBytes", 10, 11)
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

	// In a stream it has the branch refused, whoever looks at the answers.
	fails = 1
	work, b = begun(t, tree)
	w, err := work.Create("c", 0o644)
	must(t, err)
	_, _ = w.Write([]byte("lost"))
	_, _ = w.Write([]byte("more"))
	_ = w.Close()
	refusedWith(t, tree.Prepare(ctx, b), disk)
	nothingStaged(t, dir)
	nothingLocked(t, tree)
}

// A branch that nobody prepares does not keep others out for ever.
func TestLifetime(t *testing.T) {
	tree, dir := fresh(t, &Options{Lifetime: 1, MaxOpen: 2}, "a")
	old, b := begun(t, tree)
	w, err := old.Create("a", 0o644)
	must(t, err)
	young, b2 := begun(t, tree) // gives the old one up
	must(t, young.WriteFile("a", []byte("young"), 0o644))
	for _, err := range []error{second(w.Write([]byte("x"))), w.Close(), old.Remove("a"), tree.Prepare(ctx, b)} {
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
