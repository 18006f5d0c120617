package sqlbranch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

// aged is a branch whose transaction began that long ago.
func aged(name, payload string, age time.Duration) participant.Branch {
	b := branch(name, payload)
	ms := time.Now().Add(-age).UnixMilli()
	for i := 5; i >= 0; i-- {
		b.Transaction[i] = byte(ms)
		ms >>= 8
	}
	return b
}

// TestPurge drops old branches: what begins one is refused from then on, and what
// was prepared stays.
func TestPurge(t *testing.T) {
	each(t, kinds, func(t *testing.T, k kind) {
		db, ctx := k.open(t), context.Background()
		p, s := newTCC(t, "tcc", db), newSaga(t, "saga", db)
		prepared, committed, unheard := aged("tcc", "a", 3*time.Hour), aged("tcc", "b", 3*time.Hour), aged("tcc", "c", 3*time.Hour)
		done, undone, fresh := aged("saga", "d", 3*time.Hour), aged("saga", "e", 3*time.Hour), aged("saga", "f", 2*time.Hour)
		must(t, p.Prepare(ctx, prepared), p.CommitOnePhase(ctx, committed))
		must(t, s.Commit(ctx, done), s.Rollback(ctx, undone), s.Commit(ctx, fresh))

		for range 2 {
			before := time.Now().Add(-150 * time.Minute)
			n, err := db.Purge(ctx, before)
			must(t, err)
			if n != 3 && n != 0 {
				t.Errorf("%d were removed", n)
			}
			wantRows(t, db, map[string]int{"prepared": 1, "committed": 1})
		}
		must(t, s.Commit(ctx, fresh), p.Commit(ctx, committed), p.Rollback(ctx, unheard), p.Rollback(ctx, committed))
		wantRows(t, db, map[string]int{"prepared": 1, "committed": 1})
		_, err := p.Committed(ctx, unheard)
		for what, err := range map[string]error{
			"Prepare":                 p.Prepare(ctx, unheard),
			"CommitOnePhase":          p.CommitOnePhase(ctx, committed),
			"Committed":               err,
			"Commit of a saga":        s.Commit(ctx, undone),
			"Rollback of a saga":      s.Rollback(ctx, done),
			"Commit of a done saga":   s.Commit(ctx, done),
			"Rollback of an old saga": s.Rollback(ctx, aged("saga", "g", 4*time.Hour)),
		} {
			var forgotten *participant.ForgottenError
			if !errors.As(err, &forgotten) {
				t.Errorf("%s: %v", what, err)
			}
		}
		ids, err := p.InDoubt(ctx, coordinator)
		if err != nil || len(ids) != 1 || ids[0] != prepared.Transaction {
			t.Errorf("in doubt are %v, %v", ids, err)
		}
		must(t, p.Commit(ctx, prepared))
		for item, sold := range map[string]int{"a": 1, "b": 1, "c": 0, "d": 1, "e": 0, "f": 1} {
			wantStock(t, db.DB, item, 0, sold)
		}
	})
}

// TestPurgeInBatches removes more than one batch, and no row more.
func TestPurgeInBatches(t *testing.T) {
	each(t, kinds, func(t *testing.T, k kind) {
		db, ctx := k.open(t), context.Background()
		var values []string
		for i := range 1500 {
			b := aged("", "", 3*time.Hour)
			state := "committed"
			if i%5 == 0 {
				state = "prepared"
			}
			values = append(values, fmt.Sprintf("('%s', 'p', 'c', '%s')", b.Transaction, state))
		}
		_, err := db.DB.Exec("INSERT INTO dtc_sqlbranch (transaction_id, participant, coordinator, state) VALUES " + strings.Join(values, ", "))
		must(t, err)
		if n, err := db.Purge(ctx, time.Now().Add(-2*time.Hour)); n != 1200 || err != nil {
			t.Errorf("%d were removed, %v", n, err)
		}
		wantRows(t, db, map[string]int{"prepared": 300})
	})
}

// TestPurgeIsSeen has a Prepare that took its snapshot before a purge and reached
// its row after it: the horizon that it goes by is the new one.
func TestPurgeIsSeen(t *testing.T) {
	t.Parallel()
	for _, l := range levels {
		if l.dialect == sqlbranch.SQLite {
			continue // where a purge and a Prepare do not overlap
		}
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			db, ctx := l.open(t), context.Background()
			db.Isolation = l.level
			p, b := newTCC(t, "tcc", db), aged("tcc", "a", 3*time.Hour)
			must(t, p.Rollback(ctx, b))
			// What Purge does, in one transaction that holds the row.
			horizon, last := aged("", "", 2*time.Hour).Transaction, fmt.Sprintf("WHERE transaction_id = '%s'", b.Transaction)
			purge, err := db.DB.Begin()
			must(t, err)
			_, err = purge.Exec("DELETE FROM dtc_sqlbranch " + last)
			must(t, err)
			_, err = purge.Exec(fmt.Sprintf("UPDATE dtc_sqlbranch_horizon SET transaction_id = '%s'", horizon))
			must(t, err)
			late := make(chan error)
			go func() { late <- p.Prepare(ctx, b) }()
			eventually(t, "Prepare waits for the row", func() bool { return waits(t, db) })
			must(t, purge.Commit())
			var forgotten *participant.ForgottenError
			if err := <-late; !errors.As(err, &forgotten) {
				t.Errorf("late Prepare: %v", err)
			}
			wantStock(t, db.DB, "a", 0, 0)
		})
	}
}

// TestPurgeOvertakes has a Prepare that has taken its snapshot and not yet reached
// its row when the branch is rolled back and purged.
func TestPurgeOvertakes(t *testing.T) {
	t.Parallel()
	for _, l := range levels {
		if l.dialect != sqlbranch.PostgreSQL {
			continue // elsewhere the horizon is read after the row is locked
		}
		t.Run(l.name, func(t *testing.T) { // not parallel: the advisory lock is the database's
			db, ctx := l.open(t), context.Background()
			db.Isolation = l.level
			p, b := newTCC(t, "tcc", db), aged("tcc", "a", 3*time.Hour)
			_, err := db.DB.Exec(`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
				'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END';
				CREATE TRIGGER wait BEFORE INSERT ON dtc_sqlbranch FOR EACH ROW EXECUTE FUNCTION wait()`)
			must(t, err)
			barred, err := db.DB.Begin()
			must(t, err)
			_, err = barred.Exec("SELECT pg_advisory_xact_lock(1)")
			must(t, err)
			late := make(chan error)
			go func() { late <- p.Prepare(ctx, b) }()
			eventually(t, "Prepare is on its way", func() bool { return waits(t, db) })
			_, err = db.DB.Exec(fmt.Sprintf(`BEGIN; SET LOCAL session_replication_role = replica; -- without the trigger
				INSERT INTO dtc_sqlbranch VALUES ('%s', 'tcc', 'shop', 'rolled back'); COMMIT`, b.Transaction))
			must(t, err)
			if n, err := db.Purge(ctx, time.Now().Add(-2*time.Hour)); n != 1 || err != nil {
				t.Errorf("Purge: %d, %v", n, err)
			}
			must(t, barred.Commit())
			var forgotten *participant.ForgottenError
			if err := <-late; !errors.As(err, &forgotten) {
				t.Errorf("late Prepare: %v", err)
			}
			wantStock(t, db.DB, "a", 0, 0)
		})
	}
}

// waits tells whether somebody waits for a lock. (innodb_trx is stale to one who asks often.)
func waits(t testing.TB, db sqlbranch.Database) bool {
	t.Helper()
	query := "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = current_setting('application_name') AND wait_event_type = 'Lock'"
	if db.Dialect == sqlbranch.MySQL {
		query = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND time_ms > 50 AND info LIKE 'INSERT INTO dtc_sqlbranch%'"
	}
	var n int
	must(t, db.DB.QueryRow(query).Scan(&n))
	return n > 0
}

// TestPurgeBesideWork purges while functions are at work.
func TestPurgeBesideWork(t *testing.T) {
	each(t, overTheWire, func(t *testing.T, k kind) {
		db, ctx, g := k.open(t), context.Background(), newGate()
		work := tcc(k.dialect)
		work.Try = g.before(work.Try)
		p, err := sqlbranch.NewTCC("tcc", db, work)
		must(t, err)
		old := aged("tcc", "a", 3*time.Hour)
		must(t, p.Rollback(ctx, old))
		done := make(chan error)
		go func() { done <- p.Prepare(ctx, branch("tcc", "b")) }()
		<-g.at
		if n, err := db.Purge(ctx, time.Now().Add(-2*time.Hour)); n != 1 || err != nil {
			t.Errorf("Purge: %d, %v", n, err)
		}
		close(g.open)
		must(t, <-done)
	})
}
