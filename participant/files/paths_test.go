package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A path that is none is refused everywhere, and nothing is touched.
func TestHostilePaths(t *testing.T) {
	tree, dir := fresh(t, nil, "a", "d/x")
	work, b := begun(t, tree)
	for _, name := range []string{
		"", ".", "..", "/", "/a", "a/", "a//b", "./a", "../a", "a/../b", "d/..", "d/./x", "a\x00b", "\xff", Dir, Dir + "/log", ".DTC/log", "d/" + Dir + "/log",
		strings.Repeat("x", maxName+1), "d/" + strings.Repeat("é", maxName/2+1), strings.Repeat("d/", maxPath/2) + "x",
	} {
		for i, err := range []error{
			work.WriteFile(name, nil, 0o644), work.Remove(name), work.Rename(name, "b"),
			work.Rename("a", name), work.Symlink("a", name), work.MkdirAll(name, 0o755), work.Expect(Absent(name)),
			second(work.Open(name)), second(work.ReadFile(name)),
		} {
			var bad *PathError
			if !errors.As(err, &bad) || bad.Path != name || len(err.Error()) > 1500 {
				t.Errorf("%.50q: call %d: %v", name, i+1, err)
			}
		}
	}
	for _, target := range []string{"", "/", "/etc", "..", "../..", "d/../..", "../" + filepath.Base(dir) + "x", Dir, Dir + "/log", `..\x`} {
		refusedAs[*PathError](t, work.Symlink(target, "link"))
	}
	for _, perm := range []fs.FileMode{fs.ModeDir | 0o755, fs.ModeSetuid, fs.ModeSymlink, fs.ModeSticky} {
		refusedAs[*PathError](t, work.WriteFile("b", nil, perm))
		refusedAs[*PathError](t, work.MkdirAll("b", perm))
	}
	refusedAs[*PathError](t, work.MkdirAll("b", 0o555))
	if err := tree.Prepare(ctx, b); err == nil || len(work.steps) > 0 {
		t.Errorf("prepared: %v", err)
	}
	expectContent(t, dir, map[string]string{"a": "a", "d": "/", "d/x": "d/x"})
}

// Names that look strange and are none of anybody's business.
func TestStrangeNames(t *testing.T) {
	tree, dir := fresh(t, nil)
	want := map[string]string{}
	p := Payload{}
	for _, name := range []string{
		"...", "..a", "a..", " ", "new\nline", "*", "~", "-rf", `back\slash`, "a:b", "日本", ".hidden", ".dtc2", "CON",
		strings.Repeat("n", maxName), strings.Repeat("é", maxName/2),
	} {
		p.Write = append(p.Write, Write{Path: name, Data: []byte(name)})
		want[name] = name
	}
	commit(t, tree, newBranch(p))
	expectContent(t, dir, want)
}

func TestLongPath(t *testing.T) {
	tree, dir := fresh(t, nil)
	long := strings.TrimSuffix(strings.Repeat(strings.Repeat("d", 99)+"/", 30), "/")
	work, b := begun(t, tree)
	must(t, work.MkdirAll(long, 0o755), work.WriteFile(long+"/f", []byte("deep"), 0o644))
	if err := tree.Prepare(ctx, b); err != nil {
		t.Fatal(err)
	}
	must(t, tree.Close())
	tree = openTree(t, dir, nil)
	must(t, tree.Commit(ctx, b))
	work, _ = begun(t, tree)
	if data, err := work.ReadFile(long + "/f"); err != nil || string(data) != "deep" {
		t.Errorf("%q, %v", data, err)
	}
}

// What is at a path must fit what the branch wants there.
func TestKinds(t *testing.T) {
	tree, dir := fresh(t, nil, "file", "dir/x", "empty/")
	outside := t.TempDir()
	fill(t, outside, "secret")
	must(t, os.Symlink("dir", filepath.Join(dir, "link")), os.Symlink(outside, filepath.Join(dir, "out")),
		os.Symlink("loop", filepath.Join(dir, "loop")), os.Symlink("../"+filepath.Base(outside), filepath.Join(dir, "up")),
		os.Symlink(Dir, filepath.Join(dir, "own")))
	work, b := begun(t, tree)
	kinds := []error{
		work.WriteFile("dir", nil, 0o644), work.WriteFile("file/x", nil, 0o644), work.WriteFile("link/x", nil, 0o644),
		work.WriteFile("out/secret", nil, 0o644), work.WriteFile("own/log", nil, 0o644), work.Remove("dir"), work.Remove("link/x"),
		work.Rename("dir", "dir2"), work.Rename("file", "dir"), work.Rename("file", "link/x"), work.Symlink("file", "dir"),
		work.MkdirAll("file", 0o755), work.MkdirAll("file/x", 0o755), work.MkdirAll("link", 0o755), work.MkdirAll("link/y", 0o755),
		second(work.ReadFile("file/x")), tree.Prepare(ctx, newBranch(Payload{Expect: []Expect{Absent("link/x")}})),
	}
	for i, err := range kinds {
		if kind := (*KindError)(nil); !errors.As(err, &kind) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	for i, err := range []error{
		work.WriteFile("none/x", nil, 0o644), work.Remove("none"), work.Remove("none/x"), work.Rename("none", "a"),
		work.Rename("file", "none/x"), work.Symlink("file", "none/x"), second(work.ReadFile("none")),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	for _, name := range []string{"out/secret", "up/secret", "loop", "own/log", "link/x"} {
		refusedAs[*KindError](t, second(work.ReadFile(name)))
	}
	// A link is a file of its own.
	must(t, work.WriteFile("link", []byte("no link"), 0o644), work.Rename("out", "out2"), work.Remove("up"), work.Remove("empty"))
	commit(t, tree, b)
	expectContent(t, dir, map[string]string{"file": "file", "dir": "/", "dir/x": "dir/x", "link": "no link", "out2": "-> " + outside,
		"loop": "-> loop", "own": "-> " + Dir})
	expectContent(t, outside, map[string]string{"secret": "secret"})
}

// A file does not become a directory in one branch, nor the other way round.
func TestKindsWithinABranch(t *testing.T) {
	tree, _ := fresh(t, nil, "file", "empty/")
	work, _ := begun(t, tree)
	must(t, work.Remove("file"), work.Remove("empty"), work.WriteFile("new", nil, 0o644), work.MkdirAll("made", 0o755))
	for i, err := range []error{
		work.MkdirAll("file", 0o755), work.WriteFile("empty", nil, 0o644), work.MkdirAll("new", 0o755), work.WriteFile("made", nil, 0o644),
	} {
		if kind := (*KindError)(nil); !errors.As(err, &kind) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	refusedWith(t, work.WriteFile("empty/x", nil, 0o644), fs.ErrNotExist)
	must(t, work.MkdirAll("empty", 0o755), work.WriteFile("empty/x", nil, 0o644))
	refusedAs[*KindError](t, work.Remove("empty"))
}
