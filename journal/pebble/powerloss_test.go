package pebble

import (
	"errors"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/journal"
)

var lossSeed = flag.Uint64("loss.seed", 0, "seed of the one run of power losses; 0 for many")

// losses is what runs of power losses counted.
type losses struct {
	Crashes      int `json:"crashes"`
	Acknowledged int `json:"records acknowledged as forced"`
	Lost         int `json:"lost"`
}

// The power is lost again and again at random moments of a random workload, also
// while the journal is opened after the last time. What was forced is there, and
// what is there is what the first so many batches make. Two disks that lie show
// that the test would see a loss.
func TestPowerLoss(t *testing.T) {
	runs, seed := uint64(4), *lossSeed
	switch {
	case seed != 0:
		runs = 1
	case proof.Wanted():
		runs, seed = 200, 1
	default:
		seed = rand.Uint64()
	}
	var figures struct {
		losses
		NoSync   losses `json:"the same with a disk whose syncs do nothing"`
		NotAsked losses `json:"the same with nothing forced"`
	}
	for n := range runs {
		figures.losses.add(lossRun{t: t, seed: seed + n}.play())
		if n < 20 {
			figures.NoSync.add(lossRun{t: t, seed: seed + n, lies: true}.play())
			figures.NotAsked.add(lossRun{t: t, seed: seed + n, unforced: true}.play())
		}
	}
	for n := seed; figures.NoSync.Lost == 0 && n < seed+50; n++ { // the first crash may come too early
		figures.NoSync.add(lossRun{t: t, seed: n, lies: true}.play())
	}
	if figures.NoSync.Lost == 0 || figures.NotAsked.Lost == 0 {
		t.Errorf("losses that were made were not seen: %+v", figures)
	}
	proof.Note(t, "power_losses", figures)
}

func (l *losses) add(m losses) {
	l.Crashes += m.Crashes
	l.Acknowledged += m.Acknowledged
	l.Lost += m.Lost
}

// lossRun is one workload through a number of power losses.
type lossRun struct {
	t        *testing.T
	seed     uint64
	lies     bool // the disk's syncs do nothing
	unforced bool // nothing is forced, but counts as if it were
}

func (r lossRun) play() (l losses) {
	rng := rand.New(rand.NewPCG(r.seed, 7))
	batches := workload(rng, 120)
	fs, done := vfs.NewCrashableMem(), 0
	for done < len(batches) {
		left, forced, begun := r.life(fs, rng, batches, done, 4*l.Crashes)
		l.Crashes++
		l.Acknowledged += records(batches[done:max(done, forced)])
		fs = left
		n, err := r.survived(fs, batches)
		switch {
		case err != nil && r.lies:
			l.Lost += records(batches[done:max(done, forced)])
			return l // there is no journal to go on with
		case err != nil:
			r.fatalf("after crash %d: %v", l.Crashes, err)
		case n > begun:
			r.fatalf("after crash %d: %d batches were begun, %d are there", l.Crashes, begun, n)
		case n < forced && !r.lies && !r.unforced:
			r.fatalf("after crash %d: %d batches were forced, %d are there", l.Crashes, forced, n)
		}
		l.Lost += records(batches[n:max(n, forced)])
		if forced == len(batches) {
			break
		}
		done = n
	}
	return l
}

func (r lossRun) fatalf(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("-loss.seed=%d: "+format, append([]any{r.seed}, args...)...)
}

// life opens the journal, goes on with the batches, and loses power at a random
// change of the file system. It returns what is left, how many batches were
// acknowledged as forced before that moment, and how many were begun. The more
// patience, the later the moment can be: opening alone is some dozen changes.
func (r lossRun) life(fs *vfs.MemFS, rng *rand.Rand, batches []journal.Batch, done, patience int) (left *vfs.MemFS, forced, begun int) {
	moment, percent := rng.IntN(60+patience), []int{0, 50, 100}[rng.IntN(3)]
	chance := rand.New(rand.NewPCG(rng.Uint64(), 1))
	change, acked, tried := 0, done, done
	crash := func() {
		left = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: chance})
		forced, begun = acked, tried
	}
	disk := vfs.FS(fs)
	if r.lies {
		disk = liar{disk}
	}
	j, err := Open("journal", &Options{memTable: 64 << 10, FS: errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			mu.Lock()
			defer mu.Unlock()
			if change++; change > moment && left == nil {
				crash()
			}
		}
		return nil
	}))})
	if err != nil {
		r.fatalf("Open: %v", err)
	}
	lost := func() bool { mu.Lock(); defer mu.Unlock(); return left != nil }
	for n := done; n < len(batches) && !lost(); n++ {
		b := batches[n]
		mu.Lock()
		tried = n + 1
		mu.Unlock()
		b.Force = b.Force && !r.unforced
		if err := j.Append(b); err != nil {
			r.fatalf("Append: %v", err)
		}
		if batches[n].Force || n == len(batches)-1 && r.forceAll(j) {
			mu.Lock()
			acked = n + 1
			mu.Unlock()
		}
	}
	mu.Lock()
	if left == nil {
		crash()
	}
	mu.Unlock()
	if err := j.Close(); err != nil {
		r.fatalf("Close: %v", err)
	}
	return left, forced, begun
}

// forceAll forces what was appended, with a batch of nothing.
func (r lossRun) forceAll(j journal.Journal) bool {
	return r.unforced || j.Append(journal.Batch{Force: true}) == nil
}

// survived opens a copy of what is left, and tells how many batches it holds.
func (r lossRun) survived(fs *vfs.MemFS, batches []journal.Batch) (int, error) {
	copied := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	j, err := Open("journal", &Options{FS: copied})
	if err != nil {
		return 0, err
	}
	n, err := held(j, batches)
	return n, errors.Join(err, j.Close())
}

// liar is a disk whose syncs do nothing.
type liar struct{ vfs.FS }

func (l liar) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return lying(l.FS.Create(name, c))
}

func (l liar) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return lying(l.FS.OpenReadWrite(name, c, o...))
}

func (l liar) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return lying(l.FS.ReuseForWrite(old, name, c))
}

type lyingFile struct{ vfs.File }

func lying(f vfs.File, err error) (vfs.File, error) { return lyingFile{f}, err }

func (lyingFile) Sync() error                { return nil }
func (lyingFile) SyncData() error            { return nil }
func (lyingFile) SyncTo(int64) (bool, error) { return true, nil }
