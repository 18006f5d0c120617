package journal

import "fmt"

// Check reports the first write of the batch that no journal can keep: one
// that does not have exactly one field set, or whose kind or outcome is none of
// the known ones. Every Append refuses such a batch as a whole, with this
// error, and writes nothing of it.
func (b Batch) Check() error {
	for i := range b.Writes {
		if err := b.Writes[i].check(); err != nil {
			return fmt.Errorf("journal: write %d of %d %w", i+1, len(b.Writes), err)
		}
	}
	return nil
}

func (w *Write) check() error {
	set := 0
	if w.Put != nil {
		set++
		if k := w.Put.Kind; k < Enlistment || k > Rollback {
			return fmt.Errorf("puts a record of kind %d; known are %d to %d", k, Enlistment, Rollback)
		}
	}
	if w.End != nil {
		set++
		if o := w.End.Outcome; o < Committed || o > RolledBack {
			return fmt.Errorf("ends with outcome %d; known are %d and %d", o, Committed, RolledBack)
		}
	}
	if w.Expire != nil {
		set++
	}
	if w.Header != nil {
		set++
	}
	if set != 1 {
		return fmt.Errorf("has %d fields set; it needs exactly one", set)
	}
	return nil
}
