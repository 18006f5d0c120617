package pebble

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/seed-d36415c0/dtc/journal"
)

func TestOpen_LockedInThisProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "journal")
	j, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{dir, filepath.Join(dir, "..", "journal") + "/", link} {
		if _, err := Open(name, nil); !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), dir) {
			t.Errorf("Open(%s): %v, want journal.ErrLocked and the directory's name", name, err)
		}
	}
	if err := j.Append(numbered(1, true)); err != nil { // and it is none the worse for it
		t.Error(err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	j, err = Open(link, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if n, err := readNumbered(j); n != 1 || err != nil {
		t.Errorf("%d batches, %v", n, err)
	}
}

func TestOpen_LockedInAnotherProcess(t *testing.T) {
	const variable = "DTC_TEST_JOURNAL"
	if dir := os.Getenv(variable); dir != "" {
		_, err := Open(dir, nil)
		if !errors.Is(err, journal.ErrLocked) {
			t.Errorf("Open: %v, want journal.ErrLocked", err)
		}
		return
	}
	dir := t.TempDir()
	j, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	child := exec.Command(os.Args[0], "-test.run=^TestOpen_LockedInAnotherProcess$", "-test.count=1")
	child.Env = append(os.Environ(), variable+"="+dir)
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestOpen_NoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(file, nil)
	if err == nil || errors.Is(err, journal.ErrLocked) || errors.Is(err, journal.ErrCorrupt) || !strings.Contains(err.Error(), file) {
		t.Errorf("Open of a file: %v", err)
	}
}

// A journal that is closed leaves no goroutine behind, nor does one that
// could not be opened.
func TestClose_LeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	for session := range 3 {
		j, err := Open(dir, &Options{memTable: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, nil); !errors.Is(err, journal.ErrLocked) {
			t.Errorf("a second Open: %v", err)
		}
		if _, err := appendNumbered(j, session*200+1, session*200+200, false); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	fs := vfs.NewMem()
	if err := mustOpen(t, fs).Close(); err != nil {
		t.Fatal(err)
	}
	damaged := filesOf(t, fs)
	name := newest(damaged, "MANIFEST-")
	if _, err := Open("journal", &Options{FS: damaged.with(name, damaged[name][:1]).write(t)}); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("Open: %v", err)
	}
}

// With virtual time, on a file system in memory and on the real one.
func TestSynctest(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": nil} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "journal")
			synctest.Test(t, func(t *testing.T) {
				j, err := Open(dir, &Options{FS: fs, memTable: 64 << 10})
				if err != nil {
					t.Fatal(err)
				}
				for n := 1; n <= 300; n++ {
					if err := j.Append(numbered(n, n%3 == 0)); err != nil {
						t.Fatal(err)
					}
					<-time.After(time.Second)
				}
				if n, err := readNumbered(j); n != 300 || err != nil {
					t.Errorf("%d batches, %v", n, err)
				}
				if err := j.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
