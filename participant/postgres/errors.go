package postgres

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ErrClosed: the participant has been closed.
var ErrClosed = errors.New("postgres: participant is closed")

// BranchError refuses a branch that cannot be prepared as the application left
// it, or a call on a branch that is over. For the latter errors.Is says
// pgx.ErrTxClosed.
type BranchError struct {
	Transaction uuid.UUID
	// Reason is what is the matter, and what to do about it.
	Reason string
	// Err is the cause; nil if there is no other.
	Err error
}

func (e *BranchError) Error() string {
	s := fmt.Sprintf("postgres: branch of transaction %s: %s", e.Transaction, e.Reason)
	if e.Err != nil && e.Err != pgx.ErrTxClosed {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *BranchError) Unwrap() error { return e.Err }

// CoordinatorDecidesError refuses Commit and Rollback of the transaction that
// [Participant.Begin] gives: the coordinator decides, for all branches together.
type CoordinatorDecidesError struct {
	Transaction uuid.UUID
	// Call is "Commit" or "Rollback".
	Call string
}

func (e *CoordinatorDecidesError) Error() string {
	return fmt.Sprintf("postgres: %s of a branch of transaction %s: the coordinator decides", e.Call, e.Transaction)
}

// PoolError says that no connection was free in time.
type PoolError struct {
	// Max is the pool's size.
	Max int32
	// For is what the connection was wanted for.
	For string
	Err error
}

func (e *PoolError) Error() string {
	return fmt.Sprintf("postgres: no connection for %s: all %d are in use: raise the pool's MaxConns, or run fewer at a time: %v", e.For, e.Max, e.Err)
}

// Unwrap gives the context's error.
func (e *PoolError) Unwrap() error { return e.Err }

// HeldError says that a branch could not be settled in time, because a server
// process still holds it and could not be ended. The call may come again.
type HeldError struct {
	Transaction uuid.UUID
	// Processes are the ids of the server processes, as far as they are known.
	Processes []int32
	Err       error
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("postgres: branch of transaction %s is held by server processes %d: end them with pg_terminate_backend, as their role or a superuser: %v",
		e.Transaction, e.Processes, e.Err)
}

// Unwrap gives the last failure.
func (e *HeldError) Unwrap() error { return e.Err }

// GidError refuses a branch whose name at the server would be too long: that of
// the participant and of the coordinator have to be shorter.
type GidError struct {
	Gid string
	// Limit is how many bytes a gid has at most.
	Limit int
}

func (e *GidError) Error() string {
	return fmt.Sprintf("postgres: gid %.60q… has %d bytes, the limit is %d: give the participant or the coordinator a shorter name", e.Gid, len(e.Gid), e.Limit)
}

// OptionError refuses an argument of [New], or of another call.
type OptionError struct {
	// Option is its name, such as "Options.Schema".
	Option string
	Value  any
	Reason string
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("postgres: %s %#v: %s", e.Option, e.Value, e.Reason)
}
