package main

import (
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// waitForDatabase is how long to wait for a database that is not there at the
// moment: it may be starting.
const waitForDatabase = 30 * time.Second

// patiently does something with a database, again while that is not there.
func patiently(do func() error) error {
	late := time.After(waitForDatabase)
	for {
		err := do()
		if !absent(err) {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-late:
			return err
		}
	}
}

// absent tells whether an error says that the database is not there, or has gone.
func absent(err error) bool {
	for _, gone := range []error{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF, driver.ErrBadConn, mysql.ErrInvalidConn,
	} {
		if errors.Is(err, gone) {
			return true
		}
	}
	var said *pgconn.PgError
	return errors.As(err, &said) && strings.HasPrefix(said.Code, "57P") // ending, or starting
}
