package pebble

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/seed-d36415c0/dtc/journal"
)

// A log that is not the newest cannot be torn: it was ended and synced before
// the next was begun. Cut between two records, it would lose what came before
// the next log.
func TestDamage_OlderLog(t *testing.T) {
	gate := make(chan struct{})
	mem := vfs.NewCrashableMem()
	j := mustOpen(t, errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			<-gate // nothing is flushed: all logs are needed
		}
		return nil
	})))
	const n = 150
	if _, err := appendNumbered(j, 1, n, true); err != nil {
		t.Fatal(err)
	}
	all := filesOf(t, mem.CrashClone(vfs.CrashCloneCfg{}))
	close(gate)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if found, err := readDamaged(t, "as it is", all); found != n || err != nil {
		t.Fatalf("%d batches, %v", found, err)
	}
	var logs []string
	for name := range all {
		if strings.HasSuffix(name, ".log") && name != newest(all, ".log") {
			logs = append(logs, name)
		}
	}
	if len(logs) < 2 {
		t.Fatalf("the test needs older logs, there are %d", len(logs))
	}
	for _, name := range logs {
		content := all[name]
		for cut := 0; cut < len(content)-11; cut += 1 + len(content)/200 {
			found, err := readDamaged(t, name, all.with(name, content[:cut]))
			if !errors.Is(err, journal.ErrCorrupt) {
				t.Errorf("%s cut at %d of %d: %d batches, %v, want journal.ErrCorrupt", name, cut, len(content), found, err)
			}
		}
		ends := recordEnds(t, content, name)
		for _, cut := range ends[:len(ends)-1] {
			found, err := readDamaged(t, name, all.with(name, content[:cut]))
			if !errors.Is(err, journal.ErrCorrupt) {
				t.Errorf("%s cut between records at %d: %d batches, %v, want journal.ErrCorrupt", name, cut, found, err)
			}
		}
	}
}

// recordEnds lists where the records of a log end.
func recordEnds(t *testing.T, content []byte, name string) (ends []int64) {
	t.Helper()
	number, err := strconv.ParseUint(strings.TrimSuffix(name, ".log"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	records := logReader(record.NewReader, bytes.NewReader(content), number)
	for {
		r, err := records.Next()
		if err != nil {
			return ends
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return ends
		}
		ends = append(ends, records.Offset())
	}
}

// Damage in the newest log is told from a torn end of it, unless it lies in the
// last two of Pebble's blocks of 32 KiB.
func TestDamage_NewestLog(t *testing.T) {
	fs := vfs.NewCrashableMem()
	j, err := Open("journal", &Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	const n = 220
	if _, err := appendNumbered(j, 1, n, true); err != nil {
		t.Fatal(err)
	}
	all := filesOf(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	name := newest(all, ".log")
	certain := len(all[name]) - 64<<10
	if certain < 64<<10 {
		t.Fatalf("the log has %d bytes only", len(all[name]))
	}
	for i := range 20 {
		content := slices.Clone(all[name])
		at := i * certain / 20
		content[at] ^= 1 << (i % 8)
		if found, err := readDamaged(t, name, all.with(name, content)); !errors.Is(err, journal.ErrCorrupt) {
			t.Errorf("flipped at %d of %d: %d batches, %v, want journal.ErrCorrupt", at, len(content), found, err)
		}
	}
}
