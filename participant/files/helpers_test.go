package files

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/participant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func openTree(t *testing.T, dir string, o *Options) *Tree {
	t.Helper()
	tree, err := Open("site", dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

// fresh opens a tree of a new directory with these files; a name that ends in a
// slash is a directory.
func fresh(t *testing.T, o *Options, names ...string) (*Tree, string) {
	t.Helper()
	dir := quick(t)
	fill(t, dir, names...)
	return openTree(t, dir, o), dir
}

const memory = "/dev/shm"

// quick is an empty directory, in memory where the system has such: tests make
// many thousands of files.
func quick(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(memory, "files")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// inMemory has the test's own directory there too: what is killed leaves the same
// there as on a disk. When figures are gathered it is a disk's.
func inMemory(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(memory); err == nil && !proof.Wanted() {
		t.Setenv("TMPDIR", memory)
	}
}

// fill makes files whose content is their name.
func fill(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(path, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o644))
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("call %d: %v", i+1, err)
		}
	}
}

// newBranch is a branch as its coordinator names it.
func newBranch(payload ...Payload) participant.Branch {
	b := participant.Branch{Coordinator: "c", Transaction: uuid.Must(uuid.NewV7()), Participant: "site"}
	for _, p := range payload {
		b.Payload = p.Encode()
	}
	return b
}

// begun begins a branch.
func begun(t *testing.T, tree *Tree) (*Branch, participant.Branch) {
	t.Helper()
	b := newBranch()
	work, err := tree.Begin(ctx, b.Transaction)
	must(t, err)
	return work, b
}

func write(name, data string) Payload {
	return Payload{Write: []Write{{Path: name, Data: []byte(data)}}}
}

// content is what is under a directory, without the tree's own: files with their
// content, links with "-> " and where they lead, directories with "/".
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case name == Dir:
			return fs.SkipDir
		case name == ".":
			return nil
		case d.IsDir():
			all[name] = "/"
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			all[name] = "-> " + target
			return err
		default:
			data, err := os.ReadFile(path)
			all[name] = string(data)
			return err
		}
		return nil
	}))
	return all
}

func expectContent(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if got := content(t, dir); !maps.Equal(got, want) {
		t.Errorf("there is\n%q, want\n%q", got, want)
	}
}

// nothingStaged checks that no branch has left anything.
func nothingStaged(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, staging))
	must(t, err)
	for _, e := range entries {
		t.Errorf("left in staging: %s", e.Name())
	}
}

func nothingLocked(t *testing.T, tree *Tree) {
	t.Helper()
	tree.locks.mu.Lock()
	defer tree.locks.mu.Unlock()
	for name := range tree.locks.paths {
		t.Errorf("left locked: %s", name)
	}
}

// refusedAs checks the type of an error.
func refusedAs[E error](t *testing.T, err error) (as E) {
	t.Helper()
	if !errors.As(err, &as) {
		t.Errorf("got %v, want a %T", err, as)
	}
	return as
}

func refusedWith(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}
