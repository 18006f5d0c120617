package servers

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/go-sql-driver/mysql"
)

// MariaDB is a MariaDB server.
var MariaDB = Kind{
	name:           "mariadb",
	program:        "mariadbd",
	tools:          []string{"mariadb-install-db"},
	paths:          []string{"/usr/sbin", "/usr/bin"},
	pkg:            "mariadb-server",
	user:           "mysql",
	initialize:     initMariaDB,
	arguments:      mariaDBArguments,
	dsn:            mariaDBDSN,
	ping:           pingMariaDB,
	createDatabase: createMariaDBDatabase,
}

// smallFiles keeps a server's directory small.
const smallFiles = "--innodb-log-file-size=16M"

func initMariaDB(s *Server, data string) error {
	install, err := s.kind.find("mariadb-install-db")
	if err != nil {
		return err
	}
	c := exec.Command(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal",
		"--skip-test-db", "--tmpdir="+s.dir, smallFiles)
	c.Dir = s.dir
	s.account.own(c)
	if err := run(c); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, "init.sql"), []byte(initSQL), 0o644)
}

func mariaDBArguments(s *Server) []string {
	all := []string{"--no-defaults", "--datadir=" + s.data(), smallFiles, fmt.Sprintf("--port=%d", s.port),
		"--tmpdir=" + s.dir, "--bind-address=127.0.0.1", "--socket=" + filepath.Join(s.dir, "socket"), "--skip-name-resolve",
		"--init-file=" + filepath.Join(s.data(), "init.sql"), "--max-connections=1000"}
	if !s.options.Durable {
		all = append(all, "--innodb-flush-log-at-trx-commit=2")
	}
	for _, setting := range s.options.Settings {
		all = append(all, "--"+setting)
	}
	return all
}

// A server that answers before it has read this file refuses its user.
const initSQL = `CREATE USER IF NOT EXISTS 'dtc'@'%';
GRANT ALL PRIVILEGES ON *.* TO 'dtc'@'%' WITH GRANT OPTION;
`

func mariaDBDSN(addr, database string) string {
	return fmt.Sprintf("dtc@tcp(%s)/%s", addr, database)
}

func openMariaDB(s *Server) (*sql.DB, error) {
	c, err := mysql.ParseDSN(s.DSN(""))
	if err != nil {
		return nil, err
	}
	c.Logger = &mysql.NopLogger{} // that it does not answer yet is no news
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func pingMariaDB(ctx context.Context, s *Server) error {
	return s.withMariaDB(func(db *sql.DB) error { return db.PingContext(ctx) })
}

func createMariaDBDatabase(ctx context.Context, s *Server, name string) error {
	return s.withMariaDB(func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "CREATE DATABASE `"+name+"`")
		return err
	})
}

func (s *Server) withMariaDB(do func(*sql.DB) error) error {
	db, err := openMariaDB(s)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
}
