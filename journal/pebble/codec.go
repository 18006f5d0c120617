package pebble

import (
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

// version is the first byte of every value. A change of the layout raises it.
const version = 1

// Flags of a branch.
const (
	flagTwoPhase = 1 << iota
	flagPending
	knownFlags = flagTwoPhase | flagPending
)

const (
	recordFixed  = 1 + 1 + 8 + 4 + 4 + 4
	branchFixed  = 1 + 4 + 4
	outcomeFixed = 1 + 1 + 4 + 4
	memberFixed  = 4
	headerFixed  = 1 + 16
)

func recordSize(r *journal.Record) int {
	size := recordFixed + len(r.Label) + len(r.Heuristic)
	for i := range r.Branches {
		size += branchFixed + len(r.Branches[i].Participant) + len(r.Branches[i].Payload)
	}
	return size
}

func appendRecord(dst []byte, r *journal.Record) []byte {
	dst = append(dst, version, byte(r.Kind))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Began.UnixMicro()))
	dst = appendString(dst, r.Label)
	dst = appendString(dst, r.Heuristic)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Branches)))
	for i := range r.Branches {
		b := &r.Branches[i]
		var flags byte
		if b.TwoPhase {
			flags |= flagTwoPhase
		}
		if b.Pending {
			flags |= flagPending
		}
		dst = append(dst, flags)
		dst = appendString(dst, b.Participant)
		dst = appendString(dst, b.Payload)
	}
	return dst
}

func appendString[S string | []byte](dst []byte, s S) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

func outcomeSize(e *journal.Ended) int {
	size := outcomeFixed + len(e.Heuristic)
	for _, name := range e.Members {
		size += memberFixed + len(name)
	}
	return size
}

func appendOutcome(dst []byte, e *journal.Ended) []byte {
	dst = append(dst, version, byte(e.Outcome))
	dst = appendString(dst, e.Heuristic)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(e.Members)))
	for _, name := range e.Members {
		dst = appendString(dst, name)
	}
	return dst
}

func headerSize(h *journal.Header) int { return headerFixed + len(h.Coordinator) }

func appendHeader(dst []byte, h *journal.Header) []byte {
	dst = append(dst, version)
	dst = append(dst, h.Horizon[:]...)
	return append(dst, h.Coordinator...)
}

// decodeRecord is strict: it takes exactly what appendRecord makes. The record
// refers to nothing of key and value.
func decodeRecord(key, value []byte) (r journal.Record, err error) {
	d := decoder{rest: value}
	if len(key) != recordKeySize {
		d.damaged("key of %d bytes, want %d", len(key), recordKeySize)
	}
	d.version()
	r.Kind = journal.Kind(d.byte())
	if r.Kind < journal.Enlistment || r.Kind > journal.Rollback {
		d.damaged("unknown kind %d", r.Kind)
	}
	r.Began = (instant(d.uint64()) ^ signBit).time()
	r.Label = string(d.bytes())
	r.Heuristic = string(d.bytes())
	if count := d.count(branchFixed); count > 0 {
		r.Branches = make([]journal.Branch, count)
	}
	payloads := make([]byte, 0, len(d.rest))
	for i := range r.Branches {
		payloads = d.branch(&r.Branches[i], payloads)
	}
	if err := d.end(); err != nil {
		return journal.Record{}, fmt.Errorf("record %x: %w", key, err)
	}
	r.Transaction = uuid.UUID(key[1:])
	return r, nil
}

// branch reads one branch; its payload is copied to the end of payloads, which
// has room for all.
func (d *decoder) branch(b *journal.Branch, payloads []byte) []byte {
	flags := d.byte()
	if flags&^knownFlags != 0 {
		d.damaged("unknown flags %#x", flags)
	}
	b.TwoPhase = flags&flagTwoPhase != 0
	b.Pending = flags&flagPending != 0
	b.Participant = string(d.bytes())
	if payload := d.bytes(); len(payload) > 0 {
		start := len(payloads)
		payloads = append(payloads, payload...)
		b.Payload = payloads[start:len(payloads):len(payloads)]
	}
	return payloads
}

// decodeOutcome is strict, as decodeRecord is.
func decodeOutcome(key, value []byte) (e journal.Ended, err error) {
	d := decoder{rest: value}
	if len(key) != outcomeKeySize {
		d.damaged("key of %d bytes, want %d", len(key), outcomeKeySize)
	}
	d.version()
	e.Outcome = journal.Outcome(d.byte())
	if e.Outcome < journal.Committed || e.Outcome > journal.RolledBack {
		d.damaged("unknown outcome %d", e.Outcome)
	}
	e.Heuristic = string(d.bytes())
	if count := d.count(memberFixed); count > 0 {
		e.Members = make([]string, count)
	}
	for i := range e.Members {
		e.Members[i] = string(d.bytes())
	}
	if err := d.end(); err != nil {
		return journal.Ended{}, fmt.Errorf("outcome %x: %w", key, err)
	}
	e.Finished = instant(binary.BigEndian.Uint64(key[1:])).time()
	e.Transaction = uuid.UUID(key[1+8:])
	return e, nil
}

// decodeHeader is strict, as decodeRecord is.
func decodeHeader(value []byte) (h journal.Header, err error) {
	d := decoder{rest: value}
	d.version()
	copy(h.Horizon[:], d.take(len(h.Horizon)))
	h.Coordinator = string(d.take(len(d.rest)))
	if err := d.end(); err != nil {
		return journal.Header{}, fmt.Errorf("header: %w", err)
	}
	return h, nil
}
