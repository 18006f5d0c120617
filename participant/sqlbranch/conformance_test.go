package sqlbranch_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

// TestConformance checks every promise. A restart is a new pool and a new
// participant on what is in the database.
func TestConformance(t *testing.T) {
	all := append(kinds[:len(kinds):len(kinds)],
		postgres.with("simple protocol", "&default_query_exec_mode=simple_protocol"),
		mariaDB.with("found rows, in the text", "?clientFoundRows=true&interpolateParams=true"),
		sqlite.with("deferred", ""),
	)
	each(t, all, func(t *testing.T, k kind) {
		t.Run("tcc", func(t *testing.T) {
			conforms(t, k, func(db sqlbranch.Database) (participant.Participant, error) {
				return sqlbranch.NewTCC("stock", db, tcc(db.Dialect))
			})
		})
		if k.name != k.base {
			return
		}
		t.Run("saga", func(t *testing.T) {
			conforms(t, k, func(db sqlbranch.Database) (participant.Participant, error) {
				return sqlbranch.NewSaga("stock", db, saga(db.Dialect))
			})
		})
	})
}

func conforms(t *testing.T, k kind, make func(sqlbranch.Database) (participant.Participant, error)) {
	dsn, next := k.place(t)+k.settings, 0
	participanttest.Run(t, participanttest.Harness{Durable: true, Open: func(string) (*participanttest.Service, error) {
		db, err := k.pool(dsn)
		if err != nil {
			return nil, err
		}
		p, err := make(db)
		return &participanttest.Service{
			Participant: p,
			Payload: func() []byte {
				next++
				return fmt.Appendf(nil, "item %d", next)
			},
			Refused: func() []byte { return []byte("none") },
			Effects: func(b participant.Branch) (int, error) { return effects(db.DB, b) },
			Close:   func() error { clean(t, db.DB); return db.DB.Close() },
		}, err
	}})
}

// effects counts a branch that is held by more or less than one as an effect that
// it must not have.
func effects(db *sql.DB, b participant.Branch) (int, error) {
	held, sold, err := stock(db, string(b.Payload))
	if held < 0 || held > 1 {
		return 100 * held, err
	}
	return sold, err
}
