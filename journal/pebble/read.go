package pebble

import (
	"encoding/binary"
	"errors"
	"iter"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
)

func (s *store) Header() (h journal.Header, err error) {
	_, err = s.get(headerKey, func(value []byte) error {
		h, err = decodeHeader(value)
		return err
	})
	return h, err
}

func (s *store) Record(id uuid.UUID) (r journal.Record, ok bool, err error) {
	key := appendRecordKey(make([]byte, 0, recordKeySize), id)
	ok, err = s.get(key, func(value []byte) error {
		r, err = decodeRecord(key, value)
		return err
	})
	return r, ok, err
}

// Records goes through the records as they are when the sequence starts.
func (s *store) Records(after uuid.UUID) iter.Seq2[journal.Record, error] {
	next := append(appendRecordKey(nil, after), 0)
	return scan(s, next, []byte{recordSpace + 1}, decodeRecord)
}

// Outcomes goes through the outcomes as they are when the sequence starts.
func (s *store) Outcomes() iter.Seq2[journal.Ended, error] {
	return scan(s, []byte{outcomeSpace}, []byte{outcomeSpace + 1}, decodeOutcome)
}

// get calls decode with the value of key, if it has one.
func (s *store) get(key []byte, decode func(value []byte) error) (ok bool, err error) {
	if err := s.usable(); err != nil {
		return false, err
	}
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err == nil {
		err = errors.Join(decode(value), closer.Close())
	}
	if err != nil {
		return false, explain(s.dir, running, err)
	}
	return true, nil
}

// scan decodes what has keys from lower to before upper.
func scan[T any](s *store, lower, upper []byte, decode func(key, value []byte) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := s.scan(lower, upper, func(key, value []byte) (bool, error) {
			v, err := decode(key, value)
			return err == nil && yield(v, nil), err
		}); err != nil {
			var none T
			yield(none, err)
		}
	}
}

// scan calls visit until it returns false or an error.
func (s *store) scan(lower, upper []byte, visit func(key, value []byte) (bool, error)) (err error) {
	if err := s.usable(); err != nil {
		return err
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return explain(s.dir, running, err)
	}
	defer func() {
		if e := errors.Join(err, it.Close()); e != nil {
			err = explain(s.dir, running, e)
		}
	}()
	for more := it.First(); more; more = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if more, err := visit(it.Key(), value); !more {
			return err
		}
	}
	return nil
}

// findOldest reads the finish time of the first outcome.
func (s *store) findOldest() (oldest instant, err error) {
	oldest = never
	err = s.scan([]byte{outcomeSpace}, []byte{outcomeSpace + 1}, func(key, _ []byte) (bool, error) {
		if len(key) == outcomeKeySize {
			oldest = instant(binary.BigEndian.Uint64(key[1:]))
		}
		return false, nil
	})
	return oldest, err
}
