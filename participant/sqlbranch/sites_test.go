package sqlbranch_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"log"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

func TestMain(m *testing.M) {
	// Connections break here all the time.
	if err := mysql.SetLogger(log.New(io.Discard, "", 0)); err != nil {
		panic(err)
	}
	// They wait more than they work.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	serverstest.Main(m)
}

const coordinator = "shop"

// kind is a database to test with.
type kind struct {
	name    string
	base    string // the name without other settings
	driver  string
	dialect sqlbranch.Dialect
	// place makes an empty database and returns its DSN.
	place func(testing.TB) string
	// settings are added to the DSN.
	settings string
}

var (
	postgres = kind{"postgres", "postgres", "pgx", sqlbranch.PostgreSQL, postgresSchema, ""}
	mariaDB  = kind{"mariadb", "mariadb", "mysql", sqlbranch.MySQL, serverstest.MariaDBDatabase, ""}
	sqlite   = kind{"sqlite", "sqlite", "sqlite", sqlbranch.SQLite, sqliteFile, "&_txlock=immediate"}

	kinds = []kind{postgres, mariaDB, sqlite}
)

// schemas are in one database: to make one of those costs PostgreSQL much more.
var schemas struct {
	sync.Mutex
	database string
	made     int
}

func postgresSchema(t testing.TB) string {
	t.Helper()
	schemas.Lock()
	defer schemas.Unlock()
	if schemas.database == "" {
		schemas.database = serverstest.PostgresDatabase(t)
	}
	db, err := sql.Open("pgx", schemas.database)
	must(t, err)
	defer db.Close()
	schemas.made++
	name := fmt.Sprint("test", schemas.made)
	_, err = db.Exec("CREATE SCHEMA " + name)
	must(t, err)
	return schemas.database + "&search_path=" + name + "&application_name=" + name
}

func sqliteFile(t testing.TB) string { return sqliteDSN(t.TempDir()) }

// sqliteJournalFile has a COMMIT wait for readers, which may take too long for it.
func sqliteJournalFile(t testing.TB) string {
	return strings.Replace(sqliteFile(t), "WAL", "DELETE", 1)
}

func sqliteDSN(dir string) string {
	return "file:" + filepath.Join(dir, "db") + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)"
}

// with returns the kind with other settings.
func (k kind) with(name, settings string) kind {
	k.name, k.settings = k.name+" "+name, settings
	return k
}

// each runs the test with every kind of database, beside the other tests.
func each(t *testing.T, all []kind, test func(t *testing.T, k kind)) {
	t.Parallel()
	for _, k := range all {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

// open opens an empty database with the tables of the package and of the tests.
func (k kind) open(t testing.TB) sqlbranch.Database { return k.openAt(t, k.place(t)+k.settings) }

func (k kind) openAt(t testing.TB, dsn string) sqlbranch.Database {
	t.Helper()
	db, err := k.pool(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		clean(t, db.DB)
		if err := db.DB.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// pool opens a pool, and makes the tables that are not there.
func (k kind) pool(dsn string) (sqlbranch.Database, error) {
	pool, err := sql.Open(k.driver, dsn)
	if err != nil {
		return sqlbranch.Database{}, err
	}
	pool.SetMaxIdleConns(connections) // to connect costs a server more than any test
	db := sqlbranch.Database{DB: pool, Dialect: k.dialect}
	if err := db.Migrate(context.Background()); err != nil {
		return db, err
	}
	_, err = pool.Exec("CREATE TABLE IF NOT EXISTS stock (item VARCHAR(64) PRIMARY KEY, held INT NOT NULL, sold INT NOT NULL)")
	return db, err
}

// clean fails the test unless all connections come back to the pool.
func clean(t testing.TB, db *sql.DB) {
	t.Helper()
	eventually(t, "the connections are back in the pool", func() bool { return db.Stats().InUse == 0 })
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(20*time.Second), time.NewTicker(time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func branch(name, payload string) participant.Branch {
	return participant.Branch{
		Coordinator: coordinator,
		Transaction: uuid.Must(uuid.NewV7()),
		Participant: name,
		Payload:     []byte(payload),
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("call %d: %v", i+1, err)
		}
	}
}
