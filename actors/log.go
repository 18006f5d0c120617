package actors

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
)

// Log is the way to the journal: through the writer, which gathers what many
// transactions want written, or straight where the journal never waits.
type Log struct {
	Journal journal.Journal
	// Writer is the address of the journal writer; not used with an immediate
	// journal.
	Writer *Ref
	// Failed is told once, of the first failure.
	Failed func(error)

	immediate bool
	forced    atomic.Uint64
	syncs     atomic.Uint64
	failure   atomic.Pointer[error]
}

// NewLog returns the way to j.
func NewLog(j journal.Journal, writer *Ref, failed func(error)) *Log {
	_, immediate := j.(journal.Immediate)
	return &Log{Journal: j, Writer: writer, Failed: failed, immediate: immediate}
}

// Immediate tells whether the journal needs no writer.
func (l *Log) Immediate() bool { return l.immediate }

// Volatile tells whether what is written helps nobody but this process, so that a
// transaction is written down only when it leaves memory.
func (l *Log) Volatile() bool { return l.immediate && !l.Journal.Lasts() }

// Err returns why the journal has failed; nil if it has not.
func (l *Log) Err() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Forced returns how many forced appends were asked for, and how many forced
// batches that made.
func (l *Log) Forced() (appends, syncs uint64) { return l.forced.Load(), l.syncs.Load() }

// Append writes, or has it written. Where the answer is known at once it is
// returned and not sent.
func (l *Log) Append(a messages.Append) (answer messages.Appended, known bool) {
	answer = messages.Appended{Record: a.Record, Branches: a.Branches}
	if l.immediate {
		if a.Force {
			l.forced.Add(1)
		}
		if len(a.Writes) == 0 {
			answer.Err = l.Err()
			return answer, true
		}
		answer.Err = l.write(journal.Batch{Writes: a.Writes, Force: a.Force})
		return answer, true
	}
	sent := a // only this one leaves the stack
	if !l.Writer.Send(&sent) {
		answer.Err = journal.ErrClosed
		return answer, true
	}
	return answer, false
}

// write appends a batch. After the first failure nothing is written any more.
func (l *Log) write(b journal.Batch) (err error) {
	if err := l.Err(); err != nil {
		return err
	}
	err = errJournalExits // unless Append returns
	defer func() {
		if err != nil {
			l.failed(err)
		}
	}()
	defer journalPanic(&err)
	if b.Force {
		l.syncs.Add(1)
	}
	err = l.Journal.Append(b)
	return err
}

// errJournalExits says that the journal ended the goroutine it was called on.
var errJournalExits = errors.New("journal ended the goroutine of its call")

// journalPanic makes an error of a panic of the journal.
func journalPanic(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("journal panicked: %v", p)
	}
}

// failed keeps the first failure, and tells of it.
func (l *Log) failed(err error) {
	if l.failure.CompareAndSwap(nil, &err) {
		l.Failed(err)
	}
}

// Record reads a transaction's record. It is an error if the journal panics or
// ends the goroutine, which is not the caller's.
func (l *Log) Record(id uuid.UUID) (r journal.Record, ok bool, err error) {
	done := make(chan struct{})
	err = errJournalExits
	go func() {
		defer close(done)
		defer journalPanic(&err)
		r, ok, err = l.Journal.Record(id)
	}()
	<-done
	return r, ok, err
}

// Records goes through all records after an id until each returns false. A panic
// of the journal is an error.
func (l *Log) Records(after uuid.UUID, each func(*journal.Record) bool) (err error) {
	defer journalPanic(&err)
	for r, err := range l.Journal.Records(after) {
		if err != nil || !each(&r) {
			return err
		}
	}
	return nil
}

// Close closes the journal. A panic of it is an error.
func (l *Log) Close() (err error) {
	defer journalPanic(&err)
	return l.Journal.Close()
}
