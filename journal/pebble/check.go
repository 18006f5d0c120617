package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"github.com/seed-d36415c0/dtc/journal"
)

// Pebble checks tables, and the newest log, by itself. It takes two kinds of
// damage for a torn end, where there cannot be one:
//
//   - a manifest that cannot be read from some point on. It would lose the
//     tables that are named behind it;
//   - an older log that ends early, between two records. It would lose the
//     rest of that log, but not what came later.

// checkFiles refuses such files; value is the journal's marker.
func checkFiles(fs vfs.FS, dir, value string) error {
	name, err := atomicfs.ReadMarker(fs, dir, manifestMarker)
	if err != nil || name == "" {
		return err
	}
	_, length, marked, err := parseMarker(value)
	if err != nil {
		return err
	}
	if marked != name {
		// A crash came between the two: nothing has been acknowledged on the
		// strength of either.
		length = 0
	}
	first, err := checkManifest(fs, fs.PathJoin(dir, name), length)
	if err != nil {
		return err
	}
	return checkLogs(fs, dir, first)
}

// checkManifest refuses a manifest whose records end before the length that
// was on stable storage. It returns the number of the first log that is still
// needed.
func checkManifest(fs vfs.FS, name string, length int64) (firstLog uint64, err error) {
	f, err := fs.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	records := record.NewReader(f, 0)
	for {
		end := records.Offset()
		r, err := records.Next()
		var edit []byte
		if err == nil {
			edit, err = io.ReadAll(r)
		}
		if err != nil {
			if end < length {
				return 0, fmt.Errorf("%w: %s at %d of %d bytes: %w", journal.ErrCorrupt, name, end, length, err)
			}
			return firstLog, nil
		}
		if n, ok := logNumber(edit); ok {
			firstLog = n
		}
	}
}

// logNumber reads the number of the first log needed from an edit in a
// manifest: a list of fields that begin with a tag. The number comes first, or
// second after the name of the key order; many edits do not have it.
func logNumber(edit []byte) (number uint64, ok bool) {
	const keyOrder, firstLog = 1, 2 // tags, both of one byte
	if len(edit) > 0 && edit[0] == keyOrder {
		size, n := binary.Uvarint(edit[1:])
		if n <= 0 || size > uint64(len(edit)-1-n) {
			return 0, false
		}
		edit = edit[1+n+int(size):]
	}
	if len(edit) == 0 || edit[0] != firstLog {
		return 0, false
	}
	number, n := binary.Uvarint(edit[1:])
	return number, n > 0
}

// checkLogs refuses logs that are needed, are not the newest, and do not end as
// Pebble ends a log before it begins the next.
func checkLogs(fs vfs.FS, dir string, first uint64) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	var needed []uint64
	for _, name := range names {
		base, isLog := strings.CutSuffix(name, ".log")
		if n, err := strconv.ParseUint(base, 10, 64); isLog && err == nil && n >= first {
			needed = append(needed, n)
		}
	}
	slices.Sort(needed)
	for _, n := range needed[:max(len(needed)-1, 0)] {
		if err := checkEnd(fs, fs.PathJoin(dir, fmt.Sprintf("%06d.log", n)), n); err != nil {
			return err
		}
	}
	return nil
}

// checkEnd refuses a log that has no trailer behind its last record. Other
// damage is left to Pebble.
func checkEnd(fs vfs.FS, name string, number uint64) error {
	f, err := fs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	records := logReader(record.NewReader, f, number)
	end := int64(0)
	for err == nil {
		var r io.Reader
		end = records.Offset()
		if r, err = records.Next(); err == nil {
			_, err = io.Copy(io.Discard, r)
		}
	}
	const trailer = 11 // bytes
	if errors.Is(err, io.EOF) && info.Size() < end+trailer {
		return fmt.Errorf("%w: %s ends at %d, without a trailer", journal.ErrCorrupt, name, end)
	}
	return nil
}

// logReader calls Pebble's constructor with a number of a type that Pebble does
// not export.
func logReader[N ~uint64](open func(io.Reader, N) *record.Reader, r io.Reader, number uint64) *record.Reader {
	return open(r, N(number))
}
