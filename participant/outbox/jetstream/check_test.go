package jetstream_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/seed-d36415c0/dtc/participant/outbox"
	"github.com/seed-d36415c0/dtc/participant/outbox/jetstream"
)

func outboxMessage(subject string) outbox.Message {
	return outbox.Message{Subject: subject, Data: []byte("two widgets")}
}

func TestPrepare_RefusesStreams(t *testing.T) {
	n := open(t, nil)
	for name, c := range map[string]natsjs.StreamConfig{
		"no_ack":    {NoAck: true},
		"in memory": {Storage: natsjs.MemoryStorage},
		"max_msgs":  {MaxMsgs: 1, Discard: natsjs.DiscardNew},
		"max_bytes": {MaxBytes: 100, Discard: natsjs.DiscardNew},
		"sealed":    {},
	} {
		t.Run(name, func(t *testing.T) {
			c.Name, c.Subjects, c.Duplicates = "S", []string{"s.>"}, 10*time.Minute
			n.stream(c)
			if !c.NoAck {
				_, err := n.js.Publish(t.Context(), "s.1", nil)
				ok(t, err)
			}
			if name == "sealed" {
				c.Sealed = true
				_, err := n.js.UpdateStream(t.Context(), c)
				ok(t, err)
			}
			err := n.Prepare(t.Context(), branchOf(t, outboxMessage("s.1")))
			var stream *jetstream.StreamError
			if !errors.As(err, &stream) || stream.Stream != "S" || !strings.Contains(stream.Reason, strings.Fields(name)[0]) {
				t.Errorf("Prepare answered %v", err)
			}
			ok(t, n.js.DeleteStream(t.Context(), "S"))
		})
	}
	n.stream(natsjs.StreamConfig{Name: "M", Subjects: []string{"m"}, Storage: natsjs.MemoryStorage})
	lax := newOutbox(t, connect(t, n.server.Addr(), nil), &jetstream.Options{AcceptLoss: true})
	ok(t, lax.Prepare(t.Context(), branchOf(t, outboxMessage("m"))))
	var stream *jetstream.StreamError
	if err := n.Prepare(t.Context(), branchOf(t, outboxMessage("nowhere"))); !errors.As(err, &stream) || stream.Stream != "" {
		t.Errorf("a subject of no stream: %v", err)
	}
}

// What Prepare takes at the limit Commit can publish; a byte more both refuse.
func TestPrepare_RefusesTooLarge(t *testing.T) {
	t.Parallel()
	n := open(t, nil)
	n.stream(natsjs.StreamConfig{Name: "SMALL", Subjects: []string{"small"}, MaxMsgSize: 1000, Duplicates: 10 * time.Minute})
	for _, c := range []struct {
		subject, setting string
		limit            int64
	}{{"small", "max_msg_size", 1000}, {"orders.1", "max_payload", 1 << 20}} {
		message := outbox.Message{Subject: c.subject, Header: map[string]string{"a": "b", "cd": "ef"}, Data: make([]byte, c.limit)}
		var size *jetstream.SizeError
		if err := n.Prepare(t.Context(), branchOf(t, message)); !errors.As(err, &size) || size.Limit != c.limit || size.Setting != c.setting {
			t.Fatalf("Prepare of %d bytes answered %v", c.limit, err)
		}
		header := size.Size - c.limit
		message.Data = message.Data[:c.limit-header+1]
		b := branchOf(t, message)
		if err := n.Prepare(t.Context(), b); !errors.As(err, &size) || size.Size != size.Limit+1 {
			t.Errorf("Prepare of a byte too much answered %v", err)
		}
		if err := n.Commit(t.Context(), b); err == nil {
			t.Errorf("%d bytes were refused by Prepare and published", len(message.Data))
		}
		message.Data = message.Data[1:]
		b = branchOf(t, message)
		ok(t, n.Prepare(t.Context(), b))
		ok(t, n.Commit(t.Context(), b))
	}
}

func TestPrepare_RefusesMessages(t *testing.T) {
	n := open(t, nil)
	for _, m := range []outbox.Message{
		{Subject: "orders.*"}, {Subject: "orders.>"}, {Subject: "orders."}, {Subject: ".orders"}, {Subject: "orders..1"},
		{Subject: "orders.1", Key: []byte("k")},
		{Subject: "orders.1", Header: map[string]string{"Nats-Msg-Id": "x"}},
		{Subject: "orders.1", Header: map[string]string{"nats-expected-last-sequence": "7"}},
	} {
		if err := n.Prepare(t.Context(), branchOf(t, m)); !errors.As(err, new(*jetstream.MessageError)) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	n.stored()
}

// A domain has a prefix of its own, by which its streams are asked for.
func TestDomain(t *testing.T) {
	t.Parallel()
	n := open(t, nil)
	c := connect(t, n.server.Addr(), nil)
	_, err := c.Subscribe("$JS.hub.API.STREAM.LIST", func(m *nats.Msg) {
		if err := c.PublishRequest("$JS.API.STREAM.LIST", m.Reply, m.Data); err != nil {
			t.Error(err)
		}
	})
	ok(t, err)
	ok(t, c.Flush())
	b := newBranch(t)
	hub := newOutbox(t, c, &jetstream.Options{Domain: "hub"})
	ok(t, hub.Prepare(t.Context(), b))
	ok(t, hub.Commit(t.Context(), b))
	n.stored(b)
	elsewhere := newOutbox(t, c, &jetstream.Options{Domain: "elsewhere"})
	if err := elsewhere.Prepare(t.Context(), newBranch(t)); err == nil {
		t.Error("a domain that is none has answered")
	}
}

func TestNew_Refuses(t *testing.T) {
	if _, err := jetstream.New(nil, nil); !errors.As(err, new(*jetstream.OptionError)) {
		t.Error(err)
	}
	n := open(t, nil)
	c := connect(t, n.server.Addr(), nil)
	for _, o := range []*jetstream.Options{{Window: -1}, {Domain: "a b"}, {Domain: "a.>"}, {Domain: "a\r\n"}} {
		if _, err := jetstream.New(c, o); !errors.As(err, new(*jetstream.OptionError)) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// What a consumer reads is what was enlisted, with the id.
func TestMessageArrivesWhole(t *testing.T) {
	n := open(t, nil)
	data := []byte{0, 1, 0xff, '\r', '\n'}
	b := branchOf(t, outbox.Message{Subject: "orders.7", Header: map[string]string{"traceparent": "00-x", "Kind": "größe"}, Data: data},
		outbox.Message{Subject: "orders.8"})
	ok(t, n.Prepare(t.Context(), b))
	ok(t, n.Commit(t.Context(), b))
	stream, err := n.js.Stream(t.Context(), "ORDERS")
	ok(t, err)
	m, err := stream.GetMsg(t.Context(), 1)
	ok(t, err)
	if m.Subject != "orders.7" || string(m.Data) != string(data) || m.Header.Get("traceparent") != "00-x" || m.Header.Get("Kind") != "größe" ||
		m.Header.Get("Nats-Msg-Id") != b.Transaction.String()+"/till/events/0" {
		t.Errorf("read %+v", m)
	}
	if m, err = stream.GetMsg(t.Context(), 2); err != nil || m.Subject != "orders.8" || len(m.Data) != 0 {
		t.Errorf("read %+v, %v", m, err)
	}
}
