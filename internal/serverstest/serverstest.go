// Package serverstest gives tests private servers (package servers) and what
// stands between a client and its server.
//
// A test whose server the machine does not have is skipped, with one line that
// names the missing program.
package serverstest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/servers"
)

// Postgres starts a PostgreSQL server for the test alone, with settings such as
// "max_prepared_transactions=0".
func Postgres(t testing.TB, settings ...string) *servers.Server {
	t.Helper()
	return own(t, servers.Postgres, servers.Options{Settings: settings})
}

// DurablePostgres starts a PostgreSQL server whose syncs are real, to measure it.
func DurablePostgres(t testing.TB, settings ...string) *servers.Server {
	t.Helper()
	return own(t, servers.Postgres, servers.Options{Settings: settings, Durable: true})
}

// MariaDB starts a MariaDB server for the test alone.
func MariaDB(t testing.TB, settings ...string) *servers.Server {
	t.Helper()
	return own(t, servers.MariaDB, servers.Options{Settings: settings})
}

// Redis starts a Redis server for the test alone.
func Redis(t testing.TB, settings ...string) *servers.Server {
	t.Helper()
	return own(t, servers.Redis, servers.Options{Settings: settings})
}

// NATS starts a NATS server for the test alone.
func NATS(t testing.TB, settings ...string) *servers.Server {
	t.Helper()
	return own(t, servers.NATS, servers.Options{Settings: settings})
}

func own(t testing.TB, kind servers.Kind, o servers.Options) *servers.Server {
	t.Helper()
	s, err := servers.Start(kind, &o)
	require(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// require skips a test that lacks a server, and fails it for another error.
func require(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.Is(err, servers.ErrNotInstalled):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// shared is a server for all tests of a package.
type shared struct {
	kind      servers.Kind
	mu        sync.Mutex
	server    *servers.Server
	err       error
	databases int
}

var (
	sharedPostgres = &shared{kind: servers.Postgres}
	sharedMariaDB  = &shared{kind: servers.MariaDB}
)

// PostgresDatabase makes an empty database on a PostgreSQL server that the tests
// of the package share, and returns its DSN. The package needs a TestMain that
// calls [Main].
func PostgresDatabase(t testing.TB) string {
	t.Helper()
	return sharedPostgres.database(t)
}

// MariaDBDatabase makes an empty database on a MariaDB server that the tests of
// the package share, and returns its DSN. The package needs a TestMain that calls
// [Main].
func MariaDBDatabase(t testing.TB) string {
	t.Helper()
	return sharedMariaDB.database(t)
}

func (s *shared) database(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil && s.err == nil {
		s.server, s.err = servers.Start(s.kind, nil)
	}
	require(t, s.err)
	s.databases++
	name := fmt.Sprintf("test%d", s.databases)
	if err := s.server.CreateDatabase(name); err != nil {
		t.Fatal(err)
	}
	return s.server.DSN(name)
}

func (s *shared) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	return s.server.Close()
}

// Main runs the package's tests and closes the servers that they share. The exit
// status is that of the tests.
func Main(m *testing.M) {
	m.Run()
	if err := errors.Join(sharedPostgres.close(), sharedMariaDB.close(), servers.RemoveTemplates()); err != nil {
		panic(err)
	}
}
