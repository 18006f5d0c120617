package pebble

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/journal"
)

// faults makes the file system's changes fail.
type faults struct {
	vfs.FS
	changes atomic.Int64 // changes that were tried
	from    atomic.Int64 // the first that fails; 0: none
	once    bool         // only that one
	errno   syscall.Errno
	only    string // fail only files whose name ends so
	reads   bool   // fail reads, not changes
	figures *failures
}

func (f *faults) wrap() vfs.FS {
	return errorfs.Wrap(f.FS, errorfs.InjectorFunc(func(op errorfs.Op) error {
		isRead := op.Kind.ReadOrWrite() == errorfs.OpIsRead
		if isRead != f.reads || op.Kind == errorfs.OpLock || !strings.HasSuffix(op.Path, f.only) {
			return nil
		}
		n, from := f.changes.Add(1), f.from.Load()
		if from == 0 || n < from || f.once && n > from {
			return nil
		}
		if n == from {
			f.figures.failed(op.Kind)
		}
		return fmt.Errorf("change %d of %s: %w", n, op.Path, f.errno)
	}))
}

const batches = 250 // some tables' worth

// Whatever change fails, the first or the thousandth, for good or once: what
// was acknowledged is kept, the process lives, and the journal opens again with
// one and the same content from then on.
func TestFailure_AnyChange(t *testing.T) {
	count := &faults{FS: vfs.NewMem()}
	j := mustOpen(t, count.wrap())
	opening := count.changes.Load()
	if _, err := appendNumbered(j, 1, batches, true); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	step := int64(11)
	switch {
	case proof.Wanted():
		step = 1
	case testing.Short():
		step = 25
	}
	figures := &failures{Changes: count.changes.Load(), Opening: opening, Failed: map[string]int{}}
	for _, c := range []struct {
		errno syscall.Errno
		once  bool
	}{{syscall.ENOSPC, false}, {syscall.EIO, true}} {
		next := func(from int64) int64 {
			if from < opening { // each of the few
				return from + 1
			}
			return from + 1 + rand.Int64N(2*step-1)
		}
		for from := next(0); from <= count.changes.Load(); from = next(from) {
			f := &faults{FS: vfs.NewMem(), errno: c.errno, once: c.once, figures: figures}
			f.from.Store(from)
			failOnce(t, f)
		}
	}
	for _, kind := range []string{"write", "sync", "create", "rename"} {
		if figures.Failed[kind] == 0 && !testing.Short() {
			t.Errorf("no %s failed", kind)
		}
	}
	proof.Note(t, "io_errors", figures)
}

// failures is what was counted of changes that failed.
type failures struct {
	Changes      int64          `json:"changes of the file system in one run"`
	Opening      int64          `json:"of them while the journal is opened first"`
	Failed       map[string]int `json:"errors injected by kind of change"`
	Refused      int            `json:"runs that ended with an error of its own and everything refused afterwards"`
	Reopened     int            `json:"times the journal was opened again"`
	Acknowledged int            `json:"batches acknowledged as forced"`
	Lost         int            `json:"lost"`
}

// failed counts a change that is made to fail.
func (f *failures) failed(kind errorfs.OpKind) {
	if f == nil {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	name, ok := map[errorfs.OpKind]string{
		errorfs.OpFileWrite: "write", errorfs.OpFileWriteAt: "write",
		errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "sync", errorfs.OpFileSyncTo: "sync",
		errorfs.OpCreate: "create", errorfs.OpMkdirAll: "create", errorfs.OpReuseForWrite: "create",
		errorfs.OpRename: "rename", errorfs.OpLink: "link",
		errorfs.OpRemove: "remove", errorfs.OpRemoveAll: "remove", errorfs.OpFileClose: "close",
	}[kind]
	if !ok {
		name = "other"
	}
	f.Failed[name]++
}

func failOnce(t *testing.T, f *faults) {
	t.Helper()
	what := fmt.Sprintf("%v at change %d, once %t", f.errno, f.from.Load(), f.once)
	acked := 0
	j, err := Open("journal", &Options{FS: f.wrap(), memTable: 64 << 10})
	if err != nil {
		checkCause(t, what, err, f.errno)
	} else {
		acked, err = appendNumbered(j, 1, batches, true)
		if err != nil {
			checkCause(t, what, err, f.errno)
			f.figures.Refused++
			if err := j.Append(numbered(batches+1, true)); !errors.Is(err, journal.ErrFailed) {
				t.Errorf("%s: a later Append answers %v, want journal.ErrFailed", what, err)
			}
			if _, err := j.Header(); !errors.Is(err, journal.ErrFailed) {
				t.Errorf("%s: a later Header answers %v, want journal.ErrFailed", what, err)
			}
		}
		if err := j.Close(); err != nil {
			checkCause(t, what, err, f.errno)
		}
	}
	f.figures.Acknowledged += acked
	first := 0
	for i := range 2 {
		j, err := Open("journal", &Options{FS: f.FS, memTable: 64 << 10})
		if err != nil {
			t.Fatalf("%s: opened again: %v", what, err)
		}
		n, err := readNumbered(j)
		f.figures.Lost += max(0, acked-n)
		if err != nil || n < acked || n > acked+1 || i > 0 && n != first {
			t.Fatalf("%s: batches up to %d were acknowledged, time %d gives %d (first %d), %v", what, acked, i+1, n, first, err)
		}
		first = n
		f.figures.Reopened++
		if err := j.Close(); err != nil {
			t.Fatalf("%s: closed again: %v", what, err)
		}
	}
}

// checkCause checks that an error tells the cause, the directory, and what to do.
func checkCause(t *testing.T, what string, err error, errno syscall.Errno) {
	t.Helper()
	text := err.Error()
	if !errors.Is(err, errno) || !strings.Contains(text, "(journal; ") || !strings.Contains(text, "then open it again") {
		t.Errorf("%s: the error tells too little: %v", what, err)
	}
	if errors.Is(err, journal.ErrFull) != (errno == syscall.ENOSPC) {
		t.Errorf("%s: wrong type of error: %v", what, err)
	}
}

// A table that cannot be written is noticed by somebody who appends, who is
// not kept waiting for a flush that never ends.
func TestFailure_Flush(t *testing.T) {
	f := &faults{FS: vfs.NewMem(), errno: syscall.ENOSPC, only: ".sst"}
	f.from.Store(1)
	j := mustOpen(t, f.wrap())
	_, err := appendNumbered(j, 1, 100_000, false)
	if !errors.Is(err, journal.ErrFull) {
		t.Fatalf("Append: %v, want journal.ErrFull", err)
	}
	if err := j.Close(); !errors.Is(err, journal.ErrFull) {
		t.Errorf("Close: %v, want journal.ErrFull", err)
	}
	again := mustOpen(t, f.FS)
	defer again.Close()
	if _, err := readNumbered(again); err != nil {
		t.Error(err)
	}
}

// Whatever change fails while a journal is opened that has something to
// recover, Open returns, and loses nothing.
func TestFailure_WhileOpening(t *testing.T) {
	const n = 20
	fill := func() vfs.FS {
		fs := vfs.NewMem()
		j := mustOpen(t, fs)
		if _, err := appendNumbered(j, 1, n, true); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		return fs
	}
	for _, once := range []bool{false, true} {
		failed := 0
		for from := int64(1); ; from++ {
			f := &faults{FS: fill(), errno: syscall.ENOSPC, once: once}
			f.from.Store(from)
			j, err := Open("journal", &Options{FS: f.wrap()})
			if err != nil {
				failed++
				checkCause(t, fmt.Sprintf("change %d", from), err, syscall.ENOSPC)
			} else {
				_ = j.Close()
			}
			tried := f.changes.Load()
			j = mustOpen(t, f.FS)
			if found, err := readNumbered(j); found != n || err != nil {
				t.Errorf("change %d fails, once %t: %d batches, %v", from, once, found, err)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			if tried < from {
				break
			}
		}
		if failed < 15 {
			t.Errorf("only %d changes of Open are noticed when they fail", failed)
		}
	}
}

// A table that cannot be read for compaction is noticed.
func TestFailure_Compaction(t *testing.T) {
	f := &faults{FS: vfs.NewMem(), errno: syscall.EIO, only: ".sst", reads: true}
	f.from.Store(1)
	j := mustOpen(t, f.wrap())
	_, err := appendNumbered(j, 1, 100_000, false)
	if !errors.Is(err, syscall.EIO) {
		t.Fatalf("Append: %v, want EIO", err)
	}
	if err := j.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Close: %v, want EIO", err)
	}
}

// Everybody who waits gets an error.
func TestFailure_ManyWaiters(t *testing.T) {
	f := &faults{FS: vfs.NewMem(), errno: syscall.EIO, only: ".log"}
	j := mustOpen(t, f.wrap())
	if _, err := appendNumbered(j, 1, 5, true); err != nil {
		t.Fatal(err)
	}
	f.from.Store(f.changes.Load() + 1)
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			if err := j.Append(numbered(6+n, true)); !errors.Is(err, syscall.EIO) {
				t.Errorf("Append: %v, want EIO", err)
			}
		})
	}
	wg.Wait()
	if err := j.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Close: %v, want EIO", err)
	}
}
