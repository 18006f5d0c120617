package files

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant/internal/wal"
)

// Errors of a tree. They come wrapped with what was found.
var (
	// ErrLocked: the directory is open already, in this process or another.
	ErrLocked = wal.ErrLocked
	// ErrFormat: the log in Dir is no tree's, or a newer version's.
	ErrFormat = wal.ErrFormat
	// ErrCorrupt: the log in Dir is damaged, or a staged file is lost.
	ErrCorrupt = wal.ErrCorrupt
	// ErrFailed: a write or sync of what must not be lost failed, now or earlier.
	// The tree does no more work; open it again.
	ErrFailed = wal.ErrFailed
	// ErrClosed: the tree has been closed.
	ErrClosed = wal.ErrClosed
	// ErrPrepared refuses changes of a branch that is prepared.
	ErrPrepared = errors.New("files: branch is prepared and takes no more changes")
)

// PathError refuses a path that cannot be changed or read, whatever is there.
type PathError struct {
	Path   string
	Reason string
}

func (e *PathError) Error() string { return fmt.Sprintf("files: path %.300q: %s", e.Path, e.Reason) }

// KindError refuses a path because of what is there.
type KindError struct {
	Path string
	// Is says what is there, Want what must be.
	Is, Want string
}

func (e *KindError) Error() string {
	return fmt.Sprintf("files: %q is %s, not %s", e.Path, e.Is, e.Want)
}

// ConflictError refuses a path that another branch holds until it is decided.
type ConflictError struct {
	Path string
	// Transaction is the one whose branch holds the path.
	Transaction uuid.UUID
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("files: %q is held by transaction %s until that is decided", e.Path, e.Transaction)
}

// LimitError refuses what is more than the named option allows.
type LimitError struct {
	// Option is the field of Options to set, Limit its value, Value what was asked.
	Option       string
	Limit, Value int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("files: %d is more than Options.%s allows, %d", e.Value, e.Option, e.Limit)
}

// ChangedError refuses to prepare a branch that expects something else at a path,
// or renames a file that is another one by now.
type ChangedError struct {
	Path string
	// Want is what the branch expects, Found what is there.
	Want, Found string
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("files: %q is not as expected: want %s, found %s", e.Path, e.Want, e.Found)
}

// MountError refuses a path on another file system or mount than the tree's own.
type MountError struct {
	Path string
}

func (e *MountError) Error() string {
	return fmt.Sprintf("files: %q is on another mount than %s: files cannot be renamed there; open a tree there instead", e.Path, Dir)
}

// NoWorkError refuses to prepare a branch that has no payload and no work here:
// it was not begun, or what was begun is lost.
type NoWorkError struct {
	Transaction uuid.UUID
	// Lifetime is Options.Lifetime, after which an unprepared branch is given up.
	Lifetime time.Duration
}

func (e *NoWorkError) Error() string {
	return fmt.Sprintf("files: no work of transaction %s is held: it was not begun here, was refused, did not survive a restart,"+
		" or is older than Options.Lifetime, %v", e.Transaction, e.Lifetime)
}

// PayloadError refuses a payload that is not the encoding of a [Payload].
type PayloadError struct {
	Reason string
}

func (e *PayloadError) Error() string { return "files: bad payload: " + e.Reason }

// LostError refuses to commit a prepared branch one of whose staged files has been
// removed by somebody else. It is an [ErrCorrupt].
type LostError struct {
	Path string
	// Staged is where its new content was.
	Staged string
}

func (e *LostError) Error() string {
	return fmt.Sprintf("files: the staged content of %q is lost: no %s", e.Path, e.Staged)
}

// Is makes it an ErrCorrupt.
func (e *LostError) Is(target error) bool { return target == ErrCorrupt }
