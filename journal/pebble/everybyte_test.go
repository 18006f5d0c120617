package pebble

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/journal"
)

// damages is what was counted of damaged journals.
type damages struct {
	Flipped  int `json:"bytes flipped"`
	Cut      int `json:"files cut"`
	Renamed  int `json:"characters changed in the names of markers"`
	Refused  int `json:"refused with a typed error"`
	Harmless int `json:"harmless as everything forced was read"`
	Torn     int `json:"taken for a torn end of the newest log as documented"`
	Wrong    int `json:"read changed or lost without an error"`
}

// In a small journal each byte of each file is flipped, each file is cut at each
// length, and each character of a marker's name is changed: what was forced is
// read, or an error of a type says that it cannot be. Only in the newest log can
// damage not be told from a torn end, and loses the batches from there on.
func TestDamage_EveryByte(t *testing.T) {
	all, batches := small(t)
	samples, others := 12, 1
	if proof.Wanted() {
		samples, others = 1<<20, 4
	}
	d := &damaged{t: t, all: all, batches: batches, log: newest(all, ".log")}
	for name, content := range all {
		if strings.HasPrefix(name, "marker.") {
			d.rename(name, others)
		}
		step := max(1, len(content)/samples)
		for at := rand.IntN(step); at < len(content); at += step {
			flipped := slices.Clone(content)
			flipped[at] ^= 1 << rand.IntN(8)
			d.Flipped++
			d.check(fmt.Sprintf("%s, byte %d flipped to %#x", name, at, flipped[at]), name, all.with(name, flipped))
			d.Cut++
			d.check(fmt.Sprintf("%s, cut at %d", name, at), name, all.with(name, content[:at:at]))
		}
	}
	if d.Refused == 0 || d.Torn == 0 {
		t.Errorf("damage was not noticed: %+v", d.damages)
	}
	proof.Note(t, "damage", d.damages)
}

// small is the directory of a journal with a table, a manifest of several edits
// and a log, as a crash leaves it, and the batches it holds.
func small(t *testing.T) (files, []journal.Batch) {
	fs := vfs.NewCrashableMem()
	batches := workload(rand.New(rand.NewPCG(3, 4)), 16)
	for i, b := range batches {
		b.Writes = slices.DeleteFunc(b.Writes, func(w journal.Write) bool { return w.Put != nil && len(w.Put.Branches[0].Payload) > 200 })
		batches[i] = b
	}
	for _, half := range [][]journal.Batch{batches[:10], batches[10:]} {
		j := mustOpen(t, fs)
		for _, b := range half {
			b.Force = true
			if err := j.Append(b); err != nil {
				t.Fatal(err)
			}
		}
		left := fs.CrashClone(vfs.CrashCloneCfg{})
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		fs = left
	}
	return filesOf(t, fs), batches
}

type damaged struct {
	damages
	t       *testing.T
	all     files
	batches []journal.Batch
	log     string
}

// check opens a damaged journal.
func (d *damaged) check(what, name string, changed files) {
	d.t.Helper()
	j, err := Open("journal", &Options{FS: changed.write(d.t)})
	n := 0
	if err == nil {
		n, err = held(j, d.batches)
		_ = j.Close()
	}
	typed := errors.Is(err, journal.ErrCorrupt) || errors.Is(err, journal.ErrFormat)
	switch {
	case typed:
		d.Refused++
	case err != nil:
		d.Wrong++
		d.t.Errorf("%s: an error of no type: %v", what, err)
	case n == len(d.batches):
		d.Harmless++
	case name == d.log:
		d.Torn++
	default:
		d.Wrong++
		d.t.Errorf("%s: %d of %d batches are there, and no error", what, n, len(d.batches))
	}
}

// rename changes each character of a marker's name to so many others.
func (d *damaged) rename(name string, others int) {
	for at := range len(name) {
		for _, c := range []byte{name[at] ^ 1, '0', '9', 'x'}[:others] {
			other := name[:at] + string(c) + name[at+1:]
			if other == name || strings.ContainsAny(other, "/\\") {
				continue
			}
			changed := d.all.with(name, nil)
			changed[other] = d.all[name]
			d.Renamed++
			d.check(fmt.Sprintf("%s, renamed to %s", name, other), name, changed)
		}
	}
}
