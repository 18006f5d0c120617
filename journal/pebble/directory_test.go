package pebble

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-d36415c0/dtc/journal"
)

// A directory that cannot be made is no damage: there is nothing to restore.
func TestOpen_CannotBeMade(t *testing.T) {
	dir := "/proc/nope" // where the kernel says that there is no such file
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip(err)
	}
	_, err := Open(dir, nil)
	if !errors.Is(err, os.ErrNotExist) || errors.Is(err, journal.ErrCorrupt) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open: %v", err)
	}
}

// An empty name is a setting that was forgotten, not the current directory.
func TestOpen_NoName(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, o := range []*Options{nil, {FS: vfs.NewMem()}} {
		if j, err := Open("", o); !errors.Is(err, ErrNoDirectory) {
			t.Errorf("Open: %v, %v", j, err)
		}
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("in the current directory: %v, %v", left, err)
	}
}
