package pebble

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-d36415c0/dtc/journal"
)

// files is a directory as a value.
type files map[string][]byte

func filesOf(t *testing.T, fs vfs.FS) files {
	t.Helper()
	names, err := fs.List("journal")
	if err != nil {
		t.Fatal(err)
	}
	all := files{}
	for _, name := range names {
		f, err := fs.Open("journal/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return all
}

func (all files) write(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("journal", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range all {
		f, err := fs.Create("journal/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(slices.Clone(content)); err != nil && len(content) > 0 {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return fs
}

// with is the directory with another content of one file; nil removes it.
func (all files) with(name string, content []byte) files {
	changed := maps.Clone(all)
	if changed[name] = content; content == nil {
		delete(changed, name)
	}
	return changed
}

// readDamaged reads the whole journal; the error of the first thing that
// cannot be read, opening included, is a typed one.
func readDamaged(t *testing.T, what string, all files) (int, error) {
	t.Helper()
	j, err := Open("journal", &Options{FS: all.write(t)})
	if err == nil {
		defer j.Close()
		var n int
		if n, err = readNumbered(j); err == nil {
			return n, nil
		}
	}
	if !errors.Is(err, journal.ErrCorrupt) && !errors.Is(err, journal.ErrFormat) {
		t.Errorf("%s: an error of no type: %v", what, err)
	}
	return 0, err
}

const total = 400

// ended is the directory of a journal with tables, a manifest of several
// edits, and a log; closed, or as a crash of the process leaves it.
func ended(t *testing.T, closed bool) files {
	fs := vfs.NewCrashableMem()
	j := mustOpen(t, fs)
	if _, err := appendNumbered(j, 1, total, true); err != nil {
		t.Fatal(err)
	}
	left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if closed {
		return filesOf(t, fs)
	}
	return filesOf(t, left)
}

// A damaged file is reported, or makes no difference; a torn end of the newest
// log loses what it held and nothing else. Nothing is ever read changed, and
// nothing panics.
func TestDamage_FlippedAndCut(t *testing.T) {
	samples := 12
	if testing.Short() {
		samples = 8
	}
	for _, closed := range []bool{true, false} {
		all := ended(t, closed)
		log := newest(all, ".log")
		found := map[string]int{}
		for name, content := range all {
			check := func(what string, changed []byte) {
				n, err := readDamaged(t, what, all.with(name, changed))
				switch {
				case err != nil:
					found[kindOf(name)+" refused"]++
				case n == total:
					found[kindOf(name)+" harmless"]++
				case name == log:
					found[kindOf(name)+" torn"]++
				default:
					t.Errorf("%s: %d of %d batches are lost without an error", what, total-n, total)
				}
			}
			if len(content) == 0 {
				continue
			}
			for i := range samples {
				at := i * len(content) / samples
				flipped := slices.Clone(content)
				flipped[at] ^= 1 << (i % 8)
				check(fmt.Sprintf("%s flipped at %d of %d", name, at, len(content)), flipped)
				check(fmt.Sprintf("%s cut at %d of %d", name, at, len(content)), content[:at])
			}
			check(fmt.Sprintf("%s cut by one byte", name), content[:len(content)-1])
		}
		for _, kind := range slices.Sorted(maps.Keys(found)) {
			t.Logf("closed %t: %s: %d", closed, kind, found[kind])
		}
		for _, want := range []string{"sst refused", "MANIFEST refused", "log torn"} {
			if found[want] == 0 {
				t.Errorf("closed %t: the test never saw %s", closed, want)
			}
		}
	}
}

// A file that is gone is noticed, where its content is needed; but for logs,
// whose names follow no order that would tell.
func TestDamage_Removed(t *testing.T) {
	all := ended(t, true)
	for name := range all {
		if strings.HasSuffix(name, ".log") {
			continue
		}
		n, err := readDamaged(t, name, all.with(name, nil))
		needed := strings.HasSuffix(name, ".sst") || strings.HasPrefix(name, "marker.") || name == newest(all, "MANIFEST-")
		if needed && err == nil {
			t.Errorf("%s removed: %d batches found, no error", name, n)
		}
	}
}

func newest(all files, part string) string {
	names := slices.Sorted(maps.Keys(all))
	names = slices.DeleteFunc(names, func(n string) bool {
		return !strings.HasSuffix(n, part) && !strings.HasPrefix(n, part)
	})
	return names[len(names)-1]
}

func kindOf(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[i+1:]
	}
	return strings.Split(name, "-")[0]
}
