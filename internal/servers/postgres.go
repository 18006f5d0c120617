package servers

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server that has 100 places for prepared transactions.
var Postgres = Kind{
	name:           "postgres",
	program:        "postgres",
	tools:          []string{"initdb"},
	paths:          []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin"},
	pkg:            "postgresql",
	user:           "postgres",
	initialize:     initPostgres,
	arguments:      postgresArguments,
	dsn:            postgresDSN,
	ping:           pingPostgres,
	createDatabase: createPostgresDatabase,
}

func initPostgres(s *Server, data string) error {
	initdb, err := s.kind.find("initdb")
	if err != nil {
		return err
	}
	c := exec.Command(initdb, "-D", data, "-U", "dtc", "-A", "trust", "-N", "--no-instructions", "--locale=C", "-E", "UTF8")
	c.Dir = s.dir
	s.account.own(c)
	return run(c)
}

func postgresArguments(s *Server) []string {
	all := []string{"-D", s.data(), "-p", fmt.Sprint(s.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_prepared_transactions=100"}
	if !s.options.Durable {
		all = append(all, "-c", "fsync=off")
	}
	for _, setting := range s.options.Settings {
		all = append(all, "-c", setting)
	}
	return all
}

func postgresDSN(addr, database string) string {
	return fmt.Sprintf("postgres://dtc@%s/%s?sslmode=disable", addr, database)
}

func pingPostgres(ctx context.Context, s *Server) error {
	c, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	return c.Close(ctx)
}

func createPostgresDatabase(ctx context.Context, s *Server, name string) error {
	c, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return err
}
