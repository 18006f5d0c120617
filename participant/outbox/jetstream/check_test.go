package jetstream_test

import (
	"errors"
	"strings"
	"testing"
	"time"

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
	var stream *jetstream.StreamError
	if err := n.Prepare(t.Context(), branchOf(t, outboxMessage("nowhere"))); !errors.As(err, &stream) || stream.Stream != "" {
		t.Errorf("a subject of no stream: %v", err)
	}
}

// What Prepare takes at the limit Commit can publish; a byte more is refused.
func TestPrepare_RefusesTooLarge(t *testing.T) {
	n := open(t, nil)
	n.stream(natsjs.StreamConfig{Name: "SMALL", Subjects: []string{"small"}, MaxMsgSize: 1000, Duplicates: 10 * time.Minute})
	start := 0
	for _, c := range []struct {
		subject, setting string
		limit            int
	}{{"small", "max_msg_size", 1000}, {"orders.1", "max_payload", 1 << 20}} {
		message := outbox.Message{Subject: c.subject, Header: map[string]string{"a": "b", "cd": "ef"}}
		fits := -1
		for extra := start; extra < 400; extra++ {
			message.Data = make([]byte, c.limit-400+extra)
			b := branchOf(t, message)
			err := n.Prepare(t.Context(), b)
			if err == nil {
				fits = extra
				continue
			}
			var size *jetstream.SizeError
			if !errors.As(err, &size) || size.Setting != c.setting || size.Size != size.Limit+1 || size.Limit != int64(c.limit) {
				t.Fatalf("%d bytes: Prepare answered %v", len(message.Data), err)
			}
			// The server agrees.
			if err := n.Commit(t.Context(), b); err == nil {
				t.Errorf("%d bytes were refused by Prepare and published", len(message.Data))
			}
			message.Data = message.Data[1:]
			ok(t, n.Commit(t.Context(), branchOf(t, message)))
			break
		}
		if fits < 0 {
			t.Fatal("nothing fits")
		}
		start = fits - 1 // the headers are the same
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
