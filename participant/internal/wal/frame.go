package wal

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A file is a header and then one frame for each write:
//
//	header  format [16]byte, salt [8]byte, checksum uint32
//	frame   length uint32, checksum uint32, then that many bytes of records
//	record  length uvarint, then that many bytes
//
// The checksum of a frame covers the file's salt, the frame's place in the file,
// its length and its records. So neither what a caller puts into a record nor
// what an earlier file left on the disk can pass for a frame.
const (
	formatSize = 16
	saltSize   = 8
	headerSize = formatSize + saltSize + 4
	prefixSize = 8
)

var table = crc32.MakeTable(crc32.Castagnoli)

// framer makes and checks the frames of one file.
type framer struct {
	salt [saltSize]byte
	size int64 // of the file so far, where the next frame begins
}

// newFramer begins a file.
func newFramer(format string) (f framer, header []byte, err error) {
	if len(format) > formatSize {
		return f, nil, fmt.Errorf("%w: name %q is longer than %d bytes", ErrFormat, format, formatSize)
	}
	if _, err := rand.Read(f.salt[:]); err != nil {
		return f, nil, err
	}
	header = make([]byte, headerSize)
	copy(header, format)
	copy(header[formatSize:], f.salt[:])
	sum := crc32.Checksum(header[:headerSize-4], table)
	binary.LittleEndian.PutUint32(header[headerSize-4:], sum)
	f.size = headerSize
	return f, header, nil
}

// next makes the frame that follows.
func (f *framer) next(records []byte) []byte {
	frame := make([]byte, prefixSize, prefixSize+len(records))
	binary.LittleEndian.PutUint32(frame, uint32(len(records)))
	binary.LittleEndian.PutUint32(frame[4:], f.checksum(f.size, frame[:4], records))
	frame = append(frame, records...)
	f.size += int64(len(frame))
	return frame
}

func (f *framer) checksum(at int64, length, records []byte) uint32 {
	place := binary.LittleEndian.AppendUint64(f.salt[:], uint64(at))
	sum := crc32.Checksum(place, table)
	sum = crc32.Update(sum, table, length)
	return crc32.Update(sum, table, records)
}

// at returns the records of the frame that begins there, if there is a whole one.
func (f *framer) at(data []byte, at int64) (records []byte, ok bool) {
	rest := data[at:]
	if len(rest) < prefixSize {
		return nil, false
	}
	length := binary.LittleEndian.Uint32(rest)
	if uint64(length) > uint64(len(rest)-prefixSize) {
		return nil, false
	}
	records = rest[prefixSize : prefixSize+int(length)]
	return records, binary.LittleEndian.Uint32(rest[4:]) == f.checksum(at, rest[:4], records)
}

// read replays the records of a file. One write was under way at most when the
// file was last written, so what follows the last whole frame is cut off as its
// torn remains; a whole frame after a broken one means damage.
func read(data []byte, format string, replay func([]byte) error) error {
	f, err := readHeader(data, format)
	if err != nil {
		return err
	}
	for f.size < int64(len(data)) {
		records, ok := f.at(data, f.size)
		if !ok {
			return f.expectTail(data)
		}
		if err := eachRecord(records, replay); err != nil {
			return fmt.Errorf("%w: frame at offset %d: %w", ErrCorrupt, f.size, err)
		}
		f.size += int64(prefixSize + len(records))
	}
	return nil
}

func readHeader(data []byte, format string) (f framer, err error) {
	if len(data) < headerSize+prefixSize {
		return f, fmt.Errorf("%w: %d bytes are too few for a header and a frame", ErrCorrupt, len(data))
	}
	var want [formatSize]byte
	copy(want[:], format)
	if found := data[:formatSize]; string(found) != string(want[:]) {
		return f, fmt.Errorf("%w: found %q, want %q", ErrFormat, found, want[:])
	}
	sum := binary.LittleEndian.Uint32(data[headerSize-4:])
	if crc32.Checksum(data[:headerSize-4], table) != sum {
		return f, fmt.Errorf("%w: header", ErrCorrupt)
	}
	copy(f.salt[:], data[formatSize:])
	f.size = headerSize
	return f, nil
}

// expectTail checks that no whole frame follows the broken one at f.size. The
// first frame is synced before the file gets its name, so it is never torn.
func (f *framer) expectTail(data []byte) error {
	if f.size == headerSize {
		return fmt.Errorf("%w: first frame at offset %d", ErrCorrupt, f.size)
	}
	for at := f.size + 1; at < int64(len(data)); at++ {
		if _, ok := f.at(data, at); ok {
			return fmt.Errorf("%w: frame at offset %d, before a good one at %d", ErrCorrupt, f.size, at)
		}
	}
	return nil
}

func appendRecord(batch, record []byte) []byte {
	batch = binary.AppendUvarint(batch, uint64(len(record)))
	return append(batch, record...)
}

func eachRecord(batch []byte, replay func([]byte) error) error {
	for len(batch) > 0 {
		length, n := binary.Uvarint(batch)
		if n <= 0 || length > uint64(len(batch)-n) {
			return fmt.Errorf("record of %d bytes in %d", length, len(batch))
		}
		end := n + int(length)
		if err := replay(batch[n:end]); err != nil {
			return err
		}
		batch = batch[end:]
	}
	return nil
}
