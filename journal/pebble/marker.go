package pebble

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"github.com/seed-d36415c0/dtc/journal"
)

// layout is the version of the journal's layout as a whole; the values have
// versions of their own.
const layout = 1

// Names of atomic markers: ours, and two of Pebble's.
const (
	journalMarker  = "dtc-journal"
	formatMarker   = "format-version"
	manifestMarker = "manifest"
)

// marker says which version of the layout the journal has, and how much of
// which manifest is on stable storage. It is an empty file: its name says it.
type marker struct {
	file  *atomicfs.Marker
	found string // its value when it was opened; empty where there was none
}

// exists tells whether there was a journal.
func (m *marker) exists() bool { return m.found != "" }

// openMarker finds the marker, and checks Pebble's files against it.
func openMarker(fs vfs.FS, dir string) (*marker, error) {
	file, value, err := atomicfs.LocateMarker(fs, dir, journalMarker)
	if err != nil {
		return nil, err
	}
	m := &marker{file, value}
	if err := errors.Join(file.RemoveObsolete(), checkFiles(fs, dir, value)); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// move notes that the first bytes of a manifest are on stable storage.
func (m *marker) move(manifest string, length int64) error {
	return m.file.Move(fmt.Sprintf("%d-%d-%s", layout, length, manifest))
}

func (m *marker) close() error { return m.file.Close() }

// parseMarker takes apart what move has put together.
func parseMarker(value string) (version int, length int64, manifest string, err error) {
	parts := strings.SplitN(value, "-", 3)
	if version, err = strconv.Atoi(parts[0]); err != nil {
		return 0, 0, "", fmt.Errorf("%w: marker %q", journal.ErrCorrupt, value)
	}
	if version != layout {
		return version, 0, "", nil
	}
	if len(parts) == 3 {
		length, err = strconv.ParseInt(parts[1], 10, 64)
		if err == nil {
			return version, length, parts[2], nil
		}
	}
	return 0, 0, "", fmt.Errorf("%w: marker %q", journal.ErrCorrupt, value)
}

// checkFormat refuses what this version cannot read, before anything of it is
// changed.
func checkFormat(fs vfs.FS, dir string) error {
	manifest, err := atomicfs.ReadMarker(fs, dir, manifestMarker)
	if err != nil {
		return err
	}
	value, err := atomicfs.ReadMarker(fs, dir, journalMarker)
	if err != nil {
		return err
	}
	if value == "" && manifest != "" {
		return fmt.Errorf("%w: a Pebble store, but no journal", journal.ErrFormat)
	}
	if manifest == "" {
		// Pebble would begin anew. Its first manifest comes before all data.
		if err := checkNoData(fs, dir); err != nil {
			return err
		}
	}
	if value != "" {
		if v, _, _, err := parseMarker(value); err != nil {
			return err
		} else if v != layout {
			return fmt.Errorf("%w: layout %d, known is %d", journal.ErrFormat, v, layout)
		}
	}
	format, err := atomicfs.ReadMarker(fs, dir, formatMarker)
	if err != nil || format == "" {
		return err
	}
	v, err := strconv.ParseUint(format, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: Pebble's format %q", journal.ErrCorrupt, format)
	}
	if pebble.FormatMajorVersion(v) > pebble.FormatNewest {
		return fmt.Errorf("%w: Pebble's format %d, known is %d", journal.ErrFormat, v, pebble.FormatNewest)
	}
	return nil
}

func checkNoData(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".sst") {
			return fmt.Errorf("%w: %s without a manifest", journal.ErrCorrupt, name)
		}
	}
	return nil
}
