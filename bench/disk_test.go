package bench

import (
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// slowDisk is the operating system's file system with a latency added to every
// sync of a log.
type slowDisk struct {
	vfs.FS
	latency time.Duration
}

func (d slowDisk) slow(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return &slowFile{f, d.latency}, nil
}

func (d slowDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return d.slow(name, f, err)
}

func (d slowDisk) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(old, name, c)
	return d.slow(name, f, err)
}

type slowFile struct {
	vfs.File
	latency time.Duration
}

func (f *slowFile) Sync() error {
	wait(f.latency)
	return f.File.Sync()
}

func (f *slowFile) SyncData() error {
	wait(f.latency)
	return f.File.SyncData()
}

func (f *slowFile) SyncTo(length int64) (full bool, err error) {
	wait(f.latency)
	return f.File.SyncTo(length)
}
