package pebble

import (
	"encoding/binary"
	"fmt"

	"github.com/seed-d36415c0/dtc/journal"
)

// decoder reads a value from its front. The first thing that is wrong becomes
// its error; from then on it reads zeros.
type decoder struct {
	rest []byte
	err  error
}

// damaged notes an error that wraps [journal.ErrCorrupt].
func (d *decoder) damaged(format string, args ...any) {
	d.fail(fmt.Errorf("%w: %s", journal.ErrCorrupt, fmt.Sprintf(format, args...)))
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

// end returns the first error. Bytes that are left are one.
func (d *decoder) end() error {
	if len(d.rest) > 0 {
		d.damaged("%d bytes too many", len(d.rest))
	}
	return d.err
}

// take reads n bytes, without copying them.
func (d *decoder) take(n int) []byte {
	if n > len(d.rest) {
		d.damaged("%d bytes where %d are needed", len(d.rest), n)
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

// version reads the version, and refuses any but the known one.
func (d *decoder) version() {
	if v := d.byte(); d.err == nil && v != version {
		d.fail(fmt.Errorf("%w: version %d, known is %d", journal.ErrFormat, v, version))
	}
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// count reads how many parts follow, of that many bytes each at the least: a count
// that is damaged takes no memory.
func (d *decoder) count(least int) int {
	n := d.uint32()
	if uint64(n)*uint64(least) > uint64(len(d.rest)) {
		d.damaged("%d parts in %d bytes", n, len(d.rest))
		return 0
	}
	return int(n)
}

// bytes reads a length and that many bytes, without copying them.
func (d *decoder) bytes() []byte {
	n := d.uint32()
	if uint64(n) > uint64(len(d.rest)) {
		d.damaged("%d bytes where %d are needed", len(d.rest), n)
		return nil
	}
	return d.take(int(n))
}
