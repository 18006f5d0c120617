package postgres

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// What a [*ServerError] is.
var (
	// ErrSerialization: a serialization failure or a deadlock. The branch is rolled
	// back, and may succeed when the whole transaction is run again.
	ErrSerialization = errors.New("postgres: serialization failure")
	// ErrDisabled: the server takes no prepared transactions.
	ErrDisabled = errors.New("postgres: prepared transactions are disabled")
	// ErrExhausted: as many transactions are prepared as the server takes.
	ErrExhausted = errors.New("postgres: too many prepared transactions")
	// ErrNotPreparable: the branch did what PostgreSQL cannot prepare.
	ErrNotPreparable = errors.New("postgres: branch cannot be prepared")
	// ErrOtherDatabase: the branch was prepared in another database of the server.
	ErrOtherDatabase = errors.New("postgres: branch belongs to another database")
	// ErrPermission: the role may not do this.
	ErrPermission = errors.New("postgres: permission denied")
	// ErrNotMigrated: the participant's tables are not there.
	ErrNotMigrated = errors.New("postgres: tables are missing")
	// ErrNotPrimary: the server, or the connection, is read-only.
	ErrNotPrimary = errors.New("postgres: server is read-only")
)

// ServerError is an answer of the server that somebody can do something about.
// errors.Is tells which, such as [ErrDisabled].
type ServerError struct {
	// Call is what was tried, such as "PREPARE TRANSACTION".
	Call string
	// Kind is one of the errors of this package that name the kind.
	Kind error
	// Advice is what to do about it.
	Advice string
	// Err is what it says: a *pgconn.PgError, or what the application made of one.
	Err error
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("%v: %s: %v: %s", e.Kind, e.Call, e.Err, e.Advice)
}

// Is tells the kind.
func (e *ServerError) Is(target error) bool { return target == e.Kind }

// Unwrap gives the server's answer.
func (e *ServerError) Unwrap() error { return e.Err }

// Codes of the server's answers that mean something here.
const (
	uniqueViolation   = "23505"
	claimed           = "22012" // division by zero: how a claim says that it is another's
	invalidText       = "22P02" // how the statements here say: below the horizon
	readOnlyServer    = "25006"
	failedTransaction = "25P02"
	serialization     = "40001"
	deadlock          = "40P01"
	noSchema          = "3F000"
	noTable           = "42P01"
	noObject          = "42704"
	duplicateObject   = "42710"
	permission        = "42501"
	outOfMemory       = "53200"
	notInState        = "55000"
	lockNotAvailable  = "55P03"
	unsupported       = "0A000"
)

// code is the server's answer; empty where err is none.
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// Calls, as a ServerError names them.
const (
	callWork    = "work"
	callPrepare = "PREPARE TRANSACTION"
	callCommit  = "COMMIT"
	callMarker  = "marker"
	callSettle  = "COMMIT PREPARED"
	callUndo    = "ROLLBACK PREPARED"
)

// advised is what can be done about an answer to the calls; nil means to any.
type advised struct {
	code   string
	calls  []string
	kind   error
	advice string
}

const (
	again    = "run the whole transaction again"
	apart    = "give each database of a server a participant name of its own"
	migrate  = "call Migrate"
	sameRole = "settle branches as the role that prepares them"
)

var (
	onPrepare = []string{callPrepare}
	onSettle  = []string{callSettle, callUndo}
	onTables  = []string{callMarker}
)

// advice is what is known of the server's answers.
var advice = []advised{
	{serialization, nil, ErrSerialization, again},
	{deadlock, nil, ErrSerialization, again},
	{notInState, onPrepare, ErrDisabled,
		"set max_prepared_transactions to the number of branches that can be prepared at a time, and restart the server"},
	{outOfMemory, onPrepare, ErrExhausted, "raise max_prepared_transactions, and restart the server"},
	{unsupported, onPrepare, ErrNotPreparable, "leave that out of the branch"},
	{duplicateObject, onPrepare, ErrOtherDatabase, apart},
	{unsupported, onSettle, ErrOtherDatabase, apart},
	{permission, onSettle, ErrPermission, sameRole},
	{permission, onTables, ErrPermission, "grant the role the rights that Schema names"},
	{noTable, onTables, ErrNotMigrated, migrate},
	{noSchema, onTables, ErrNotMigrated, migrate},
	{readOnlyServer, nil, ErrNotPrimary, "connect to the primary, for instance with target_session_attrs=read-write"},
}

// explain makes a [*ServerError] of an answer that something can be done about.
// Any other error stays what it is.
func explain(call string, err error) error {
	answer := code(err)
	if answer == "" || errors.As(err, new(*ServerError)) {
		return err
	}
	for _, a := range advice {
		if a.code == answer && (a.calls == nil || slices.Contains(a.calls, call)) {
			return &ServerError{Call: call, Kind: a.kind, Advice: a.advice, Err: err}
		}
	}
	return err
}
