package pebble

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Every change of the file system, from the journal's creation to its third
// opening, is a moment to lose power. (Random moments are in TestPowerLoss.)
func TestCrash_BeforeEveryChange(t *testing.T) {
	for _, percent := range []int{0, 50, 100} {
		for at := rand.IntN(crashStep(t)); ; at += crashStep(t) {
			if !crashAt(t, at, percent) {
				t.Logf("%d%% kept: %d changes", percent, at)
				break
			}
		}
	}
}

// crashAt loses power before change number at; false if there is no such.
func crashAt(t *testing.T, at, percent int) bool {
	t.Helper()
	fs := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(uint64(at), uint64(percent)))
	var left *vfs.MemFS
	acked, least, change := 0, 0, 0
	injected := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			mu.Lock()
			defer mu.Unlock()
			if change++; change > at && left == nil {
				left = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
				least = acked
			}
		}
		return nil
	}))
	const sessions, each = 3, 60
	for s := range sessions {
		j := mustOpen(t, injected)
		for n := s*each + 1; n <= (s+1)*each; n++ {
			if err := j.Append(numbered(n, true)); err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			acked = n
			mu.Unlock()
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if left == nil {
		return false
	}
	if n := readLeft(t, at, left); n < least || n > least+1 {
		t.Fatalf("change %d, %d%% kept: %d batches acknowledged, %d found", at, percent, least, n)
	}
	return true
}

func readLeft(t *testing.T, at int, fs vfs.FS) int {
	t.Helper()
	j := mustOpen(t, fs)
	defer j.Close()
	n, err := readNumbered(j)
	if err != nil {
		t.Fatalf("change %d: %v", at, err)
	}
	return n
}

// The process is killed before every change, and the next one reads what was
// written, forced or not. It may act on what it reads: when power is lost then,
// nothing of that is lost.
func TestCrash_KilledThenPowerLost(t *testing.T) {
	for at := rand.IntN(4); ; at += crashStep(t) / 3 {
		fs := vfs.NewCrashableMem()
		f := &faults{FS: fs, errno: syscall.EIO}
		f.from.Store(int64(at + 1))
		j, err := Open("journal", &Options{FS: f.wrap(), memTable: 64 << 10})
		if err != nil {
			continue // killed before there was anything
		}
		acked, err := 0, error(nil)
		for n := 1; n <= batches && err == nil; n++ {
			if err = j.Append(numbered(n, n%10 == 0)); err == nil && n%10 == 0 {
				acked = n
			}
		}
		_ = j.Close()
		next := mustOpen(t, fs)
		n, e := readNumbered(next)
		if e != nil || n < acked {
			t.Fatalf("change %d: %d batches acknowledged, %d found, %v", at, acked, n, e)
		}
		left := fs.CrashClone(vfs.CrashCloneCfg{})
		if m := readLeft(t, at, left); m != n {
			t.Fatalf("change %d: %d batches were read, %d after power was lost", at, n, m)
		}
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
		if err == nil {
			t.Logf("%d changes", at)
			break
		}
	}
}

// A process is killed when it has written an edit of the manifest, has not
// forced it, and has nothing in the newest log. Whoever opens the journal then
// finds the edit in the cache, and removes the logs that it makes superfluous;
// so it must have forced it.
func TestCrash_ManifestReadFromCache(t *testing.T) {
	fs := vfs.NewCrashableMem()
	var armed, rotated atomic.Bool
	reached := make(chan struct{})
	j := mustOpen(t, errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		isLog := strings.HasSuffix(op.Path, ".log")
		switch {
		case !armed.Load():
		case isLog && op.Kind == errorfs.OpCreate:
			rotated.Store(true)
		case isLog && op.Kind == errorfs.OpFileWrite && rotated.Load():
			<-reached
			return syscall.EIO
		case strings.Contains(op.Path, "MANIFEST") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData):
			close(reached) // and nothing comes after it
			return syscall.EIO
		}
		return nil
	})))
	armed.Store(true)
	acked, err := appendNumbered(j, 1, 1000, true)
	if err == nil {
		t.Fatal("no manifest was forced")
	}
	_ = j.Close()
	for range 2 {
		if err := mustOpen(t, fs).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := readLeft(t, 0, fs.CrashClone(vfs.CrashCloneCfg{})); n < acked {
		t.Errorf("%d of %d batches found", n, acked)
	}
}

// crashStep is how many changes lie between two that are tried. Where they
// begin is random, so that in time all are.
func crashStep(t *testing.T) int {
	if testing.Short() {
		return 60
	}
	return 12
}
