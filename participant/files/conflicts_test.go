package files

import (
	"errors"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
)

type work func(*Branch) error

func writes(name string) work { return func(b *Branch) error { return b.WriteFile(name, nil, 0o644) } }
func mkdirs(name string) work { return func(b *Branch) error { return b.MkdirAll(name, 0o755) } }
func absent(name string) work { return func(b *Branch) error { return b.Expect(Absent(name)) } }
func has(name string) work {
	return func(b *Branch) error { return b.Expect(Content(name, []byte(name))) }
}
func renames(from, to string) work { return func(b *Branch) error { return b.Rename(from, to) } }
func removes(names ...string) work {
	return func(b *Branch) (err error) {
		for _, name := range names {
			err = errors.Join(err, b.Remove(name))
		}
		return err
	}
}
func both(one, two work) work {
	return func(b *Branch) error { return errors.Join(one(b), two(b)) }
}

var conflicts = []struct {
	first, second work
	at            string // where they conflict; empty where they do not
	late          bool   // they do when the first is prepared
}{
	{writes("a"), writes("a"), "a", false},
	{writes("a"), writes("b"), "", false},
	{writes("a"), removes("a"), "a", false},
	{removes("a"), writes("a"), "a", false},
	{renames("a", "new"), writes("a"), "a", false},
	{renames("a", "new"), writes("new"), "new", false},
	{renames("a", "new"), renames("b", "a"), "a", false},
	{renames("a", "new"), renames("b", "new2"), "", false},
	{writes("d/x"), writes("d/y"), "", false},
	{writes("d/z"), removes("d/x", "d/y"), "", false},
	{writes("d/new"), removes("e"), "", false},
	{writes("e/new"), removes("e"), "e", false},
	{writes("e/new"), mkdirs("e"), "", false},
	{removes("e"), writes("e/new"), "e", false},
	{removes("e"), mkdirs("e/f"), "e", false},
	{removes("e"), absent("e/f"), "e", false},
	{removes("a"), has("a"), "a", false},
	{mkdirs("n/m"), mkdirs("n/m"), "", false},
	{both(mkdirs("n"), writes("n/x")), both(mkdirs("n"), writes("n/y")), "", false},
	{mkdirs("n"), writes("n"), "n", false},
	{writes("n"), mkdirs("n"), "n", false},
	{mkdirs("e"), removes("e"), "e", false},
	{has("a"), has("a"), "", false},
	{has("a"), writes("a"), "a", true},
	{has("d/x"), writes("d/new"), "", false},
	{writes("a"), has("a"), "a", false},
	{absent("n"), writes("n"), "n", true},
	{absent("n"), absent("n"), "", false},
	{absent("n"), mkdirs("n"), "n", true},
	{absent("n"), mkdirs("n/m"), "n", true},
	{absent("n/m"), mkdirs("n"), "", false},
	{absent("n/m"), mkdirs("n/m"), "n/m", true},
	{mkdirs("n"), absent("n"), "n", false},
	{mkdirs("n/m"), absent("n"), "n", false},
	{mkdirs("n"), absent("n/m"), "", false},
	{both(writes("d/x"), writes("d/y")), both(mkdirs("d/z"), writes("d/x")), "d/x", false},
}

// What one branch has changed keeps others out until it is decided, also after a
// restart; what does not touch it does not.
func TestConflicts(t *testing.T) {
	for i, c := range conflicts {
		for _, far := range []string{"begun", "prepared", "restarted"} {
			if far == "begun" && c.late {
				continue
			}
			tree, dir := fresh(t, nil, "a", "b", "d/x", "d/y", "e/")
			one, b := begun(t, tree)
			must(t, c.first(one), one.WriteFile("other", nil, 0o644)) // so that it is not read-only
			if far != "begun" {
				must(t, tree.Prepare(ctx, b))
			}
			if far == "restarted" {
				must(t, tree.Close())
				tree = openTree(t, dir, nil)
			}
			two, b2 := begun(t, tree)
			err := c.second(two)
			if err == nil {
				err = tree.Prepare(ctx, b2)
			}
			var conflict *ConflictError
			switch {
			case c.at == "" && err != nil && !errors.Is(err, participant.ErrReadOnly):
				t.Errorf("%d, %s: %v", i, far, err)
			case c.at != "" && (!errors.As(err, &conflict) || conflict.Path != c.at || conflict.Transaction != b.Transaction):
				t.Errorf("%d, %s: %v", i, far, err)
			}
			must(t, tree.Rollback(ctx, b), tree.Rollback(ctx, b2))
			three, b3 := begun(t, tree)
			must(t, c.second(three), three.WriteFile("other", nil, 0o644), tree.Prepare(ctx, b3))
		}
	}
}
