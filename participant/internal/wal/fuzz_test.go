package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// replayed reads a file into a list of its records.
func replayed(data []byte) (records [][]byte, err error) {
	err = read(data, testFormat, func(record []byte) error {
		records = append(records, bytes.Clone(record))
		return nil
	})
	return records, err
}

// fileOf is a file of frames with these contents, each with a checksum that fits.
func fileOf(t testing.TB, frames ...[]byte) []byte {
	f, file, err := newFramer(testFormat)
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range frames {
		file = append(file, f.next(frame)...)
	}
	return file
}

// Below the checksum: whatever is in a frame is a list of records, each as it
// stands there, or damage.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendRecord(appendRecord(nil, []byte("one")), nil))
	f.Add([]byte{3, 'o', 'n'})
	f.Add(binary.AppendUvarint(nil, 1<<63))
	f.Add(bytes.Repeat([]byte{0xff}, 11))
	f.Fuzz(func(t *testing.T, frame []byte) {
		records, err := replayed(fileOf(t, frame))
		var again []byte
		for _, r := range records {
			again = appendRecord(again, r)
		}
		switch {
		case err == nil:
			// A length has more than one encoding, so bytes need not be the same.
			if same, err := replayed(fileOf(t, again)); err != nil || !slices.EqualFunc(same, records, bytes.Equal) {
				t.Fatalf("%q is read as %q, %v", records, same, err)
			}
		case !errors.Is(err, ErrCorrupt):
			t.Fatalf("an error of no type: %v", err)
		case bytes.Equal(again, frame):
			t.Fatalf("all of %x is read, and it is an error: %v", frame, err)
		}
	})
}

// With bytes of any kind behind good frames, the good frames are read, or the file
// is refused.
func FuzzTail(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add([]byte("torn"), uint16(3))
	f.Add(make([]byte, 40), uint16(60))
	f.Fuzz(func(t *testing.T, tail []byte, at uint16) {
		good := [][]byte{appendRecord(nil, []byte("one")), appendRecord(nil, []byte("two"))}
		file := fileOf(t, good...)
		if records, err := replayed(append(bytes.Clone(file), tail...)); err == nil && len(records) < 2 {
			t.Fatalf("with %x behind, %q are read", tail, records)
		}
		i := int(at) % len(file)
		damaged := slices.Concat(file[:i], tail, file[min(i+len(tail), len(file)):])
		records, err := replayed(damaged)
		switch {
		case err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat):
			t.Fatalf("an error of no type: %v", err)
		case err == nil && (len(records) == 0 || string(records[0]) != "one"):
			t.Fatalf("%x at %d: %q are read", tail, i, records)
		}
	})
}

// What is added is read.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("one"), []byte(""), []byte("three"))
	f.Add(make([]byte, 300), []byte{0x80}, []byte(nil))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		want := [][]byte{a, b, c}
		got, err := replayed(fileOf(t, appendRecord(appendRecord(nil, a), b), appendRecord(nil, c)))
		if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("%q is read as %q, %v", want, got, err)
		}
	})
}
