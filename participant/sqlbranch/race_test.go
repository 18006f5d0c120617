package sqlbranch_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

// levels are the databases at every level of isolation that they have.
var levels = []struct {
	kind
	level sql.IsolationLevel
}{
	{postgres.with("read committed", ""), sql.LevelReadCommitted},
	{postgres.with("repeatable read", ""), sql.LevelRepeatableRead},
	{postgres.with("serializable", ""), sql.LevelSerializable},
	{mariaDB.with("read committed", ""), sql.LevelReadCommitted},
	{mariaDB.with("repeatable read", ""), sql.LevelRepeatableRead},
	{mariaDB.with("strict repeatable read", "?innodb_snapshot_isolation=ON"), sql.LevelRepeatableRead},
	{mariaDB.with("serializable", ""), sql.LevelSerializable},
	{sqlite.with("immediate", "&_txlock=immediate"), sql.LevelDefault},
	{sqlite.with("deferred", ""), sql.LevelDefault},
	{sqlite.with("not waiting", "&_pragma=busy_timeout(0)"), sql.LevelDefault},
	{kind{"sqlite rollback journal", "sqlite", "sqlite", sqlbranch.SQLite, sqliteJournalFile, ""}, sql.LevelDefault},
}

// TestRace has every branch begun twice and rolled back twice, all four at once
// and in any order, from two pools as two processes have them. All branches work on
// a few rows, and each leaves a note of what it did, which it cannot leave twice.
func TestRace(t *testing.T) {
	t.Parallel()
	branches := 50
	if proof.Wanted() {
		branches = 1000
	}
	for _, l := range levels {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			dsn := l.place(t) + l.settings
			var sides [2]side
			for i := range sides {
				db := l.openAt(t, dsn)
				db.DB.SetMaxOpenConns(connections / 2)
				db.Isolation = l.level
				sides[i] = newSide(t, db)
			}
			db := sides[0].saga.db
			_, err := db.DB.Exec("CREATE TABLE notes (id CHAR(36) NOT NULL, what VARCHAR(8) NOT NULL, PRIMARY KEY (id, what))")
			must(t, err)
			for i := range items {
				_, err := db.DB.Exec(fmt.Sprintf("INSERT INTO stock VALUES ('%s', 0, 0)", item(i)))
				must(t, err)
			}
			race(t, sides, branches)
			wantPairs(t, db, branches)
			wantRows(t, db, map[string]int{"rolled back": branches})
		})
	}
}

const (
	connections = 12 // of a test: PostgreSQL has 100 for all
	items       = 10
)

func item(i int) string { return fmt.Sprint("item ", i%items) }

// side is one process's participants.
type side struct {
	saga racer
	tcc  racer
}

// racer begins and rolls back branches.
type racer struct {
	participant.Participant
	db    sqlbranch.Database
	begin func(context.Context, participant.Branch) error
}

func newSide(t *testing.T, db sqlbranch.Database) side {
	one, err := sqlbranch.NewSaga("saga", db, sqlbranch.Saga{Do: note("do", 1), Undo: note("undo", -1)})
	must(t, err)
	two, err := sqlbranch.NewTCC("tcc", db, sqlbranch.TCC{Try: note("do", 1), Confirm: note("confirm", 0), Cancel: note("undo", -1)})
	must(t, err)
	return side{saga: racer{one, db, one.Commit}, tcc: racer{two, db, two.Prepare}}
}

// note notes that the branch did something, and adds to its item.
func note(what string, n int) sqlbranch.Work {
	return func(ctx context.Context, tx *sql.Tx, b participant.Branch) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO notes VALUES ('%s', '%s')", b.Transaction, what))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf("UPDATE stock SET sold = sold + (%d) WHERE item = '%s'", n, b.Payload))
		return err
	}
}

func race(t *testing.T, sides [2]side, branches int) {
	var all sync.WaitGroup
	slots := make(chan struct{}, connections)
	for i := range branches {
		b := branch("", item(i))
		for _, call := range rand.Perm(4) {
			s := sides[rand.IntN(2)]
			r := s.saga
			if i%2 == 0 {
				r = s.tcc
			}
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				if call < 2 {
					if err := r.begin(context.Background(), b); err != nil && !errors.Is(err, participant.ErrRolledBack) {
						t.Errorf("begin: %v", err)
					}
				} else if err := r.Rollback(context.Background(), b); err != nil {
					t.Errorf("rollback: %v", err)
				}
			})
		}
	}
	all.Wait()
}

// wantPairs checks that whatever was done was undone, once, and that there was
// something to check.
func wantPairs(t *testing.T, db sqlbranch.Database, branches int) {
	t.Helper()
	var done, undone, pairs, sum int
	query := `SELECT (SELECT COUNT(*) FROM notes WHERE what = 'do'), (SELECT COUNT(*) FROM notes WHERE what = 'undo'),
		(SELECT COUNT(*) FROM notes a JOIN notes b ON a.id = b.id WHERE a.what = 'do' AND b.what = 'undo'),
		(SELECT SUM(sold * sold) FROM stock)`
	must(t, db.DB.QueryRow(query).Scan(&done, &undone, &pairs, &sum))
	if done != undone || pairs != done || sum != 0 {
		t.Errorf("%d did, %d undid, %d did both, and %d is left", done, undone, pairs, sum)
	}
	if done < branches/10 || done > branches*9/10 {
		t.Errorf("%d of %d did something: the race was none", done, branches)
	}
}

// wantRows counts the rows by their state.
func wantRows(t testing.TB, db sqlbranch.Database, want map[string]int) {
	t.Helper()
	rows, err := db.DB.Query("SELECT state, COUNT(*) FROM dtc_sqlbranch GROUP BY state")
	must(t, err)
	defer rows.Close()
	got := map[string]int{}
	for rows.Next() {
		var state string
		var n int
		must(t, rows.Scan(&state, &n))
		got[state] = n
	}
	must(t, rows.Err())
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the rows are %v, not %v", got, want)
	}
}
