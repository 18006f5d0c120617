package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

func TestMain(m *testing.M) { serverstest.Main(m) }

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

func newContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// world is a database with a participant, seen by a test.
type world struct {
	t    testing.TB
	ctx  context.Context
	dsn  string
	pool *pgxpool.Pool // of the application, and of the participant's open branches
	p    *postgres.Participant
}

const tables = `SET search_path TO public; CREATE TABLE effects (transaction uuid NOT NULL);
CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL CHECK (balance >= 0));
INSERT INTO accounts SELECT g, 100 FROM generate_series(1, 10) g; RESET search_path`

var errNo = errors.New("no")

// effect is the work of a branch that says "no" or does something.
func effect(ctx context.Context, tx pgx.Tx, b participant.Branch) error {
	if _, err := tx.Exec(ctx, "INSERT INTO effects VALUES ($1)", b.Transaction.String()); err != nil {
		return err
	}
	if string(b.Payload) == "no" {
		return errNo
	}
	return nil
}

// shared is a database that most tests share, each with a participant of its own.
var shared struct {
	sync.Mutex
	dsn string
	n   int
}

// newWorld makes a participant in the database that the tests share. What configure
// changes holds for the application's pool.
func newWorld(t testing.TB, o *postgres.Options, configure ...func(*pgxpool.Config)) *world {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	shared.n++
	name := fmt.Sprintf("orders%d", shared.n)
	if shared.dsn != "" {
		return onto(t, shared.dsn, name, o, configure...)
	}
	dsn := serverstest.PostgresDatabase(t)
	w := worldAt(t, dsn, name, o, configure...)
	shared.dsn = dsn
	return w
}

// worldAt makes a participant in an empty database.
func worldAt(t testing.TB, dsn, name string, o *postgres.Options, configure ...func(*pgxpool.Config)) *world {
	t.Helper()
	w := onto(t, dsn, name, o, configure...)
	w.must(w.p.Migrate(w.ctx))
	_, err := w.pool.Exec(w.ctx, tables)
	w.must(err)
	return w
}

// onto makes a participant in a database that has all it needs.
func onto(t testing.TB, dsn, name string, o *postgres.Options, configure ...func(*pgxpool.Config)) *world {
	t.Helper()
	noLeaks(t)
	w := &world{t: t, ctx: newContext(t), dsn: dsn}
	w.pool = newPool(t, dsn, configure...)
	w.p = w.participant(name, o)
	return w
}

// noLeaks expects no goroutine to be left when all that the test opens from now on
// is closed.
func noLeaks(t testing.TB) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, before, // a server that was started again is closed later
			goleak.IgnoreAnyFunction("github.com/seed-d36415c0/dtc/internal/servers.(*Server).launch.func1"),
			goleak.IgnoreAnyFunction("os/exec.(*Cmd).writerDescriptor.func1"))
	})
}

func newPool(t testing.TB, dsn string, configure ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range configure {
		c(config)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// via is where a pool connects by way of the proxy.
func via(cable *serverstest.Proxy) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) {
		host, port, _ := net.SplitHostPort(cable.Addr())
		n, _ := strconv.Atoi(port)
		c.ConnConfig.Host, c.ConnConfig.Port = host, uint16(n)
	}
}

// behind puts a proxy in front of the database's server.
func behind(t testing.TB, dsn string) *serverstest.Proxy {
	t.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return serverstest.NewProxy(t, net.JoinHostPort(config.ConnConfig.Host, strconv.Itoa(int(config.ConnConfig.Port))))
}

// far makes a participant like w's, by way of a proxy.
func (w *world) far(cable *serverstest.Proxy, o *postgres.Options, configure ...func(*pgxpool.Config)) *postgres.Participant {
	w.t.Helper()
	p, err := postgres.New(w.p.Name(), newPool(w.t, w.dsn, append(configure, via(cable))...), o)
	w.must(err)
	w.t.Cleanup(p.Close)
	return p
}

// participant makes another one, as another process would have it.
func (w *world) participant(name string, o *postgres.Options) *postgres.Participant {
	w.t.Helper()
	p, err := postgres.New(name, w.pool, o)
	w.must(err)
	w.t.Cleanup(p.Close)
	return p
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) is(err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Fatalf("got %v, want %v", err, want)
	}
}

func newBranch() participant.Branch {
	return participant.Branch{Coordinator: "shop", Transaction: uuid.Must(uuid.NewV7()), Participant: "orders"}
}

// begin opens a branch in which something was done.
func (w *world) begin(b participant.Branch) pgx.Tx {
	w.t.Helper()
	tx, err := w.p.Begin(w.ctx, b.Transaction)
	w.must(err)
	w.must(effect(w.ctx, tx, b))
	return tx
}

func (w *world) prepare(b participant.Branch) {
	w.t.Helper()
	w.begin(b)
	w.must(w.p.Prepare(w.ctx, b))
}

func (w *world) effects(b participant.Branch) (n int) {
	w.t.Helper()
	w.must(w.pool.QueryRow(w.ctx, "SELECT count(*) FROM effects WHERE transaction = $1", b.Transaction.String()).Scan(&n))
	return n
}

// has expects the branch's effect to be there, or not, and nothing of it to be
// left prepared.
func (w *world) has(b participant.Branch, want int) {
	w.t.Helper()
	if got := w.effects(b); got != want {
		w.t.Errorf("the effect is there %d times, not %d", got, want)
	}
	ids, err := w.p.InDoubt(w.ctx, b.Coordinator)
	w.must(err)
	for _, id := range ids {
		if id == b.Transaction {
			w.t.Errorf("%s is in doubt still", id)
		}
	}
}

// until waits until the condition holds.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

// clean expects all connections of the application's pool to be back.
func (w *world) clean() {
	w.t.Helper()
	until(w.t, "all connections are back", func() bool { return w.pool.Stat().AcquiredConns() == 0 })
}

// shortly is a context that ends soon.
func shortly(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
