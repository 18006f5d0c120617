package pebble

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-d36415c0/dtc/journal"
)

// guard stands between Pebble and the file system. It sees to it that
//
//   - a change that fails does not get back into Pebble. There it would be tried
//     again for ever, or panic, in goroutines that are not ours and with locks in
//     a state that Go ends the process for. The goroutine that made the change is
//     parked instead;
//   - nothing of a store that has failed changes a file any more, so that the
//     directory can be opened again;
//   - the directory's lock is ours to release, also when the store cannot be
//     closed;
//   - the journal's marker is written and checked (see marker.go).
type guard struct {
	vfs.FS
	dir  string
	fail func(error)

	// armed is set once Pebble may have goroutines of its own. Before, failed
	// changes are returned, and Pebble's Open cleans up after itself; after, it
	// would do so under the feet of those goroutines.
	armed atomic.Bool
	// tripped is set when the store has failed: no change begins any more.
	tripped atomic.Bool
	// changing is held for reading by every change under way.
	changing sync.RWMutex

	lock   io.Closer // nil while not held
	marker *marker
}

var errTripped = errors.New("journal has failed before")

// change performs op, which changes the file system.
func (g *guard) change(op func() error) error {
	err := errTripped
	g.changing.RLock()
	if !g.tripped.Load() {
		err = op()
	}
	g.changing.RUnlock()
	if err == nil {
		return nil
	}
	if g.armed.Load() || g.tripped.Load() {
		g.fail(err)
		select {}
	}
	return err
}

// release gives the directory back, once the changes under way have ended.
func (g *guard) release() {
	g.tripped.Store(true)
	g.changing.Lock()
	defer g.changing.Unlock()
	if g.lock == nil {
		return
	}
	if g.marker != nil {
		_ = g.marker.close()
	}
	_ = g.lock.Close() // held no longer, whatever it says
	g.lock = nil
}

// Lock is called by Pebble when it has made the directory and before it reads
// anything: the place to look at what is there.
func (g *guard) Lock(name string) (io.Closer, error) {
	if g.lock == nil {
		lock, err := g.FS.Lock(name)
		if p := (*os.PathError)(nil); errors.As(err, &p) {
			return nil, err // the lock file could not even be made
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", journal.ErrLocked, err)
		}
		g.lock = lock
	}
	if err := checkFormat(g.FS, g.dir); err != nil {
		return nil, err
	}
	if err := g.openMarker(); err != nil {
		return nil, err
	}
	g.armed.Store(g.marker.exists()) // in a new store, nothing is replayed and flushed
	return io.NopCloser(nil), nil
}

// openMarker finds the marker, again where the store is opened again.
func (g *guard) openMarker() (err error) {
	if g.marker != nil {
		err = g.marker.close()
	}
	if err == nil {
		g.marker, err = openMarker(g, g.dir)
	}
	return err
}

func (g *guard) create(name string, open func() (vfs.File, error)) (f vfs.File, err error) {
	err = g.change(func() error {
		f, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &file{File: f, guard: g, manifest: manifestName(g.FS.PathBase(name))}, nil
}

func (g *guard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) { return g.FS.Create(name, c) })
}

func (g *guard) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, o...) })
}

func (g *guard) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.create(name, func() (vfs.File, error) { return g.FS.ReuseForWrite(old, name, c) })
}

func (g *guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &directory{file{File: f, guard: g}}, nil
}

func (g *guard) Link(old, name string) error {
	return g.change(func() error { return g.FS.Link(old, name) })
}

func (g *guard) Rename(old, name string) error {
	return g.change(func() error { return g.FS.Rename(old, name) })
}

func (g *guard) MkdirAll(dir string, perm os.FileMode) error {
	return g.change(func() error { return g.FS.MkdirAll(dir, perm) })
}

// Remove may fail: Pebble tries to remove what may be gone, and what is left
// does no harm.
func (g *guard) Remove(name string) (err error) {
	_ = g.change(func() error { err = g.FS.Remove(name); return nil })
	return err
}

func (g *guard) RemoveAll(name string) (err error) {
	_ = g.change(func() error { err = g.FS.RemoveAll(name); return nil })
	return err
}

// file is one that Pebble writes to.
type file struct {
	vfs.File
	guard    *guard
	manifest string // its name if it is a manifest, else empty
	written  int64
}

func (f *file) Write(p []byte) (n int, err error) {
	err = f.guard.change(func() error {
		n, err = f.File.Write(p)
		return err
	})
	f.written += int64(n)
	return n, err
}

func (f *file) WriteAt(p []byte, offset int64) (n int, err error) {
	err = f.guard.change(func() error {
		n, err = f.File.WriteAt(p, offset)
		return err
	})
	return n, err
}

func (f *file) Sync() error { return f.sync(f.File.Sync) }

func (f *file) SyncData() error { return f.sync(f.File.SyncData) }

func (f *file) sync(sync func() error) error {
	if err := f.guard.change(sync); err != nil || f.manifest == "" {
		return err
	}
	return f.guard.marker.move(f.manifest, f.written)
}

func (f *file) SyncTo(length int64) (full bool, err error) {
	err = f.guard.change(func() error {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

func (f *file) Close() error { return f.guard.change(f.File.Close) }

// directory is one that Pebble syncs.
type directory struct{ file }

// Close changes nothing, and is called after a failure too.
func (d *directory) Close() error { return d.File.Close() }

func manifestName(base string) string {
	if strings.HasPrefix(base, "MANIFEST-") {
		return base
	}
	return ""
}
