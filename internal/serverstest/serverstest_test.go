package serverstest_test

import (
	"bufio"
	"context"
	"database/sql"
	"net"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-d36415c0/dtc/internal/servers"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
)

func TestMain(m *testing.M) { serverstest.Main(m) }

// What a killed server kept is there when it starts again.
func TestServer_KilledAndStartedAgain(t *testing.T) {
	for name, server := range map[string]func(testing.TB, ...string) *servers.Server{
		"pgx": serverstest.Postgres, "mysql": serverstest.MariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			ok(t, s.CreateDatabase("kept"))
			db, err := sql.Open(name, s.DSN("kept"))
			ok(t, err)
			defer db.Close()
			for _, statement := range []string{"CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)"} {
				_, err := db.Exec(statement)
				ok(t, err)
			}
			ok(t, s.Kill())
			if err := db.Ping(); err == nil {
				t.Fatal("a killed server answers")
			}
			ok(t, s.Start())
			var n int
			ok(t, db.QueryRow("SELECT n FROM t").Scan(&n))
			if n != 7 {
				t.Errorf("read %d, want 7", n)
			}
		})
	}
}

// Servers that start at the same moment share what it takes to make one.
func TestServer_ManyAtOnce(t *testing.T) {
	if err := servers.Postgres.Installed(); err != nil {
		t.Skip(err)
	}
	ok(t, servers.RemoveTemplates())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := servers.Start(servers.Postgres, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// A paused server answers nothing until it goes on.
func TestServer_Paused(t *testing.T) {
	s := serverstest.Postgres(t)
	db, err := sql.Open("pgx", s.DSN("postgres"))
	ok(t, err)
	defer db.Close()
	ok(t, db.Ping())
	ok(t, s.Pause())
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := db.PingContext(ctx); err == nil {
		t.Error("a paused server answers")
	}
	ok(t, s.Resume())
	ok(t, db.Ping())
}

func TestServer_RedisAndNATS(t *testing.T) {
	for name, server := range map[string]func(testing.TB, ...string) *servers.Server{
		"redis": serverstest.Redis, "nats": serverstest.NATS,
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			ok(t, s.Kill())
			ok(t, s.Start())
		})
	}
}

func TestDatabase_IsEmptyAndItsOwn(t *testing.T) {
	for driver, database := range map[string]func(testing.TB) string{
		"pgx": serverstest.PostgresDatabase, "mysql": serverstest.MariaDBDatabase,
	} {
		for range 2 {
			t.Run(driver, func(t *testing.T) {
				db, err := sql.Open(driver, database(t))
				ok(t, err)
				defer db.Close()
				_, err = db.Exec("CREATE TABLE t (n int)")
				ok(t, err)
			})
		}
	}
}

func TestProxy(t *testing.T) {
	p := serverstest.NewProxy(t, echo(t))
	c := dial(t, p)
	c.say(t, "a")
	p.Hold()
	c.write(t, "b")
	if _, err := c.read(50 * time.Millisecond); err == nil {
		t.Error("a byte passed that was held")
	}
	p.Release()
	if line, err := c.read(time.Minute); err != nil || line != "b\n" {
		t.Errorf("after release: %q, %v", line, err)
	}
	p.Cut()
	if _, err := c.read(time.Minute); err == nil {
		t.Error("a connection outlived the cut")
	}
	dial(t, p).say(t, "c")
	p.Refuse(true)
	if _, err := dial(t, p).read(time.Minute); err == nil {
		t.Error("a refused connection gave something to read")
	}
	p.Refuse(false)
	dial(t, p).say(t, "d")
}

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	t.Cleanup(func() { ok(t, l.Close()) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = bufio.NewReader(c).WriteTo(c) // ends with the connection
			}()
		}
	}()
	return l.Addr().String()
}

type client struct {
	net.Conn
	reader *bufio.Reader
}

func dial(t *testing.T, p *serverstest.Proxy) client {
	c, err := net.Dial("tcp", p.Addr())
	ok(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return client{c, bufio.NewReader(c)}
}

func (c client) write(t *testing.T, word string) {
	_, err := c.Write([]byte(word + "\n"))
	ok(t, err)
}

func (c client) read(within time.Duration) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	return c.reader.ReadString('\n')
}

func (c client) say(t *testing.T, word string) {
	c.write(t, word)
	if line, err := c.read(time.Minute); err != nil || line != word+"\n" {
		t.Errorf("said %q, heard %q, %v", word, line, err)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
