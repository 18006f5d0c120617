// Package journal keeps what a coordinator must not forget, on stable storage.
//
// A journal holds three things, in key spaces of their own:
//
//   - A [Record] per unfinished transaction: what has been decided about it and
//     which branches it has. A later record of the same transaction replaces the
//     earlier one.
//   - An [Ended] per finished transaction: its outcome, in the order in which
//     they finished. Only these expire.
//   - One [Header]: whose journal it is, and up to which transaction outcomes
//     have expired.
//
// The coordinator's journal writer is the only one that appends; it gathers
// what many transactions want written into one [Batch]. [Memory] keeps
// everything in the process and forgets it with the process; package
// journal/pebble keeps it on disk. Package journaltest checks an
// implementation.
package journal

import (
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"
)

// Journal is where a coordinator writes its decisions.
//
// Append is called by one goroutine at a time (by many if the journal is
// [Immediate]); the other methods may be called concurrently with it and with
// each other, and see every batch whose Append has returned.
type Journal interface {
	// Append applies the batch's writes, in order, all or none of them. Where
	// the batch is to be forced, it returns nil only when everything in it, and
	// everything appended before, is on stable storage.
	//
	// An error leaves it unknown whether the batch will be found when the
	// journal is read again, unless it wraps [ErrFenced]: then it will not, and
	// another owner has taken over. After an error every later Append fails
	// without writing anything.
	Append(Batch) error

	// Header returns the journal's header; the zero Header for a new journal.
	Header() (Header, error)

	// Record returns the record of one unfinished transaction; ok is false if
	// there is none.
	Record(id uuid.UUID) (r Record, ok bool, err error)

	// Records goes through the unfinished transactions whose ids follow after,
	// in the order of their ids; uuid.Nil starts at the first. The first error
	// ends it.
	Records(after uuid.UUID) iter.Seq2[Record, error]

	// Outcomes goes through the finished transactions, in the order in which
	// they finished. The first error ends it.
	Outcomes() iter.Seq2[Ended, error]

	// Lasts tells whether what was forced survives the process.
	Lasts() bool

	// Close releases the journal, after a failure too. It must not be called
	// while another call is under way.
	Close() error
}

// Immediate marks a journal whose Append neither waits nor takes long and may
// be called concurrently, so that no writer is needed to gather batches.
type Immediate interface {
	Immediate()
}

// Kind says what a [Record] means to recovery.
type Kind uint8

const (
	// Enlistment: branches may have done work; nothing is decided. Recovery
	// rolls them back.
	Enlistment Kind = iota + 1
	// Intent: phase one may have begun. Recovery rolls the branches back.
	Intent
	// Delegation: the decision was left to the only branch. Recovery asks it.
	Delegation
	// Commit: decided. Recovery commits the branches that are [Branch.Pending].
	Commit
	// Rollback: decided. Recovery rolls back the branches that are pending.
	Rollback
)

// Outcome is how a transaction ended.
type Outcome uint8

const (
	// Committed everywhere.
	Committed Outcome = iota + 1
	// RolledBack everywhere.
	RolledBack
)

// Record is what the journal knows of an unfinished transaction.
type Record struct {
	Transaction uuid.UUID
	Kind        Kind
	// Began is when the transaction began; kept to the microsecond.
	Began time.Time
	// Label is the application's name for the transaction; may be empty.
	Label string
	// Heuristic says which branches a person settled by hand so far, how and why;
	// empty where none.
	Heuristic string
	Branches  []Branch
}

// Branch is one participant's part in a [Record].
type Branch struct {
	Participant string
	// TwoPhase tells whether the participant prepares.
	TwoPhase bool
	// Pending is false where the branch needs no further call: it voted
	// read-only, is one-phase and has committed, or has acknowledged already.
	Pending bool
	// Payload is what the application gave to Enlist. The journal does not keep
	// a reference to it.
	Payload []byte
}

// Ended is what the journal knows of a finished transaction.
type Ended struct {
	Transaction uuid.UUID
	Outcome     Outcome
	// Finished is when the last branch was done; kept to the microsecond.
	Finished time.Time
	// Heuristic says which branches a person settled by hand, how and why; empty
	// where none.
	Heuristic string
	// Members names the branches that a committed transaction told to commit, of
	// those whose participants can list theirs: such a branch is told so again when
	// it is listed once more, any other one is rolled back. Empty where the
	// transaction was rolled back. The journal does not keep a reference to it.
	Members []string
}

// Header belongs to the journal as a whole.
type Header struct {
	// Coordinator is the name of the coordinator that owns the journal.
	Coordinator string
	// Horizon is the greatest id of any transaction whose outcome has expired;
	// uuid.Nil where none has.
	Horizon uuid.UUID
}

// Batch is a number of writes that are applied together.
type Batch struct {
	Writes []Write
	// Force asks for stable storage before Append returns. An empty batch that
	// is forced forces what was appended before.
	Force bool
}

// Write is one change to the journal. Exactly one field is set.
type Write struct {
	// Put keeps the record, in place of the transaction's earlier one.
	Put *Record
	// End removes the transaction's record, if it has one, and keeps its
	// outcome.
	End *Ended
	// Expire removes the outcomes of all transactions that finished at or before
	// this instant. The horizon is moved by a Header write in the same batch.
	Expire *time.Time
	// Header replaces the header.
	Header *Header
}

// Errors of journals. They may be wrapped with what was found and where.
var (
	// ErrLocked: another coordinator has the journal open.
	ErrLocked = errors.New("journal: locked by another coordinator")
	// ErrFormat: the journal was written by a newer version, or is none.
	ErrFormat = errors.New("journal: unknown format")
	// ErrCorrupt: the journal is damaged, and not only at its torn end.
	ErrCorrupt = errors.New("journal: damaged")
	// ErrFull: there is no room left on the device.
	ErrFull = errors.New("journal: no space left")
	// ErrFailed: an earlier Append failed; nothing was written.
	ErrFailed = errors.New("journal: failed before; open it again")
	// ErrFenced: another owner has taken the journal over; nothing was written.
	ErrFenced = errors.New("journal: fenced off by another owner")
	// ErrClosed: the journal has been closed.
	ErrClosed = errors.New("journal: closed")
)

func (k Kind) String() string {
	switch k {
	case Enlistment:
		return "enlistment"
	case Intent:
		return "intent"
	case Delegation:
		return "delegation"
	case Commit:
		return "commit"
	case Rollback:
		return "rollback"
	default:
		return "unknown"
	}
}

func (o Outcome) String() string {
	switch o {
	case Committed:
		return "committed"
	case RolledBack:
		return "rolled back"
	default:
		return "unknown"
	}
}
