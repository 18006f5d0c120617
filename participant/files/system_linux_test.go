package files

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
)

// childVariable tells a child process where to work.
const childVariable = "DTC_FILES_CHILD"

// inChild runs the test again in a process with these attributes, and returns the
// directory to work in there; empty in the parent, where prepare has filled it.
func inChild(t *testing.T, as *syscall.SysProcAttr, prepare func(dir string)) string {
	t.Helper()
	if dir := os.Getenv(childVariable); dir != "" {
		return dir
	}
	if os.Geteuid() != 0 {
		t.Skip("needs to be root, to have the test in a process that is not")
	}
	top, err := os.MkdirTemp("", "files") // t.TempDir is not open to other users
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(top) })
	dir := filepath.Join(top, "tree")
	must(t, os.Chmod(top, 0o755), os.Mkdir(dir, 0o755))
	prepare(dir)
	program := filepath.Join(top, "test")
	self, err := os.Executable()
	must(t, err)
	data, err := os.ReadFile(self)
	must(t, err, os.WriteFile(program, data, 0o755))
	cmd := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env, cmd.Dir, cmd.SysProcAttr = append(os.Environ(), childVariable+"="+dir, "GORACE=atexit_sleep_ms=0"), top, as
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return ""
}

// A user without permissions is refused when the branch is prepared.
func TestPermissions(t *testing.T) {
	const nobody = 65534
	dir := inChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}, func(dir string) {
		fill(t, dir, "mine/x", "readonly/x", "readonly/mine/x", "sticky/theirs", "closed/x")
		must(t, os.Chown(dir, nobody, nobody), os.Chown(filepath.Join(dir, "mine"), nobody, nobody), os.Chown(filepath.Join(dir, "readonly/mine"), nobody, nobody),
			os.Chmod(filepath.Join(dir, "sticky"), 0o777|fs.ModeSticky), os.Chmod(filepath.Join(dir, "closed"), 0o700))
	})
	if dir == "" {
		return
	}
	tree := openTree(t, dir, nil)
	for _, p := range []Payload{
		write("readonly/new", ""), write("readonly/x", ""), {Remove: []string{"readonly/x"}}, {Mkdir: []string{"readonly/d"}},
		write("closed/x", ""), write("sticky/theirs", ""), {Remove: []string{"sticky/theirs"}},
	} {
		refusedWith(t, tree.Prepare(ctx, newBranch(p)), fs.ErrPermission)
	}
	nothingStaged(t, dir)
	nothingLocked(t, tree)
	commit(t, tree, newBranch(write("sticky/mine", "")))
	commit(t, tree, newBranch(write("sticky/mine", "")))
	commit(t, tree, newBranch(Payload{Mkdir: []string{"readonly/mine"}, Write: []Write{{Path: "readonly/mine/new"}}})) // it is there

	// What is taken away after Prepare holds Commit up.
	work, b := begun(t, tree)
	must(t, work.WriteFile("mine/new", []byte("new"), 0), work.Rename("mine/new", "mine/newer"))
	must(t, tree.Prepare(ctx, b), os.Chmod(filepath.Join(dir, "mine"), 0o555))
	for range 2 {
		refusedWith(t, tree.Commit(ctx, b), fs.ErrPermission)
	}
	refusedWith(t, tree.Rollback(ctx, b), participant.ErrCommitted)
	must(t, os.Chmod(filepath.Join(dir, "mine"), 0o755), tree.Commit(ctx, b))
	must(t, tree.Close())

	must(t, os.RemoveAll(filepath.Join(dir, Dir)), os.Chmod(dir, 0o555))
	refusedWith(t, second(Open("site", dir, nil)), fs.ErrPermission)
}

// mounted runs the test in a process with mounts of its own.
func mounted(t *testing.T, names ...string) (dir string, mount func(fs, source, at, options string, flags uintptr)) {
	t.Helper()
	dir = inChild(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}, func(dir string) { fill(t, dir, names...) })
	if dir == "" {
		return "", nil
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skip("no mounts: ", err)
	}
	return dir, func(fs, source, at, options string, flags uintptr) {
		if err := syscall.Mount(source, filepath.Join(dir, at), fs, flags, options); err != nil {
			t.Skip("no mounts: ", err)
		}
	}
}

// Another mount is refused before anything is renamed, also one of the same file
// system.
func TestMounts(t *testing.T) {
	dir, mount := mounted(t, "other/", "same/", "source/x")
	if dir == "" {
		return
	}
	mount("tmpfs", "tmpfs", "other", "", 0)
	mount("", filepath.Join(dir, "source"), "same", "", syscall.MS_BIND)
	tree := openTree(t, dir, nil)
	for _, p := range []Payload{write("other/x", ""), write("same/x", ""), {Remove: []string{"same/x"}}, {Mkdir: []string{"other/d/e"}}} {
		if e := refusedAs[*MountError](t, tree.Prepare(ctx, newBranch(p))); e != nil && e.Path != "other" && e.Path != "same" {
			t.Errorf("the path is %q", e.Path)
		}
	}
	commit(t, tree, newBranch(write("source/x", "")))
	must(t, tree.Close())
	openTree(t, filepath.Join(dir, "other"), nil)
	mount("tmpfs", "tmpfs", Dir, "", 0)
	refusedAs[*MountError](t, second(Open("site", dir, nil)))
}

// A file system that is read-only refuses when the tree is opened.
func TestReadOnlyMount(t *testing.T) {
	dir, mount := mounted(t)
	if dir == "" {
		return
	}
	mount("tmpfs", "tmpfs", "", "", 0)
	tree := openTree(t, dir, nil)
	commit(t, tree, newBranch(write("x", "")))
	must(t, tree.Close())
	mount("tmpfs", "tmpfs", "", "", syscall.MS_REMOUNT|syscall.MS_RDONLY)
	refusedWith(t, second(Open("site", dir, nil)), syscall.EROFS)
}

// A file system that is really full.
func TestFullDisk(t *testing.T) {
	dir, mount := mounted(t)
	if dir == "" {
		return
	}
	mount("tmpfs", "tmpfs", "", "size=1m", 0)
	tree := openTree(t, dir, nil)
	work, b := begun(t, tree)
	must(t, work.WriteFile("small", []byte("small"), 0o644))
	refusedWith(t, work.WriteFile("large", make([]byte, 2<<20), 0o644), syscall.ENOSPC)
	must(t, work.WriteFile("also small", nil, 0o644)) // what did not fit is gone
	commit(t, tree, b)
	expectContent(t, dir, map[string]string{"small": "small", "also small": ""})

	// No room for the log, with the branch staged.
	work, b = begun(t, tree)
	must(t, work.WriteFile("staged", []byte("staged"), 0o644))
	w, err := os.Create(filepath.Join(dir, "filler"))
	must(t, err)
	for err == nil {
		_, err = w.Write(make([]byte, 1000))
	}
	must(t, w.Close())
	for i := 0; err == nil || i == 0; i++ {
		err = tree.Rollback(ctx, newBranch())
	}
	refusedWith(t, err, ErrFailed)
	refusedWith(t, err, syscall.ENOSPC)
	refusedWith(t, tree.Prepare(ctx, b), ErrFailed)
	must(t, os.Remove(filepath.Join(dir, "filler")))
	_ = tree.Close()
	tree = openTree(t, dir, nil)
	must(t, tree.Rollback(ctx, b))
	nothingStaged(t, dir)
	commit(t, tree, newBranch(write("again", "there is room")))
}
