package mysql_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/mysql"
)

// saboteur is a network whose connections break at a chosen statement, once: before
// it has reached the server, or after, so that the answer is lost.
type saboteur struct {
	mu        sync.Mutex
	statement string
	delivered bool
	struck    bool
}

// sabotage returns a network, and the DSN that goes through it.
func sabotage(t testing.TB, dsn string) (*saboteur, string) {
	s, name := new(saboteur), strings.ToLower(t.Name())
	driver.RegisterDialContext(name, func(ctx context.Context, addr string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", addr)
		return &sabotaged{Conn: c, by: s}, err
	})
	t.Cleanup(func() { driver.DeregisterDialContext(name) })
	return s, strings.Replace(dsn, "@tcp(", "@"+name+"(", 1)
}

func (s *saboteur) plan(statement string, delivered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statement, s.delivered, s.struck = statement, delivered, false
}

func (s *saboteur) done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statement = ""
	return s.struck
}

// strikes tells whether this is the moment, and whether the bytes go through.
func (s *saboteur) strikes(p []byte) (strike, deliver bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.statement == "" || s.struck || !bytes.Contains(p, []byte(s.statement)) {
		return false, true
	}
	s.struck = true
	return true, s.delivered
}

type sabotaged struct {
	net.Conn
	by *saboteur
}

func (c *sabotaged) Write(p []byte) (int, error) {
	strike, deliver := c.by.strikes(p)
	if !deliver {
		_ = c.Close()
	}
	n, err := c.Conn.Write(p)
	if strike && deliver {
		// Half closed: the server reads the statement before it sees the end.
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		_, _ = c.Read(make([]byte, 1))
		_ = c.Close()
	}
	return n, err
}

// TestEveryStatement: the connection breaks at each statement that a call makes, and
// the coordinator goes on as it must.
func TestEveryStatement(t *testing.T) {
	alone(t)
	network, dsn := sabotage(t, serverstest.MariaDBDatabase(t))
	far := openBank(t, dsn, &mysql.Options{Work: take})
	far.db.SetMaxIdleConns(0) // nothing but what is called for
	calls := map[string]func(ctx context.Context, b participant.Branch) error{
		"prepare":   far.Prepare,
		"one phase": far.CommitOnePhase,
		"commit":    far.Commit,
		"rollback":  far.Rollback,
	}
	statements := map[string][]string{
		"prepare":   {"GET_LOCK", "FOR UPDATE NOWAIT", "XA START", "UPDATE account", "INSERT INTO", "XA END", "XA PREPARE"},
		"one phase": {"GET_LOCK", "FOR UPDATE NOWAIT", "XA START", "UPDATE account", "INSERT INTO", "XA END", "ONE PHASE", "RELEASE_LOCK"},
		"commit":    {"XA COMMIT", "RELEASE_LOCK"},
		"rollback":  {"XA ROLLBACK", "INSERT INTO", "RELEASE_LOCK"},
	}
	struck := 0
	for what, list := range statements {
		for _, statement := range list {
			for _, delivered := range []bool{false, true} {
				t.Run(what+"/"+statement, func(t *testing.T) {
					ctx := within(t)
					branch := newBranch()
					branch.Payload = []byte("b")
					if what == "commit" || what == "rollback" {
						must(t, far.Prepare(ctx, branch))
					}
					network.plan(statement, delivered)
					err := calls[what](ctx, branch)
					if network.done() {
						struck++
					} else {
						t.Error("the statement was not made")
					}
					if what == "rollback" {
						must(t, far.again(func() error { return far.Rollback(ctx, branch) }))
						mustBe(t, participant.ErrRolledBack, far.Commit(ctx, branch))
					} else {
						decide(t, what, err, branch, far)
					}
					far.doubts(t, 0)
					far.idle(t)
				})
			}
		}
	}
	t.Logf("broken %d times", struck)
	if want := 100 - far.count(t, "SELECT COUNT(*) FROM dtc_xa_branches WHERE committed = 1"); far.balance(t, "b") != want {
		t.Errorf("b has %d, the markers say %d", far.balance(t, "b"), want)
	}
}

// TestEveryStatementElsewhere: the same while a branch is decided by a session that
// did not work in it.
func TestEveryStatementElsewhere(t *testing.T) {
	alone(t)
	dsn := serverstest.MariaDBDatabase(t)
	near := openBank(t, dsn, &mysql.Options{Work: take})
	network, dsn := sabotage(t, dsn)
	far := openBank(t, dsn, nil)
	ctx := within(t)
	must(t, far.Rollback(ctx, newBranch())) // it has learned
	far.db.SetMaxIdleConns(0)
	for _, statement := range []string{"dtj:", "IS_USED_LOCK('dtw", "KILL", "FOR UPDATE NOWAIT", "XA RECOVER", "START TRANSACTION", "INNODB_TRX",
		"XA COMMIT", "XA ROLLBACK", "INSERT INTO", "RELEASE_LOCK"} {
		for _, delivered := range []bool{false, true} {
			if reads := strings.Contains("IS_USED_LOCK('dtw, FOR UPDATE NOWAIT, XA RECOVER, INNODB_TRX", statement); reads && delivered && !proof.Wanted() {
				continue // to the server it is the same
			}
			t.Run(statement, func(t *testing.T) {
				branch := newBranch()
				branch.Payload = []byte("b")
				must(t, near.Prepare(ctx, branch))
				network.plan(statement, delivered)
				call, want := far.Commit, error(nil)
				if statement == "XA ROLLBACK" || statement == "INSERT INTO" {
					call, want = far.Rollback, participant.ErrRolledBack
				}
				err := call(ctx, branch)
				if !network.done() {
					t.Error("the statement was not made")
				}
				if errors.Is(err, participant.ErrRolledBack) || errors.Is(err, participant.ErrCommitted) {
					t.Errorf("a broken connection is taken for an answer: %v", err)
				}
				must(t, far.again(func() error { return call(ctx, branch) }))
				if err := near.Commit(ctx, branch); !errors.Is(err, want) {
					t.Errorf("Commit afterwards: %v", err)
				}
				near.doubts(t, 0)
				near.idle(t)
				far.idle(t)
			})
		}
	}
}
