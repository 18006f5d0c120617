package sqlbranch

import (
	"errors"
	"fmt"
)

// ErrTransactionEnded: on MySQL, a function went on after an error that had ended its
// transaction, or executed ROLLBACK. The branch's state was not changed, but what the
// function did after the end of its transaction stays. The function needs to be mended.
var ErrTransactionEnded = errors.New("sqlbranch: the function's transaction was ended under it")

// InvalidError refuses a value that the application gave, before anything is done.
type InvalidError struct {
	// Field is what was given, such as "Database.DB" or "Branch.Coordinator".
	Field string
	// Reason says what is wrong with it and what is accepted.
	Reason string
}

func (e *InvalidError) Error() string { return "sqlbranch: " + e.Field + " " + e.Reason }

// CommitError says that COMMIT failed, or was not answered, so that the call may
// have taken effect. The same call, made again, finds out.
type CommitError struct {
	Err error
}

func (e *CommitError) Error() string {
	return fmt.Sprintf("sqlbranch: COMMIT failed and may have taken effect, the same call again will tell: %v", e.Err)
}

// Unwrap returns the driver's error, or the context's.
func (e *CommitError) Unwrap() error { return e.Err }

// wrapped adds to a driver's error what was tried; nil stays nil.
func wrapped(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlbranch: %s: %w", doing, err)
}
