package kafka_test

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-d36415c0/dtc/participant/outbox"
	"github.com/seed-d36415c0/dtc/participant/outbox/kafka"
)

func TestPrepare_Refuses(t *testing.T) {
	c := newCluster(t, kfake.AllowAutoTopicCreation())
	ok(t, c.CreateTopic("small", 1, map[string]string{"max.message.bytes": "1000"}))
	o := newOutbox(t, newClient(t, c), nil)
	prepare := func(m outbox.Message) error { return o.Prepare(t.Context(), branchOf(t, m)) }
	var unknown *kafka.TopicError
	if err := prepare(outbox.Message{Subject: "nowhere"}); !errors.As(err, &unknown) || !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("no such topic: %v", err)
	}
	if c.TopicInfo("nowhere") != nil {
		t.Error("the topic was made")
	}
	for _, m := range []struct {
		subject, setting string
		bytes            int
	}{{"small", "max.message.bytes", 900}, {topic, "ProducerBatchMaxBytes", 1_000_000}} {
		var size *kafka.SizeError
		err := prepare(outbox.Message{Subject: m.subject, Data: make([]byte, m.bytes)})
		if !errors.As(err, &size) || size.Setting != m.setting {
			t.Errorf("%d bytes to %s: %v", m.bytes, m.subject, err)
		}
	}
	if err := prepare(outbox.Message{Subject: topic, Header: map[string]string{"DTC-message-id": "x"}}); !errors.As(err, new(*kafka.MessageError)) {
		t.Errorf("a header that is taken: %v", err)
	}
	// What the broker does not tell does not count.
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.TopicAuthorizationFailed})
	ok(t, prepare(outbox.Message{Subject: "small", Data: make([]byte, 900)}))
}

// What Prepare takes at the limit, the broker takes.
func TestPrepare_Size(t *testing.T) {
	c := newCluster(t)
	ok(t, c.CreateTopic("small", 1, map[string]string{"max.message.bytes": "1000"}))
	o := newOutbox(t, newClient(t, c, kgo.ProducerBatchCompression(kgo.NoCompression())), nil)
	for bytes := 1000; ; bytes-- {
		b := branchOf(t, outbox.Message{Subject: "small", Key: []byte("k"), Header: map[string]string{"a": "b"}, Data: make([]byte, bytes)})
		if o.Prepare(t.Context(), b) == nil {
			ok(t, o.Commit(t.Context(), b))
			break
		}
		if bytes == 700 {
			t.Fatal("nothing fits")
		}
	}
}

func TestNew_Refuses(t *testing.T) {
	c := newCluster(t)
	for name, options := range map[string][]kgo.Opt{
		"DisableIdempotentWrite": {kgo.DisableIdempotentWrite()},
		"RequiredAcks":           {kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck())},
		"Cancellation":           {kgo.AllowIdempotentProduceCancellation()},
		"ManualFlushing":         {kgo.ManualFlushing()},
		"TransactionalID":        {kgo.TransactionalID("x")},
	} {
		var bad *kafka.ClientError
		if _, err := kafka.New(newClient(t, c, options...)); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := kafka.New(nil); !errors.As(err, new(*kafka.ClientError)) {
		t.Error(err)
	}
}
