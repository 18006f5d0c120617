package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/mysql"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

var errRefused = errors.New("refused")

// book writes the payload, a number, down under the transaction.
func book(ctx context.Context, tx *mysql.Branch, b participant.Branch) error {
	n, err := strconv.Atoi(string(b.Payload))
	if err != nil {
		return err
	}
	if n < 0 {
		return errRefused
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO work (id, n) VALUES (?, ?)", b.Transaction[:], n)
	return err
}

func booked(db *sql.DB, b participant.Branch) (n int, err error) {
	err = db.QueryRow("SELECT COUNT(*) FROM work WHERE id = ?", b.Transaction[:]).Scan(&n)
	return n, err
}

func open(dsn string) (*sql.DB, error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return nil, err
	}
	_, err = db.Exec("CREATE TABLE IF NOT EXISTS work (id BINARY(16) NOT NULL, n INT NOT NULL) ENGINE=InnoDB")
	return db, err
}

func TestConformance(t *testing.T) {
	t.Parallel()
	dsn := serverstest.MariaDBDatabase(t)
	participanttest.Run(t, participanttest.Harness{Durable: true, Open: func(string) (*participanttest.Service, error) {
		db, err := open(dsn)
		if err != nil {
			return nil, err
		}
		p, err := mysql.New("books", db, &mysql.Options{Work: book})
		if err != nil {
			return nil, err
		}
		if err := p.Migrate(context.Background()); err != nil {
			return nil, err
		}
		next := 0
		return &participanttest.Service{
			Participant: p,
			Payload: func() []byte {
				next++
				return fmt.Append(nil, next)
			},
			Refused: func() []byte { return []byte("-1") },
			Effects: func(b participant.Branch) (int, error) { return booked(db, b) },
			Close:   func() error { return errors.Join(p.Close(), db.Close()) },
		}, nil
	}})
}
