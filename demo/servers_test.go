package main

import (
	"errors"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/servers"
)

// needDatabases skips a test on a machine that has no databases.
func needDatabases(t *testing.T) {
	t.Helper()
	if err := errors.Join(servers.Postgres.Installed(), servers.MariaDB.Installed()); err != nil {
		t.Skip(err)
	}
}

// TestServers: the same orders, kept in PostgreSQL, in MariaDB, and behind HTTP.
func TestServers(t *testing.T) {
	needDatabases(t)
	text := demo(t, exitOK, "-servers", "-n", number(100), "-stock", fewItems(t))
	wants(t, text, "inventory is kept in PostgreSQL, payment in MySQL or MariaDB, shipping in a file behind HTTP", "audit passed")
}

// TestServers_Crash: the process and the databases are killed in mid-flight.
func TestServers_Crash(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	needDatabases(t)
	o, err := parseFlags([]string{"-servers", "-crash", "-n", number(400), "-stock", fewItems(t)}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	d, err := startDatabases(&o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	out := &output{}
	code, err := supervise(o, t.TempDir(), 2, d, make(chan struct{}), out, out)
	if err != nil || code != exitOK {
		t.Fatalf("exit status %d, %v\n%s", code, err, &out.text)
	}
	wants(t, out.text.String(), "audit passed", "--- databases killed")
	if d.kills == 0 {
		t.Error("no database was killed")
	}
}

// TestServers_Elsewhere: what was begun in files is not looked for in databases.
func TestServers_Elsewhere(t *testing.T) {
	dir := shopOf(t)
	wants(t, demo(t, exitUsage, "-dir", dir, "-postgres", "postgres://127.0.0.1:1/none"),
		"in the data directory, inventory is kept in a file", "asked for was: inventory is kept in PostgreSQL")
}
