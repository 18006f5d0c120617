package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/uuid"
)

// ErrClosed refuses a call of a participant after its Close.
var ErrClosed = errors.New("mysql: participant is closed")

// ErrBranchEnded refuses a statement in a branch that is prepared, decided, or
// given up.
var ErrBranchEnded = errors.New("mysql: branch has ended")

// ErrRowsOpen refuses a statement in a branch, or its Prepare, while rows of an earlier
// query are open: close them first.
var ErrRowsOpen = errors.New("mysql: rows of an earlier query are open in the branch")

// InvalidError refuses an argument.
type InvalidError struct {
	What   string
	Reason string
}

func (e *InvalidError) Error() string { return fmt.Sprintf("mysql: the %s %s", e.What, e.Reason) }

// ServerError says that the server, or how it is set, cannot do what is needed.
type ServerError struct {
	// Setting is what was found, Need what must be set instead.
	Setting, Need string
}

func (e *ServerError) Error() string { return fmt.Sprintf("mysql: %s: %s", e.Setting, e.Need) }

// SchemaError says that a table is missing or cannot be used: call
// [Participant.Migrate], or run the statements of [Schema].
type SchemaError struct {
	Table  string
	Reason string
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("mysql: table %s %s: call Migrate, or run the statements of Schema", e.Table, e.Reason)
}

// PrivilegeError says what the database user must be granted.
type PrivilegeError struct {
	// Privilege is to be granted on On.
	Privilege, On string
	// For is what it is needed for.
	For string
	Err error
}

func (e *PrivilegeError) Error() string {
	return fmt.Sprintf("mysql: to %s, the database user needs GRANT %s ON %s: %v", e.For, e.Privilege, e.On, e.Err)
}

// Unwrap is the server's error.
func (e *PrivilegeError) Unwrap() error { return e.Err }

// PoolError says that the pool had no connection to give: every branch holds one
// from its beginning to its decision. Raise sql.DB.SetMaxOpenConns above the number
// of branches that are live at a time.
type PoolError struct {
	// Max is the pool's SetMaxOpenConns.
	Max int
	Err error
}

func (e *PoolError) Error() string {
	return fmt.Sprintf("mysql: no connection: all %d of the pool are in use, and each branch holds one until it is decided: "+
		"raise SetMaxOpenConns: %v", e.Max, e.Err)
}

// Unwrap is the context's error.
func (e *PoolError) Unwrap() error { return e.Err }

// BusyError says that the branch is in the hands of another connection, which is
// working on it, or about which the server has not finished. The call may be
// repeated.
type BusyError struct {
	Transaction uuid.UUID
	// Connection is the id of that connection; 0 where it is not known.
	Connection uint64
	// Err ended the waiting; nil where there was none.
	Err error
}

func (e *BusyError) Error() string {
	s := fmt.Sprintf("mysql: the branch of transaction %s is in use", e.Transaction)
	if e.Connection != 0 {
		s += fmt.Sprintf(" by connection %d", e.Connection)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap is what ended the waiting.
func (e *BusyError) Unwrap() error { return e.Err }

// NotBegunError refuses to prepare a branch without payload for which no work is
// open here: none was begun, or the process that began it is another one or has
// ended, or its connection was lost or held for longer than Options.BranchTimeout. Of a
// branch with payload it says that there is no Options.Work, or that work was begun
// for it as well, which would be ambiguous.
type NotBegunError struct {
	Transaction uuid.UUID
	Reason      string
}

func (e *NotBegunError) Error() string {
	return fmt.Sprintf("mysql: no work to prepare for transaction %s: %s", e.Transaction, e.Reason)
}

// TimeoutError says that a branch held its connection for longer than Options.BranchTimeout
// and was rolled back.
type TimeoutError struct {
	Transaction   uuid.UUID
	BranchTimeout time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("mysql: the branch of transaction %s was not prepared within %s and is rolled back: raise Options.BranchTimeout",
		e.Transaction, e.BranchTimeout)
}

// Numbers of the server's errors that mean something here.
const (
	errNoSuchThread   = 1094
	errKillDenied     = 1095
	errTableMissing   = 1146
	errTableDenied    = 1142
	errDatabaseDenied = 1044
	errUnknownSetting = 1193
	errLockWait       = 1205 // also MariaDB's answer to NOWAIT
	errDeadlock       = 1213
	errDenied         = 1227
	errXARecover      = 1401 // XAER_RMERR: MySQL's answer to XA RECOVER without the privilege
	errDuplicate      = 1062
	errNoWait         = 3572 // MySQL's answer to NOWAIT
)

// number is the server's error, 0 if it is none.
func number(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// lost tells whether the connection must be taken for broken.
func lost(err error) bool {
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &network)
}

// explained adds to the error of a statement of ours what its reader can do.
func explained(what string, err error) error {
	switch number(err) {
	case errTableMissing:
		return &SchemaError{Table: tables, Reason: "is missing"}
	case errTableDenied, errDatabaseDenied:
		return &PrivilegeError{Privilege: "SELECT, INSERT, UPDATE, DELETE", On: tables, For: what, Err: err}
	}
	return fmt.Errorf("mysql: %s: %w", what, err)
}
