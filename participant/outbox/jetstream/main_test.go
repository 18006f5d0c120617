package jetstream_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/seed-d36415c0/dtc/internal/servers"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/outbox"
	"github.com/seed-d36415c0/dtc/participant/outbox/jetstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// news is a NATS server with the stream ORDERS, and an outbox that publishes to it.
type news struct {
	t      testing.TB
	server *servers.Server
	js     natsjs.JetStream // goes straight to the server
	*outbox.Outbox
}

// open starts a server. The outbox dials as dialer does; nil for straight.
func open(t testing.TB, dialer nats.CustomDialer) *news {
	t.Helper()
	n := &news{t: t, server: serverstest.NATS(t)}
	js, err := natsjs.New(connect(t, n.server.Addr(), nil))
	ok(t, err)
	n.js = js
	n.stream(natsjs.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Duplicates: 10 * time.Minute})
	n.Outbox = newOutbox(t, connect(t, n.server.Addr(), dialer), nil)
	return n
}

func (n *news) stream(c natsjs.StreamConfig) {
	n.t.Helper()
	_, err := n.js.CreateStream(n.t.Context(), c)
	ok(n.t, err)
}

func newOutbox(t testing.TB, c *nats.Conn, o *jetstream.Options) *outbox.Outbox {
	t.Helper()
	p, err := jetstream.New(c, o)
	ok(t, err)
	out, err := outbox.New("events", p, nil)
	ok(t, err)
	return out
}

func connect(t testing.TB, addr string, dialer nats.CustomDialer) *nats.Conn {
	t.Helper()
	options := []nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(5 * time.Millisecond), nats.ReconnectJitter(0, 0)}
	if dialer != nil {
		options = append(options, nats.SetCustomDialer(dialer))
	}
	c, err := nats.Connect("nats://"+addr, options...)
	ok(t, err)
	t.Cleanup(c.Close)
	return c
}

// ids are the message ids in the stream, in order.
func (n *news) ids() (all []string) {
	n.t.Helper()
	var info *natsjs.StreamInfo
	var stream natsjs.Stream
	eventually(n.t, func(ctx context.Context) (err error) {
		if stream, err = n.js.Stream(ctx, "ORDERS"); err == nil {
			info, err = stream.Info(ctx)
		}
		return err
	})
	for seq := uint64(1); seq <= info.State.LastSeq; seq++ {
		m, err := stream.GetMsg(n.t.Context(), seq)
		ok(n.t, err)
		all = append(all, m.Header.Get("Nats-Msg-Id"))
	}
	return all
}

// stored expects exactly these branches' messages, each once.
func (n *news) stored(branches ...participant.Branch) {
	n.t.Helper()
	var want []string
	for _, b := range branches {
		want = append(want, b.Transaction.String()+"/till/events/0")
	}
	got := n.ids()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		n.t.Errorf("the stream has %q, not %q", got, want)
	}
}

// newBranch publishes one message to a subject of its own.
func newBranch(t testing.TB) participant.Branch {
	return branchOf(t, outbox.Message{Subject: subject(), Header: map[string]string{"Content-Type": "text/plain"}, Data: []byte("two widgets")})
}

func branchOf(t testing.TB, messages ...outbox.Message) participant.Branch {
	t.Helper()
	data, err := outbox.Encode(messages...)
	ok(t, err)
	return participant.Branch{Coordinator: "till", Transaction: uuid.Must(uuid.NewV7()), Participant: "events", Payload: data}
}

var serial atomic.Int64

func subject() string { return fmt.Sprintf("orders.%d", serial.Add(1)) }

func eventually(t testing.TB, act func(context.Context) error) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := act(ctx)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("still failing: %v", err)
		}
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dialFunc is a nats.CustomDialer.
type dialFunc func(network, addr string) (net.Conn, error)

func (d dialFunc) Dial(network, addr string) (net.Conn, error) { return d(network, addr) }
