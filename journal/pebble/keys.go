package pebble

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/google/uuid"
)

// The first byte of a key tells which kind of value it has.
const (
	headerSpace  = 'h'
	outcomeSpace = 'o'
	recordSpace  = 'r'
)

const (
	recordKeySize  = 1 + 16
	outcomeKeySize = 1 + 8 + 16
)

var headerKey = []byte{headerSpace}

func appendRecordKey(dst []byte, id uuid.UUID) []byte {
	dst = append(dst, recordSpace)
	return append(dst, id[:]...)
}

func appendOutcomeKey(dst []byte, finished instant, id uuid.UUID) []byte {
	dst = appendInstantKey(dst, finished)
	return append(dst, id[:]...)
}

// appendInstantKey makes the key before all outcomes that finished at or after
// an instant.
func appendInstantKey(dst []byte, finished instant) []byte {
	dst = append(dst, outcomeSpace)
	return binary.BigEndian.AppendUint64(dst, uint64(finished))
}

// instant is a time in microseconds that compares as its bytes do: the sign bit
// is inverted.
type instant uint64

const (
	signBit         = 1 << 63
	never   instant = math.MaxUint64 // after every time that a journal keeps
)

func instantOf(t time.Time) instant { return instant(t.UnixMicro()) ^ signBit }

func (i instant) time() time.Time { return time.UnixMicro(int64(i ^ signBit)).UTC() }
