package pebble

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-d36415c0/dtc/journal"
)

func TestFormat_Unknown(t *testing.T) {
	all := ended(t, true)
	for _, marker := range []string{
		"marker.dtc-journal.999999.2-whatever",
		"marker.format-version.999999.999",
	} {
		newer := all.with(marker, []byte{})
		fs := newer.write(t)
		if _, err := Open("journal", &Options{FS: fs}); !errors.Is(err, journal.ErrFormat) {
			t.Errorf("%s: %v, want journal.ErrFormat", marker, err)
		}
		if !maps.EqualFunc(filesOf(t, fs), newer, slices.Equal) {
			t.Errorf("%s: the directory was changed", marker)
		}
	}
}

func TestFormat_ForeignStore(t *testing.T) {
	fs := vfs.NewMem()
	db, err := pebble.Open("journal", &pebble.Options{FS: fs, Logger: logger{func(error) {}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set([]byte("k"), []byte("v"), pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	before := filesOf(t, fs)
	if _, err := Open("journal", &Options{FS: fs}); !errors.Is(err, journal.ErrFormat) {
		t.Errorf("%v, want journal.ErrFormat", err)
	}
	if !maps.EqualFunc(filesOf(t, fs), before, slices.Equal) {
		t.Error("another program's store was changed")
	}
}

// A value of a newer version, or one that no version writes, is refused when it
// is read.
func TestFormat_Values(t *testing.T) {
	for value, want := range map[string]error{"\x02": journal.ErrFormat, "\x01\x09": journal.ErrCorrupt} {
		fs := vfs.NewMem()
		j := mustOpen(t, fs)
		s := j.(*store)
		for _, key := range [][]byte{headerKey, appendRecordKey(nil, idOf(1)), appendOutcomeKey(nil, 7, idOf(1))} {
			if err := s.db.Set(key, []byte(value), pebble.Sync); err != nil {
				t.Fatal(err)
			}
		}
		_, err := j.Header()
		check := func(method string, err error) {
			t.Helper()
			if !errors.Is(err, want) || !strings.Contains(err.Error(), "(journal; ") {
				t.Errorf("%s of %q: %v, want %v", method, value, err, want)
			}
		}
		check("Header", err)
		_, _, err = j.Record(idOf(1))
		check("Record", err)
		for _, err := range j.Records(idOf(0)) {
			check("Records", err)
		}
		for _, err := range j.Outcomes() {
			check("Outcomes", err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}
