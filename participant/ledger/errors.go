package ledger

import (
	"fmt"

	"github.com/seed-d36415c0/dtc/participant/internal/wal"
)

// Errors of the ledger's file. They come wrapped with the path and what was
// found.
var (
	// ErrLocked: the file is open already, in this process or another.
	ErrLocked = wal.ErrLocked
	// ErrFormat: the file is no ledger, or a newer version's.
	ErrFormat = wal.ErrFormat
	// ErrCorrupt: the file is damaged, and not only at its torn end.
	ErrCorrupt = wal.ErrCorrupt
	// ErrFailed: a write or sync failed, now or earlier. The ledger does no more
	// work; open it again.
	ErrFailed = wal.ErrFailed
	// ErrClosed: the ledger has been closed.
	ErrClosed = wal.ErrClosed
)

// InsufficientError refuses a branch that could take an account below its floor.
type InsufficientError struct {
	Account string
	// Have is what can be taken: the balance less the floor and less what
	// prepared branches take.
	Have int64
	// Want is what the branch takes.
	Want int64
}

func (e *InsufficientError) Error() string {
	return fmt.Sprintf("ledger: account %q has %d to take, not %d", e.Account, e.Have, e.Want)
}

// UnknownAccountError refuses a branch with an account that does not exist.
type UnknownAccountError struct {
	Account string
}

func (e *UnknownAccountError) Error() string {
	return fmt.Sprintf("ledger: no account %q", e.Account)
}

// OverflowError refuses a branch that could take an account above [MaxAmount].
type OverflowError struct {
	Account string
	// Room is how much can be added; Want is what the branch adds.
	Room, Want int64
}

func (e *OverflowError) Error() string {
	return fmt.Sprintf("ledger: account %q has room for %d up to the limit of %d, not %d", e.Account, e.Room, int64(MaxAmount), e.Want)
}

// PayloadError refuses a payload that is not the document that package ledger
// describes.
type PayloadError struct {
	Reason string
}

func (e *PayloadError) Error() string { return "ledger: bad payload: " + e.Reason }

// AccountError refuses an account that [Ledger.Seed] is given.
type AccountError struct {
	Account string
	Reason  string
}

func (e *AccountError) Error() string {
	return fmt.Sprintf("ledger: bad account %q: %s", e.Account, e.Reason)
}
