package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/internal/servers"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
)

// TestServer does what needs a server of its own.
func TestServer(t *testing.T) {
	t.Parallel()
	all := map[string]map[string]func(*testing.T, *servers.Server){
		"log-bin": {
			"killed": serverKilled, "paused": serverPaused, "stale connections": staleConnections,
			"not yet free": notYetFree, "rollback on timeout": rollbackOnTimeout,
		},
	}
	if proof.Wanted() {
		all["skip-log-bin"] = all["log-bin"]
	}
	for setting, tests := range all {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			server := serverstest.MariaDB(t, setting, "innodb-rollback-on-timeout=ON")
			for name, test := range tests {
				t.Run(name, func(t *testing.T) { test(t, server) })
			}
		})
	}
}

var databases atomic.Int32

// fresh is the DSN of a new database on the server.
func fresh(t testing.TB, server *servers.Server) string {
	t.Helper()
	name := fmt.Sprint("bank", databases.Add(1))
	must(t, server.CreateDatabase(name))
	return server.DSN(name)
}

// serverKilled: with SIGKILL, in each phase, and started again.
func serverKilled(t *testing.T, server *servers.Server) {
	for _, c := range phases {
		t.Run(c.name, func(t *testing.T) {
			dsn := fresh(t, server)
			b, second := openBank(t, dsn, nil), openBank(t, dsn, nil)
			branch := newBranch()
			c.until(t, b, branch)
			must(t, server.Kill())
			if err := b.Rollback(within(t), newBranch()); err == nil {
				t.Error("a call succeeded without a server")
			}
			must(t, server.Start())
			if c.name == "prepared" {
				b.doubts(t, 1)
			}
			afterwards(t, c.commits, branch, b, second)
		})
	}
}

// serverPaused: calls end with their context, and come again.
func serverPaused(t *testing.T, server *servers.Server) {
	dsn := fresh(t, server)
	for _, c := range phases {
		t.Run(c.name, func(t *testing.T) {
			b := openBank(t, dsn, nil)
			branch := newBranch()
			c.until(t, b, branch)
			must(t, server.Pause())
			soon, cancel := context.WithTimeout(within(t), 30*time.Millisecond)
			defer cancel()
			call := b.Rollback
			if c.commits {
				call = b.Commit
			}
			err := call(soon, branch)
			_, list := b.InDoubt(soon, owner)
			must(t, server.Resume())
			mustBe(t, context.DeadlineExceeded, err, list)
			if c.commits {
				must(t, b.again(func() error { return b.Commit(within(t), branch) }))
				_, err = b.db.Exec("UPDATE account SET balance = 100")
				must(t, err)
			} else {
				afterwards(t, c.commits, branch, b)
			}
			b.doubts(t, 0)
			b.idle(t)
		})
	}
}

// staleConnections: those that the pool kept past the server's end are no failure.
func staleConnections(t *testing.T, server *servers.Server) {
	// Without the driver's own look at a connection before it is used again.
	dsn := through(t, fresh(t, server), "", map[string]string{"checkConnLiveness": "false"})
	b := openBank(t, dsn, nil)
	b.db.SetMaxIdleConns(10)
	branches := make([]participant.Branch, 10)
	for i := range branches {
		branches[i] = newBranch()
		_, err := b.Begin(within(t), branches[i].Transaction)
		must(t, err)
	}
	for _, branch := range branches {
		must(t, b.Rollback(within(t), branch))
	}
	must(t, server.Kill(), server.Start())
	once := newBranch()
	b.take(t, once, "a")
	must(t, b.CommitOnePhase(within(t), once))
	b.is(t, "a", 99)
}

// notYetFree: a branch is not decided by another session while InnoDB has a
// transaction of the session that is named in its id, even if that is another by
// now: ids begin anew with the server.
func notYetFree(t *testing.T, server *servers.Server) {
	dsn := fresh(t, server)
	b := openBank(t, dsn, nil)
	ctx := within(t)
	var used []*sql.Conn
	for range 20 {
		c, err := b.db.Conn(ctx)
		must(t, err)
		used = append(used, c)
	}
	branch, own := newBranch(), newBranch()
	b.take(t, branch, "a")
	must(t, b.Prepare(ctx, branch))
	id, err := xaID(ctx, b, branch.Transaction)
	must(t, err)
	for _, c := range used {
		_ = c.Close()
	}
	must(t, server.Kill(), server.Start())

	again := openUnmigrated(t, dsn)
	innocent := reach(t, dsn, connectionOf(t, id))
	stop := keepStale(t, dsn) // the server's copy is older than the transaction
	_, err = innocent.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
	must(t, err)
	for range 2 {
		soon, cancel := context.WithTimeout(ctx, 400*time.Millisecond)
		mustBe(t, context.DeadlineExceeded, again.Commit(soon, branch))
		cancel()
		stop()
	}
	again.doubts(t, 1)
	_, err = innocent.ExecContext(ctx, "COMMIT")
	must(t, err, again.Commit(ctx, branch))
	again.is(t, "a", 99)
	again.take(t, own, "a")
	must(t, again.CommitOnePhase(ctx, own))
}

// keepStale reads INNODB_TRX so often that the server does not renew it, until stop.
func keepStale(t testing.TB, dsn string) (stop func()) {
	t.Helper()
	db := admin(t, dsn)
	ctx, cancel := context.WithCancel(within(t))
	read := func() error {
		return db.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.INNODB_TRX").Scan(new(int))
	}
	must(t, read())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for read() == nil {
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// reach opens connections until it has the one with the id.
func reach(t testing.TB, dsn, id string) *sql.Conn {
	t.Helper()
	db := admin(t, dsn)
	for range 1000 {
		c, err := db.Conn(within(t))
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
		var got string
		must(t, c.QueryRowContext(within(t), "SELECT CONNECTION_ID()").Scan(&got))
		if got == id {
			return c
		}
	}
	t.Fatal(errors.New("the id is not reached"))
	return nil
}

// rollbackOnTimeout: where the server is set so, a lock wait ends the branch.
func rollbackOnTimeout(t *testing.T, server *servers.Server) {
	b := openBank(t, through(t, fresh(t, server), "", map[string]string{"innodb_lock_wait_timeout": "1"}), nil)
	ctx := within(t)
	branch, blocker := newBranch(), newBranch()
	b.take(t, blocker, "b")
	tx := b.take(t, branch, "a")
	if _, err := tx.ExecContext(ctx, "UPDATE account SET balance = 0 WHERE name = 'b'"); serverError(err) != 1205 {
		t.Errorf("no lock wait: %v", err)
	}
	if err := b.Prepare(ctx, branch); err == nil {
		t.Error("a branch that the server has rolled back is prepared")
	}
	must(t, b.Rollback(ctx, branch), b.Rollback(ctx, blocker))
	b.is(t, "a", 100)
	b.idle(t)
}
