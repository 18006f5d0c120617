package sqlbranch

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"
)

// retryable tells whether a transaction failed because others were at work, so that
// the same may succeed when it is made again. Drivers are known by the shape of
// their errors, so that none need be imported.
func (d Database) retryable(err error) bool {
	if d.Retryable != nil && d.Retryable(err) {
		return true
	}
	switch d.Dialect {
	case PostgreSQL:
		var e interface{ SQLState() string }
		return errors.As(err, &e) && slices.Contains(postgreSQLConflicts, e.SQLState())
	case MySQL:
		return slices.Contains(mySQLConflicts, mySQLNumber(err))
	default:
		var e interface{ Code() int }
		return errors.As(err, &e) && e.Code()&0xff == sqliteBusy
	}
}

var (
	// serialization_failure, deadlock_detected
	postgreSQLConflicts = []string{"40001", "40P01"}
	// ER_LOCK_DEADLOCK, ER_LOCK_WAIT_TIMEOUT, ER_CHECKREAD (of innodb_snapshot_isolation)
	mySQLConflicts = []uint64{1213, 1205, 1020}
)

const sqliteBusy = 5 // SQLITE_BUSY; the higher bits of a code say more

// mySQLNumber is the field Number of the first error that has one, such as
// *mysql.MySQLError; 0 if none has.
func mySQLNumber(err error) uint64 {
	if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
		if f := v.FieldByName("Number"); f.IsValid() && f.CanUint() {
			return f.Uint()
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if next := e.Unwrap(); next != nil {
			return mySQLNumber(next)
		}
	case interface{ Unwrap() []error }:
		for _, next := range e.Unwrap() {
			if n := mySQLNumber(next); n != 0 {
				return n
			}
		}
	}
	return 0
}

// pause waits for a time between half of d and d, and tells whether the context
// let it.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d/2))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
