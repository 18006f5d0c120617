package mysql_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/mysql"
)

// TestPrivileges: a user with these is enough, and who lacks one is told which.
func TestPrivileges(t *testing.T) {
	alone(t)
	dsn := serverstest.MariaDBDatabase(t)
	owner := openBank(t, dsn, nil)
	database := dsn[strings.LastIndex(dsn, "/")+1:]
	as := func(user string, grants ...string) *bank {
		for _, statement := range append([]string{"CREATE USER " + user, "GRANT SELECT, UPDATE ON " + database + ".account TO " + user}, grants...) {
			_, err := owner.db.Exec(strings.ReplaceAll(statement, "USER!", user))
			must(t, err)
		}
		db := admin(t, strings.Replace(dsn, "dtc@", user+"@", 1))
		p, err := mysql.New("bank", db, &mysql.Options{Coordinator: "shop"})
		must(t, err)
		t.Cleanup(func() { _ = p.Close() })
		return &bank{p, db, dsn}
	}
	rows := "GRANT SELECT, INSERT, UPDATE, DELETE ON " + database + ".dtc_xa_branches TO USER!"
	horizon := "GRANT SELECT, INSERT, UPDATE ON " + database + ".dtc_xa_horizons TO USER!"
	ctx := within(t)
	full := as("full", rows, horizon, "GRANT PROCESS ON *.* TO USER!")
	branch := newBranch()
	full.take(t, branch, "a")
	must(t, full.Prepare(ctx, branch))

	rowless := as("rowless", "GRANT SELECT ON "+database+".dtc_xa_branches TO USER!", horizon, "GRANT PROCESS ON *.* TO USER!")
	mustAs[*mysql.PrivilegeError](t, rowless.Rollback(ctx, newBranch()))
	_, err := as("blind", rows, horizon).Begin(ctx, newBranch().Transaction)
	if e := mustAs[*mysql.PrivilegeError](t, err); e != nil && e.Privilege != "PROCESS" {
		t.Error(e)
	}
	// Another user's connection cannot be ended, one's own can.
	powerless := as("powerless", rows, horizon, "GRANT PROCESS ON *.* TO USER!")
	err = powerless.Commit(ctx, branch)
	if e := mustAs[*mysql.PrivilegeError](t, err); e != nil && !strings.Contains(e.Error(), "CONNECTION ADMIN") {
		t.Error(e)
	}
	must(t, as("powerful", rows, horizon, "GRANT PROCESS, CONNECTION ADMIN ON *.* TO USER!").Commit(ctx, branch))
	own := newBranch()
	full.take(t, own, "b")
	must(t, full.Prepare(ctx, own), full.Close())
	second, err := mysql.New("bank", full.db, nil)
	must(t, err, second.Commit(ctx, own))
	_, err = second.Purge(ctx, time.Now().Add(-time.Hour))
	must(t, err)
}

func TestSchemaMissing(t *testing.T) {
	t.Parallel()
	db := admin(t, serverstest.MariaDBDatabase(t))
	p, err := mysql.New("bank", db, &mysql.Options{Coordinator: owner})
	must(t, err)
	ctx := within(t)
	for i := range 2 {
		_, begin := p.Begin(ctx, newBranch().Transaction)
		_, list := p.InDoubt(ctx, owner)
		_, purge := p.Purge(ctx, time.Now().Add(-time.Hour))
		for _, err := range []error{begin, list, purge, p.Prepare(ctx, newBranch()), p.Commit(ctx, newBranch()), p.Rollback(ctx, newBranch())} {
			mustAs[*mysql.SchemaError](t, err)
		}
		if i == 0 {
			_, err := db.Exec(strings.ReplaceAll(mysql.Schema[0], "InnoDB", "MyISAM"))
			must(t, err)
		}
	}
	_, err = db.Exec("DROP TABLE dtc_xa_branches")
	must(t, err, p.Migrate(ctx), p.Migrate(ctx), p.Rollback(ctx, newBranch()))
	_, err = db.Exec("DROP TABLE dtc_xa_branches")
	must(t, err)
	mustAs[*mysql.SchemaError](t, p.Rollback(ctx, newBranch()))
}

func TestSettings(t *testing.T) {
	t.Parallel()
	dsn := serverstest.MariaDBDatabase(t)
	openBank(t, dsn, nil)
	for what, wrong := range map[string]string{
		"autocommit":  through(t, dsn, "", map[string]string{"autocommit": "0"}),
		"no database": dsn[:strings.LastIndex(dsn, "/")+1],
	} {
		p, err := mysql.New("bank", admin(t, wrong), nil)
		must(t, err)
		if e := mustAs[*mysql.ServerError](t, p.Rollback(within(t), newBranch())); e != nil && !strings.Contains(e.Error(), what) {
			t.Errorf("about %s it says: %v", what, e)
		}
	}
}

// TestIsolation: the answers do not depend on what sessions are set to.
func TestIsolation(t *testing.T) {
	alone(t)
	for _, params := range []map[string]string{
		{"tx_isolation": "'READ-UNCOMMITTED'"},
		{"tx_isolation": "'READ-COMMITTED'", "sql_mode": "'ANSI,NO_BACKSLASH_ESCAPES'", "interpolateParams": "true"},
		{"tx_isolation": "'SERIALIZABLE'", "innodb_snapshot_isolation": "ON", "innodb_lock_wait_timeout": "1"},
	} {
		t.Run(params["tx_isolation"], func(t *testing.T) {
			t.Parallel()
			dsn := through(t, serverstest.MariaDBDatabase(t), "", params)
			openBank(t, dsn, nil).close()
			b, other := openBank(t, dsn, &mysql.Options{Work: take}), openBank(t, dsn, &mysql.Options{Work: take})
			ctx := within(t)
			one, two, three := newBranch(), newBranch(), newBranch()
			one.Payload, two.Payload, three.Payload = []byte("a"), []byte("b"), []byte("b")
			must(t, b.Prepare(ctx, one), other.Prepare(ctx, one))
			_, err := other.Begin(ctx, one.Transaction)
			mustAs[*mysql.BusyError](t, err)
			n, err := other.Purge(ctx, time.Now().Add(-2*time.Minute))
			if n != 0 || err != nil {
				t.Errorf("forgot %d, %v", n, err)
			}
			must(t, other.Rollback(ctx, two))
			mustBe(t, participant.ErrRolledBack, b.Prepare(ctx, two), b.CommitOnePhase(ctx, two))
			open := b.take(t, three, "b")
			_, err = open.QueryContext(ctx, "SELECT 1 FROM dtc_xa_branches WHERE FALSE") // a snapshot
			must(t, err, b.Close(), other.Commit(ctx, one), other.Rollback(ctx, three))
			other.is(t, "a", 99)
			other.is(t, "b", 100)
		})
	}
}

// TestStrangeSession: what an application may do to its session does not matter.
func TestStrangeSession(t *testing.T) {
	t.Parallel()
	dsn := serverstest.MariaDBDatabase(t)
	b, other := openBank(t, dsn, nil), openBank(t, dsn, nil)
	b.db.SetMaxOpenConns(1)
	ctx := within(t)
	branch := newBranch()
	tx := b.take(t, branch, "a")
	for _, statement := range []string{"USE information_schema", "SET SESSION tx_isolation = 'READ-UNCOMMITTED'", "DO RELEASE_ALL_LOCKS()", "SET SESSION autocommit = 1"} {
		_, err := tx.ExecContext(ctx, statement)
		must(t, err)
	}
	must(t, b.Prepare(ctx, branch))
	// Its lock is gone, but InnoDB knows whose the branch is.
	soon, cancel := context.WithTimeout(ctx, 400*time.Millisecond)
	defer cancel()
	mustBe(t, context.DeadlineExceeded, other.Commit(soon, branch))
	must(t, b.Commit(ctx, branch), other.Commit(ctx, branch))
	other.is(t, "a", 99)
}
