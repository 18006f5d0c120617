package grpcbranch_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// haunted is a ledger that does something at a moment of a call.
type haunted struct {
	*ledger.Ledger
	moment *atomic.Value // string
	strike func()
}

func (h haunted) at(moment string) {
	if h.moment.CompareAndSwap(moment, "") {
		h.strike()
	}
}

func (h haunted) Prepare(ctx context.Context, b participant.Branch) error {
	h.at("before Prepare")
	defer h.at("after Prepare")
	return h.Ledger.Prepare(ctx, b)
}

func (h haunted) Commit(ctx context.Context, b participant.Branch) error {
	h.at("before Commit")
	defer h.at("after Commit")
	return h.Ledger.Commit(ctx, b)
}

func (h haunted) Rollback(ctx context.Context, b participant.Branch) error {
	h.at("before Rollback")
	defer h.at("after Rollback")
	return h.Ledger.Rollback(ctx, b)
}

func (h haunted) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	h.at("before CommitOnePhase")
	defer h.at("after CommitOnePhase")
	return h.Ledger.CommitOnePhase(ctx, b)
}

// line is a shop whose stock is behind a proxy, and served in this process.
type line struct {
	*dtc.Coordinator
	proxy        *serverstest.Proxy
	moment       atomic.Value
	stock, money *ledger.Ledger
	remote       participant.Participant
}

func newLine(t *testing.T, timeout time.Duration, strike func(*serverstest.Proxy)) *line {
	l := &line{stock: newLedger(t, "stock", 16), money: newLedger(t, "money", 16)}
	l.moment.Store("")
	addr, _ := listen(t, func(s *grpc.Server) error {
		return grpcbranch.Register(s, nil, haunted{l.stock, &l.moment, func() { strike(l.proxy) }})
	})
	l.proxy = serverstest.NewProxy(t, addr)
	l.remote = newClient(t, "stock", dial(t, l.proxy.Addr(), grpc.WithDisableRetry()), whole())
	l.Coordinator = coordinate(t, dtc.Config{
		Participants: []participant.Participant{l.remote, l.money}, ParticipantTimeout: timeout, RecoveryInterval: 50 * time.Millisecond,
	})
	return l
}

// moments are when the connection goes, and how it ends then.
var moments = []struct {
	moment    string
	money     func(account int) []byte // nil: the stock is alone
	committed bool
}{
	{"before Prepare", take, false},
	{"after Prepare", take, false},
	{"before Commit", take, true},
	{"after Commit", take, true},
	{"before Rollback", func(int) []byte { return tooMuch() }, false},
	{"after Rollback", func(int) []byte { return tooMuch() }, false},
	{"before CommitOnePhase", nil, true}, // the service goes on: only its caller has gone
	{"after CommitOnePhase", nil, true},
}

func (l *line) order(account int, money func(int) []byte) error {
	list := []dtc.Enlistment{{Participant: l.remote, Payload: take(account)}}
	if money != nil {
		list = append(list, dtc.Enlistment{Participant: l.money, Payload: money(account)})
	}
	return l.Execute(ctx, nil, list...)
}

func (l *line) audit(t *testing.T) {
	t.Helper()
	eventually(t, "everything is finished", func() bool {
		left, err := l.Transactions(ctx, dtc.Filter{})
		ids, doubt := l.stock.InDoubt(ctx, "shop")
		return err == nil && doubt == nil && len(left)+len(ids) == 0
	})
}

// The connection is lost while the service is in a call, and the service is not.
func TestCutConnection(t *testing.T) {
	t.Parallel()
	l := newLine(t, 5*time.Second, (*serverstest.Proxy).Cut)
	for account, c := range moments {
		l.moment.Store(c.moment)
		err := l.order(account, c.money)
		l.audit(t)
		if c.moment == "before CommitOnePhase" {
			// Committed and the rest of the call race, and either wins.
			c.committed = err == nil
		}
		l.ended(t, account, c.moment, c.money != nil, c.committed, err)
	}
}

func (l *line) ended(t *testing.T, account int, moment string, both, committed bool, err error) {
	t.Helper()
	want := 10
	if committed {
		want = 9
	}
	if committed != (err == nil) || err != nil && !errors.Is(err, dtc.ErrRolledBack) {
		t.Errorf("%s: %v", moment, err)
	}
	balance(t, l.stock, account, want)
	if both {
		balance(t, l.money, account, want)
	}
}

// A cable is cut, and mended when the coordinator has waited long enough.
func TestHeldConnection(t *testing.T) {
	t.Parallel()
	cut := make(chan struct{}, 1)
	l := newLine(t, 600*time.Millisecond, func(p *serverstest.Proxy) {
		p.Hold()
		cut <- struct{}{}
	})
	for account, c := range moments {
		if strings.HasSuffix(c.moment, "CommitOnePhase") {
			continue // nobody can know, for as long as the cable is cut
		}
		l.moment.Store(c.moment)
		err := l.order(account, c.money)
		eventually(t, "the cable is cut "+c.moment, func() bool { return len(cut) == 1 }) // the order may have ended before
		<-cut
		l.proxy.Release()
		l.audit(t)
		l.ended(t, account, c.moment, true, c.committed, err)
	}
}

// A call that ends with UNAVAILABLE is made again by the connection, others are not.
func TestDialOptions_Retry(t *testing.T) {
	calls := 0
	code := codes.Unavailable
	p := newClient(t, "stock", serveStub(t, &stub{prepare: func(_ context.Context, m *messages.Prepare) (*messages.Voted, error) {
		if calls++; calls <= 3 {
			return nil, status.Error(code, "a moment")
		}
		return m.Yes(), nil
	}}), nil)
	must(t, as[participant.Preparer](t, p).Prepare(ctx, newBranch("stock", nil)))
	if calls != 4 {
		t.Errorf("%d calls", calls)
	}
	calls, code = 0, codes.Internal
	if err := as[participant.Preparer](t, p).Prepare(ctx, newBranch("stock", nil)); err == nil || calls != 1 {
		t.Errorf("%d calls that end with %s: %v", calls, code, err)
	}
}

// A service that is not there is no, and no reason to wait, unless the caller wants to.
func TestServiceDown(t *testing.T) {
	conn := dial(t, "127.0.0.1:1", grpc.WithDisableRetry())
	p := newClient(t, "stock", conn, whole())
	b := newBranch("stock", nil)
	_, asked := as[participant.OnePhaseCommitter](t, p).Committed(ctx, b)
	_, listed := as[participant.Recoverer](t, p).InDoubt(ctx, "shop")
	for name, err := range map[string]error{
		"Prepare": as[participant.Preparer](t, p).Prepare(ctx, b), "Commit": p.Commit(ctx, b), "Rollback": p.Rollback(ctx, b),
		"CommitOnePhase": as[participant.OnePhaseCommitter](t, p).CommitOnePhase(ctx, b), "Committed": asked, "InDoubt": listed,
	} {
		if status.Code(err) != codes.Unavailable || errors.Is(err, participant.ErrRolledBack) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	waiting := newClient(t, "stock", conn, &grpcbranch.Options{CallOptions: []grpc.CallOption{grpc.WaitForReady(true)}})
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := as[participant.Preparer](t, waiting).Prepare(short, b); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with grpc.WaitForReady: %v", err)
	}
	must(t, conn.Close())
	if err := p.Commit(ctx, b); status.Code(err) != codes.Canceled {
		t.Errorf("after the connection was closed: %v", err)
	}
}
