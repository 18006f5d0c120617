package remote_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// Variables that tell a peer where to work and listen, and where to die.
const (
	dirVariable     = "DTC_REMOTE_DIR"
	addressVariable = "DTC_REMOTE_ADDRESS"
	pointVariable   = "DTC_REMOTE_POINT"
)

// mortal is a ledger that tells of its calls, and dies at a point.
type mortal struct {
	*ledger.Ledger
	point string
}

func (m mortal) call(call string, do func() error) error {
	crashtest.Tell(call)
	if m.point == "before "+call {
		crashtest.Die()
	}
	err := do()
	if m.point == "after "+call {
		crashtest.Die()
	}
	return err
}

func (m mortal) Prepare(ctx context.Context, b participant.Branch) error {
	return m.call("prepare", func() error { return m.Ledger.Prepare(ctx, b) })
}
func (m mortal) Commit(ctx context.Context, b participant.Branch) error {
	return m.call("commit", func() error { return m.Ledger.Commit(ctx, b) })
}
func (m mortal) Rollback(ctx context.Context, b participant.Branch) error {
	return m.call("rollback", func() error { return m.Ledger.Rollback(ctx, b) })
}

// Tests that are parallel wait for other processes most of the time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// TestPeer is not a test but the process that serves the stock.
func TestPeer(t *testing.T) {
	dir := os.Getenv(dirVariable)
	if dir == "" {
		t.Skip("it is the other process of other tests")
	}
	stock, err := ledger.Open("stock", filepath.Join(dir, "stock"), nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := remote.Listen(quietSystem(), remote.Config{Insecure: true, Address: os.Getenv(addressVariable)})
	if err == nil {
		err = errors.Join(stock.Seed(map[string]ledger.Account{"1": {Balance: 10}}), n.Serve(mortal{stock, os.Getenv(pointVariable)}))
	}
	if err != nil {
		t.Fatal(err)
	}
	crashtest.Tell(n.Address())
	crashtest.Tell(strconv.Itoa(os.Getpid()))
	crashtest.EndWithParent()
}

// peer is a process that serves the stock.
type peer struct {
	t       *testing.T
	dir     string
	address string
	pid     int
	child   *crashtest.Child
	lines   <-chan any
}

func startPeer(t *testing.T, point string) *peer {
	p := &peer{t: t, dir: t.TempDir(), address: "127.0.0.1:0"}
	p.start(point)
	t.Cleanup(func() {
		if p.child != nil {
			p.kill()
		}
	})
	return p
}

// start starts the process, at the address where it was before.
func (p *peer) start(point string) {
	p.t.Helper()
	child, err := crashtest.Start("TestPeer", dirVariable+"="+p.dir, addressVariable+"="+p.address, pointVariable+"="+point)
	if err != nil {
		p.t.Fatal(err)
	}
	p.child, p.lines = child, told(child)
	p.address = next[string](p.t, p.lines)
	if p.pid, err = strconv.Atoi(next[string](p.t, p.lines)); err != nil {
		p.t.Fatal(err)
	}
}

// died waits until the process is dead.
func (p *peer) died() {
	p.t.Helper()
	if err := gone(p.child, p.lines); err != nil {
		p.t.Fatal(err)
	}
	p.child = nil
}

func (p *peer) kill() {
	p.t.Helper()
	if err := p.child.Kill(); err != nil {
		p.t.Fatal(err)
	}
	p.died()
}

// told waits until the process tells of the call.
func (p *peer) told(call string) {
	p.t.Helper()
	for next[string](p.t, p.lines) != call {
	}
}

// audit kills the process and looks at what it has left: what was taken from the
// account, and nothing prepared.
func (p *peer) audit(taken int64) {
	p.t.Helper()
	p.kill()
	stock, err := ledger.Open("stock", filepath.Join(p.dir, "stock"), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer stock.Close()
	left, err := stock.Balance("1")
	prepared, err2 := stock.Reservations()
	if err := errors.Join(err, err2); err != nil || left != 10-taken || len(prepared) != 0 {
		p.t.Errorf("%d are left, %v is prepared, %v; %d were to be taken", left, prepared, err, taken)
	}
}
