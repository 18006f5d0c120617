package pebble

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/journaltest"
)

func TestConformance_InMemory(t *testing.T) {
	journaltest.Run(t, func(*testing.T) journaltest.Harness { return crashable(vfs.NewCrashableMem()) })
}

func TestConformance_OnDisk(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) journaltest.Harness {
		dir := t.TempDir()
		return journaltest.Harness{Open: func() (journal.Journal, error) { return Open(dir, nil) }}
	})
}

// crashable is a place on a file system in memory. Tables are small, so that
// many are written.
func crashable(fs *vfs.MemFS) journaltest.Harness {
	var last *store
	return journaltest.Harness{
		Open: func() (journal.Journal, error) {
			j, err := Open("journal", &Options{FS: fs, memTable: 64 << 10})
			if err == nil {
				last = j.(*store)
			}
			return j, err
		},
		Crash: func(percent int, rng *rand.Rand) journaltest.Harness {
			return crashable(fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}))
		},
		Kill: func() journaltest.Harness {
			last.guard.release() // it changes no file any more
			return crashable(fs)
		},
	}
}
