package redisbranch_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
)

// phases are the calls in which something can go wrong, each with what leads up
// to it, and the pieces that are left, reserved and taken of one after it.
type phase struct {
	name                  string
	before                []string
	call                  string
	left, reserved, taken int
}

var phases = []phase{
	{"Try", nil, "prepare", -1, 1, 0},
	{"Confirm", []string{"prepare"}, "commit", -1, 0, 1},
	{"Cancel", []string{"prepare"}, "rollback", 0, 0, 0},
	{"fence", nil, "rollback", 0, 0, 0},
	{"Do", nil, "do", -1, 0, 1},
	{"Undo", []string{"do"}, "undo", 0, 0, 0},
	{"one-phase fence", nil, "undo", 0, 0, 0},
}

func (s *shop) calls() map[string]func(context.Context, participant.Branch) error {
	two, one := s.twoPhase(nil), s.onePhase(nil)
	return map[string]func(context.Context, participant.Branch) error{
		"prepare": two.Prepare, "commit": two.Commit, "rollback": two.Rollback, "do": one.Commit, "undo": one.Rollback,
	}
}

// The server is killed while branches are in the phase, and started again. A call
// that was answered has its effect, and one that was not has it once when it is
// made again.
func TestKilledInEachPhase(t *testing.T) {
	for _, ph := range phases {
		t.Run(ph.name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			calls := s.calls()
			branches := make([]participant.Branch, 64)
			for i := range branches {
				branches[i] = newBranch()
				for _, call := range ph.before {
					ok(t, calls[call](t.Context(), branches[i]))
				}
			}
			type answer struct {
				participant.Branch
				err error
			}
			answers := make(chan answer, len(branches))
			for some := range slices.Chunk(branches, 8) {
				go func() {
					for _, b := range some {
						answers <- answer{b, calls[ph.call](context.Background(), b)}
					}
				}()
			}
			var unanswered []participant.Branch
			for i := range branches {
				if i == len(branches)/2 {
					ok(t, s.server.Kill())
					ok(t, s.server.Start())
				}
				if a := <-answers; a.err != nil {
					unanswered = append(unanswered, a.Branch)
				}
			}
			for _, b := range unanswered {
				eventually(t, func(ctx context.Context) error { return calls[ph.call](ctx, b) })
			}
			n := len(branches)
			s.counts(stockAtFirst+n*ph.left, n*ph.reserved, n*ph.taken)
		})
	}
}

// fault spoils one exchange of a connection.
type fault int

const (
	requestLost fault = iota // the server hears nothing
	answerLost               // the server has done it, and nobody hears
)

// line is a connection that fails when it is told to.
type line struct {
	net.Conn
	next *atomic.Pointer[fault]
}

func (l *line) Write(b []byte) (int, error) {
	if f := l.next.Load(); f != nil && *f == requestLost {
		l.next.Store(nil)
		return 0, l.Close()
	}
	return l.Conn.Write(b)
}

func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if f := l.next.Load(); f != nil && *f == answerLost && err == nil {
		l.next.Store(nil)
		_ = l.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

func TestConnectionLostInEachPhase(t *testing.T) {
	s := openShop(t)
	var next atomic.Pointer[fault]
	s.client = newClient(t, s.server.Addr(), func(o *redis.Options) {
		o.MaxRetries = -1 // else the client makes the call again by itself
		o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &line{Conn: c, next: &next}, err
		}
	})
	calls := s.calls()
	var left, reserved, taken int
	for _, f := range []fault{requestLost, answerLost} {
		for _, ph := range phases {
			b := newBranch()
			for _, call := range ph.before {
				ok(t, calls[call](t.Context(), b))
			}
			next.Store(&f)
			if err := calls[ph.call](t.Context(), b); err == nil {
				t.Errorf("%s with fault %d was answered", ph.name, f)
			} else if errors.Is(err, participant.ErrRolledBack) {
				t.Errorf("%s with fault %d was refused: %v", ph.name, f, err)
			}
			ok(t, calls[ph.call](t.Context(), b))
			ok(t, calls[ph.call](t.Context(), b))
			left, reserved, taken = left+ph.left, reserved+ph.reserved, taken+ph.taken
			s.counts(stockAtFirst+left, reserved, taken)
		}
	}
}

// While the server stands still a call ends with its context, and a Prepare that
// Redis gets to only after the Rollback is refused there.
func TestPaused(t *testing.T) {
	s := openShop(t)
	s.client = newClient(t, s.server.Addr(), func(o *redis.Options) { o.ReadTimeout = time.Hour })
	p := s.twoPhase(nil)
	b := newBranch()
	ok(t, s.server.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Prepare(ctx, b); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		t.Errorf("Prepare answered %v", err)
	}
	ok(t, s.server.Resume())
	eventually(t, func(ctx context.Context) error { return p.Rollback(ctx, b) })
	if err := p.Prepare(t.Context(), b); !errors.Is(err, participant.ErrRolledBack) {
		t.Errorf("the late Prepare answered %v", err)
	}
	s.counts(stockAtFirst, 0, 0)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// A pool that is used up and a held cable: both end with the context.
func TestHeldAndPoolUsedUp(t *testing.T) {
	s := openShop(t)
	proxy := serverstest.NewProxy(t, s.server.Addr())
	s.client = newClient(t, proxy.Addr(), func(o *redis.Options) { o.PoolSize, o.ReadTimeout = 1, time.Hour })
	p := s.twoPhase(nil)
	proxy.Hold()
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if err := p.Prepare(ctx, newBranch()); err == nil {
				t.Error("Prepare was answered through a held cable")
			}
		})
	}
	callers.Wait()
	proxy.Cut()
	proxy.Release()
	b := newBranch()
	eventually(t, func(ctx context.Context) error { return p.Prepare(ctx, b) })
}
