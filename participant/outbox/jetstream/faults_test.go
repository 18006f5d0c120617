package jetstream_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/outbox/jetstream"
)

// line is a connection that ends when the next acknowledgement comes, which
// nobody hears; before it ends, it calls what is in next.
type line struct {
	net.Conn
	next *atomic.Pointer[func()]
}

func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if bytes.Contains(b[:n], []byte(`"seq":`)) {
		if f := l.next.Swap(nil); f != nil {
			(*f)()
			_ = l.Close()
			return 0, net.ErrClosed
		}
	}
	return n, err
}

// openLine is open, with what to call when the next acknowledgement is lost.
func openLine(t *testing.T) (*news, *atomic.Pointer[func()]) {
	var next atomic.Pointer[func()]
	n := open(t, dialFunc(func(network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		if err != nil {
			return nil, err
		}
		return &line{Conn: c, next: &next}, nil
	}))
	return n, &next
}

func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// The message is stored and its acknowledgement is lost: Commit comes again, and
// the message is there once, also when the server was killed meanwhile.
func TestAcknowledgementLost(t *testing.T) {
	for name, killed := range map[string]bool{"connection cut": false, "server killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, next := openLine(t)
			b := newBranch(t)
			ok(t, n.Prepare(t.Context(), b))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			spoil := func() {
				defer cancel()
				if killed {
					if err := n.server.Kill(); err != nil {
						t.Error(err)
					}
				}
			}
			next.Store(&spoil)
			if err := n.Commit(ctx, b); err == nil {
				t.Error("Commit was acknowledged")
			}
			if killed {
				ok(t, n.server.Start())
			}
			eventually(t, func(ctx context.Context) error { return n.Commit(ctx, b) })
			n.stored(b)
		})
	}
}

func TestServerKilled(t *testing.T) {
	n := open(t, nil)
	refused, waits, again := newBranch(t), newBranch(t), newBranch(t)
	ok(t, n.Prepare(t.Context(), waits))
	ok(t, n.Prepare(t.Context(), again))
	ok(t, n.Commit(t.Context(), again))

	ok(t, n.server.Kill())
	if err := n.Prepare(shortly(t), refused); err == nil {
		t.Error("Prepare was answered without a server")
	}
	ok(t, n.Rollback(t.Context(), refused))
	if err := n.Commit(shortly(t), waits); err == nil {
		t.Error("Commit was acknowledged without a server")
	}
	ok(t, n.server.Start())

	eventually(t, func(ctx context.Context) error { return n.Commit(ctx, waits) })
	if err := n.Prepare(t.Context(), refused); !errors.Is(err, participant.ErrRolledBack) {
		t.Errorf("a late Prepare answered %v", err)
	}
	// The process is another one, and has no memory.
	other := newOutbox(t, connect(t, n.server.Addr(), nil), nil)
	ok(t, other.Commit(t.Context(), again))
	n.stored(again, waits)
}

// The server is killed while many publish.
func TestServerKilled_UnderLoad(t *testing.T) {
	t.Parallel()
	n := open(t, nil)
	branches := make([]participant.Branch, 160)
	for i := range branches {
		branches[i] = newBranch(t)
	}
	var stored atomic.Int64
	killed := make(chan error, 1)
	var callers sync.WaitGroup
	for worker := range 8 {
		callers.Go(func() {
			for i := worker; i < len(branches); i += 8 {
				eventually(t, func(ctx context.Context) error { return n.Commit(ctx, branches[i]) })
				if stored.Add(1) == int64(len(branches)/2) {
					go func() { killed <- errors.Join(n.server.Kill(), n.server.Start()) }()
				}
			}
		})
	}
	ok(t, <-killed)
	callers.Wait()
	n.stored(branches...)
}

// While the server stands still, or the cable is cut, calls end with their
// context; what they said late is heard once.
func TestPausedAndHeld(t *testing.T) {
	t.Parallel()
	n := open(t, nil)
	proxy := serverstest.NewProxy(t, n.server.Addr())
	n.Outbox = newOutbox(t, connect(t, proxy.Addr(), nil), nil)
	for _, stop := range []struct{ stop, resume func() error }{
		{n.server.Pause, n.server.Resume},
		{func() error { proxy.Hold(); return nil }, func() error { proxy.Release(); return nil }},
	} {
		b, late := newBranch(t), newBranch(t)
		ok(t, stop.stop())
		if err := n.Prepare(shortly(t), late); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Prepare answered %v", err)
		}
		for range 3 {
			if err := n.Commit(shortly(t), b); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Commit answered %v", err)
			}
		}
		ok(t, stop.resume())
		eventually(t, func(ctx context.Context) error { return n.Commit(ctx, b) })
		ids := n.ids()
		if want := b.Transaction.String() + "/till/events/0"; ids[len(ids)-1] != want {
			t.Errorf("the stream ends with %q, not %q", ids, want)
		}
	}
	if ids := n.ids(); len(ids) != 2 {
		t.Errorf("the stream has %q", ids)
	}
}

// A stream that has no room any more has Commit repeated until there is some.
func TestFullAfterPrepare(t *testing.T) {
	n := open(t, nil)
	n.stream(natsjs.StreamConfig{
		Name: "FEW", Subjects: []string{"few.>"}, MaxMsgs: 1, Discard: natsjs.DiscardNew, Duplicates: 10 * time.Minute,
	})
	message := outboxMessage("few.1")
	first, second := branchOf(t, message), branchOf(t, message)
	ok(t, n.Prepare(t.Context(), first))
	ok(t, n.Prepare(t.Context(), second))
	ok(t, n.Commit(t.Context(), first))
	for range 2 {
		var full *natsjs.APIError
		if err := n.Commit(t.Context(), second); !errors.As(err, &full) {
			t.Errorf("Commit answered %v", err)
		}
	}
	stream, err := n.js.Stream(t.Context(), "FEW")
	ok(t, err)
	ok(t, stream.Purge(t.Context()))
	ok(t, n.Commit(t.Context(), second))
	ok(t, n.Commit(t.Context(), first))
	info, err := stream.Info(t.Context())
	ok(t, err)
	if info.State.Msgs != 1 || info.State.LastSeq != 2 {
		t.Errorf("the stream has %+v", info.State)
	}
}

// A stream that was deleted has nobody to answer.
func TestDeletedAfterPrepare(t *testing.T) {
	t.Parallel()
	n := open(t, nil)
	b := newBranch(t)
	ok(t, n.Prepare(t.Context(), b))
	ok(t, n.js.DeleteStream(t.Context(), "ORDERS"))
	if err := n.Commit(t.Context(), b); !errors.Is(err, natsjs.ErrNoStreamResponse) {
		t.Errorf("Commit answered %v", err)
	}
	n.stream(natsjs.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Duplicates: 10 * time.Minute})
	ok(t, n.Commit(t.Context(), b))
	n.stored(b)
}

// Past the window the stream takes the message again: what the package says.
func TestPastTheWindow(t *testing.T) {
	t.Parallel()
	n := open(t, nil)
	n.stream(natsjs.StreamConfig{Name: "BRIEF", Subjects: []string{"brief"}, Duplicates: 100 * time.Millisecond})
	c := connect(t, n.server.Addr(), nil)
	b := branchOf(t, outboxMessage("brief"))
	var window *jetstream.WindowError
	if err := newOutbox(t, c, nil).Prepare(t.Context(), b); !errors.As(err, &window) || window.Window != 100*time.Millisecond {
		t.Errorf("Prepare answered %v", err)
	}
	o := newOutbox(t, c, &jetstream.Options{Window: 100 * time.Millisecond})
	ok(t, o.Prepare(t.Context(), b))
	ok(t, o.Commit(t.Context(), b))
	stream, err := n.js.Stream(t.Context(), "BRIEF")
	ok(t, err)
	eventually(t, func(ctx context.Context) error {
		ok(t, newOutbox(t, c, nil).Commit(ctx, b))
		info, err := stream.Info(ctx)
		if err == nil && info.State.Msgs < 2 {
			err = errors.New("dropped as a duplicate")
		}
		return err
	})
}

func TestConnectionClosed(t *testing.T) {
	n := open(t, nil)
	c := connect(t, n.server.Addr(), nil)
	o := newOutbox(t, c, nil)
	b := newBranch(t)
	c.Close()
	if err := o.Prepare(t.Context(), b); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("Prepare answered %v", err)
	}
	if err := o.Commit(t.Context(), b); !errors.Is(err, nats.ErrDisconnected) {
		t.Errorf("Commit answered %v", err)
	}
}

// What an older server answers to the duplicate of a message that a replicated
// stream has not stored yet, as told by somebody who is no stream.
func TestAcknowledgedBeforeItIsStored(t *testing.T) {
	n := open(t, nil)
	c := connect(t, n.server.Addr(), nil)
	_, err := c.Subscribe("early", func(m *nats.Msg) {
		if err := m.Respond([]byte(`{"stream":"EARLY","seq":0,"duplicate":true}`)); err != nil {
			t.Error(err)
		}
	})
	ok(t, err)
	ok(t, c.Flush())
	if err := n.Commit(t.Context(), branchOf(t, outboxMessage("early"))); err == nil {
		t.Error("Commit was acknowledged")
	}
}
