package bench

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// recordSize is about what a commit record with three branches takes.
const recordSize = 300

// diskFloor appends records to one file and syncs it: one goroutine takes all
// that is pending, writes it in one piece and syncs once.
type diskFloor struct {
	file    vfs.File
	latency time.Duration // added to every sync
	pending chan chan error
	done    sync.WaitGroup
	replies sync.Pool

	syncs  atomic.Int64
	synced atomic.Int64 // nanoseconds
}

func newDiskFloor(tb testing.TB, dir string, latency time.Duration) *diskFloor {
	file, err := vfs.Default.Create(filepath.Join(dir, "floor"), vfs.WriteCategoryUnspecified)
	if err != nil {
		tb.Fatal(err)
	}
	f := &diskFloor{file: file, latency: latency, pending: make(chan chan error, callers)}
	f.replies.New = func() any { return make(chan error, 1) }
	f.done.Go(f.write)
	return f
}

// commit appends one record, and returns when it is on stable storage.
func (f *diskFloor) commit() error {
	reply := f.replies.Get().(chan error)
	f.pending <- reply
	err := <-reply
	f.replies.Put(reply)
	return err
}

func (f *diskFloor) write() {
	var records [callers * recordSize]byte
	var waiting []chan error
	for first := range f.pending {
		waiting = append(waiting[:0], first)
		for more := true; more && len(waiting) < callers; {
			select {
			case next := <-f.pending:
				waiting = append(waiting, next)
			default:
				more = false
			}
		}
		_, err := f.file.Write(records[:len(waiting)*recordSize])
		if err == nil {
			err = f.sync()
		}
		for _, reply := range waiting {
			reply <- err
		}
	}
}

func (f *diskFloor) sync() error {
	wait(f.latency)
	start := time.Now()
	err := f.file.SyncData()
	f.synced.Add(int64(time.Since(start)))
	f.syncs.Add(1)
	return err
}

// meanSync returns how long a sync took on average, without what was added.
func (f *diskFloor) meanSync() time.Duration {
	return time.Duration(f.synced.Load() / max(1, f.syncs.Load()))
}

func (f *diskFloor) close() error {
	close(f.pending)
	f.done.Wait()
	return f.file.Close()
}
