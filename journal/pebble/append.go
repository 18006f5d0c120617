package pebble

import (
	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-d36415c0/dtc/journal"
)

func (s *store) Append(b journal.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if err := b.Check(); err != nil {
		s.fail(err)
		return s.cause
	}
	err := s.do(func() error { return s.write(b) })
	if err != nil {
		s.fail(err)
		return s.cause
	}
	return nil
}

func (s *store) write(b journal.Batch) error {
	batch := s.db.NewBatch()
	for i := range b.Writes {
		s.add(batch, &b.Writes[i])
	}
	options := pebble.NoSync
	if b.Force {
		options = pebble.Sync
		if batch.Empty() {
			// Pebble drops an empty batch, and would not sync. This one goes
			// to the log and nowhere else.
			if err := batch.LogData(nil, nil); err != nil {
				return err
			}
		}
	}
	if err := batch.Commit(options); err != nil {
		return err
	}
	return batch.Close()
}

// add encodes one write, straight into the batch. The batch has no index, so its
// operations need no Finish.
func (s *store) add(batch *pebble.Batch, w *journal.Write) {
	switch {
	case w.Put != nil:
		op := batch.SetDeferred(recordKeySize, recordSize(w.Put))
		appendRecordKey(op.Key[:0], w.Put.Transaction)
		appendRecord(op.Value[:0], w.Put)
	case w.End != nil:
		appendRecordKey(batch.DeleteDeferred(recordKeySize).Key[:0], w.End.Transaction)
		finished := instantOf(w.End.Finished)
		op := batch.SetDeferred(outcomeKeySize, outcomeSize(w.End))
		appendOutcomeKey(op.Key[:0], finished, w.End.Transaction)
		appendOutcome(op.Value[:0], w.End)
		s.oldest = min(s.oldest, finished)
	case w.Expire != nil:
		limit := instantOf(*w.Expire) + 1
		if s.oldest < limit {
			op := batch.DeleteRangeDeferred(1+8, 1+8)
			appendInstantKey(op.Key[:0], s.oldest)
			appendInstantKey(op.Value[:0], limit)
			s.oldest = limit
		}
	case w.Header != nil:
		op := batch.SetDeferred(len(headerKey), headerSize(w.Header))
		copy(op.Key, headerKey)
		appendHeader(op.Value[:0], w.Header)
	}
}
