package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/outbox"
	"github.com/seed-d36415c0/dtc/participant/outbox/kafka"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "orders"

func newCluster(t testing.TB, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, topic)}, options...)...)
	ok(t, err)
	t.Cleanup(c.Close)
	return c
}

func newClient(t testing.TB, c *kfake.Cluster, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }),
	}, options...)...)
	ok(t, err)
	t.Cleanup(client.Close)
	return client
}

func newOutbox(t testing.TB, client *kgo.Client, store participant.Store) *outbox.Outbox {
	t.Helper()
	p, err := kafka.New(client)
	ok(t, err)
	o, err := outbox.New("events", p, &outbox.Options{Store: store})
	ok(t, err)
	return o
}

// stored are the ids of all messages in the topic.
func stored(t testing.TB, c *kfake.Cluster) (ids []string) {
	t.Helper()
	for _, r := range records(t, c) {
		ids = append(ids, header(r, kafka.IDHeader))
	}
	slices.Sort(ids)
	return ids
}

func records(t testing.TB, c *kfake.Cluster) (all []*kgo.Record) {
	t.Helper()
	var want int64
	for _, p := range c.PartitionInfos(topic) {
		want += p.HighWatermark
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic))
	ok(t, err)
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for int64(len(all)) < want {
		fetched := reader.PollFetches(ctx)
		ok(t, fetched.Err())
		all = append(all, fetched.Records()...)
	}
	return all
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func newBranch(t testing.TB) participant.Branch {
	return branchOf(t, outbox.Message{Subject: topic, Key: []byte("order 17"), Header: map[string]string{"kind": "placed"}, Data: []byte("two widgets")})
}

func branchOf(t testing.TB, messages ...outbox.Message) participant.Branch {
	t.Helper()
	data, err := outbox.Encode(messages...)
	ok(t, err)
	return participant.Branch{Coordinator: "till", Transaction: uuid.Must(uuid.NewV7()), Participant: "events", Payload: data}
}

func idOf(b participant.Branch) string { return b.Transaction.String() + "/till/events/0" }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// The broker stays; a restart is that of the service.
func TestConformance(t *testing.T) {
	c := newCluster(t)
	participanttest.Run(t, participanttest.Harness{Durable: true, Open: func(dir string) (*participanttest.Service, error) {
		store, err := filestore.Open(filepath.Join(dir, "events"), nil)
		if err != nil {
			return nil, err
		}
		client := newClient(t, c)
		return &participanttest.Service{
			Participant: newOutbox(t, client, store),
			Payload:     func() []byte { return newBranch(t).Payload },
			Refused:     func() []byte { return branchOf(t, outbox.Message{Subject: "nowhere"}).Payload },
			Effects: func(b participant.Branch) (n int, err error) {
				for _, id := range stored(t, c) {
					if strings.HasPrefix(id, b.Transaction.String()) {
						n++
					}
				}
				return n, nil
			},
			Close: func() error {
				client.Close()
				return store.Close()
			},
		}, nil
	}})
}

func TestMessageArrivesWhole(t *testing.T) {
	c := newCluster(t)
	o := newOutbox(t, newClient(t, c), nil)
	b := newBranch(t)
	ok(t, o.Prepare(t.Context(), b))
	ok(t, o.Commit(t.Context(), b))
	all := records(t, c)
	if len(all) != 1 || string(all[0].Key) != "order 17" || string(all[0].Value) != "two widgets" ||
		header(all[0], "kind") != "placed" || header(all[0], kafka.IDHeader) != idOf(b) {
		t.Errorf("read %+v", all)
	}
}

// Answers are lost, and the call comes again: the record that is under way is
// waited for, and is there once.
func TestAcknowledgementLost(t *testing.T) {
	c := newCluster(t)
	o := newOutbox(t, newClient(t, c), nil)
	b := newBranch(t)
	ok(t, o.Prepare(t.Context(), b))
	// The work is done, and the answer is an error that has the client ask again.
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: 3})
	ok(t, o.Commit(t.Context(), b))
	if got := stored(t, c); !slices.Equal(got, []string{idOf(b)}) {
		t.Errorf("stored %q", got)
	}
}

// The broker answers nothing: calls end with their context, and none of them adds
// a record.
func TestBrokerSilent(t *testing.T) {
	c := newCluster(t)
	o := newOutbox(t, newClient(t, c), nil)
	b := newBranch(t)
	ok(t, o.Prepare(t.Context(), b))
	var silent atomic.Bool
	silent.Store(true)
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, errors.New("the connection is cut"), silent.Load()
	})
	for range 4 {
		if err := o.Commit(shortly(t), b); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Commit answered %v", err)
		}
	}
	silent.Store(false)
	ok(t, o.Commit(t.Context(), b))
	ok(t, o.Commit(t.Context(), b))
	if got := stored(t, c); !slices.Equal(got, []string{idOf(b)}) {
		t.Errorf("stored %q", got)
	}
}

// A record that is stored after its call has ended is heard of by the next one.
func TestStoredLate(t *testing.T) {
	c := newCluster(t)
	client := newClient(t, c)
	o := newOutbox(t, client, nil)
	b := newBranch(t)
	answer := make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.SleepControl(func() { <-answer })
		return nil, nil, false
	})
	if err := o.Commit(shortly(t), b); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Commit answered %v", err)
	}
	close(answer)
	ok(t, client.Flush(t.Context()))
	ok(t, o.Commit(t.Context(), b))
	if got := stored(t, c); !slices.Equal(got, []string{idOf(b)}) {
		t.Errorf("stored %q", got)
	}
}

// One topic takes messages and the other does not: what is stored is not stored
// again while the branch waits.
func TestSecondMessageWaits(t *testing.T) {
	c := newCluster(t)
	ok(t, c.CreateTopic("other", 1, nil))
	o := newOutbox(t, newClient(t, c), nil)
	b := branchOf(t, outbox.Message{Subject: topic}, outbox.Message{Subject: "other"})
	ok(t, o.Prepare(t.Context(), b))
	stuck := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "other", Err: kerr.NotEnoughReplicas, Count: -1})
	for waited := 0; waited < 3; {
		var waits *outbox.PublishError
		if err := o.Commit(shortly(t), b); !errors.As(err, &waits) {
			t.Fatalf("Commit answered %v", err)
		}
		waited += waits.Number // the first message may take longer than a call
	}
	stuck.Remove()
	ok(t, o.Commit(t.Context(), b))
	if got := stored(t, c); !slices.Equal(got, []string{idOf(b)}) {
		t.Errorf("stored %q", got)
	}
	if n := c.PartitionInfo("other", 0).HighWatermark; n != 1 {
		t.Errorf("%d messages in the other topic", n)
	}
}

// The process is another one: the message is there twice, with one id.
func TestAnotherProcess(t *testing.T) {
	c := newCluster(t)
	b := newBranch(t)
	ok(t, newOutbox(t, newClient(t, c), nil).Commit(t.Context(), b))
	ok(t, newOutbox(t, newClient(t, c), nil).Commit(t.Context(), b))
	all := records(t, c)
	if len(all) != 2 || header(all[0], kafka.IDHeader) != header(all[1], kafka.IDHeader) || all[0].Partition != all[1].Partition {
		t.Errorf("stored %+v", all)
	}
}

// The broker is gone, and comes back where it was, with what it had.
func TestBrokerRestarted(t *testing.T) {
	dir := t.TempDir()
	c := newCluster(t, kfake.DataDir(dir), kfake.SyncWrites())
	o := newOutbox(t, newClient(t, c), nil)
	first, second := newBranch(t), newBranch(t)
	ok(t, o.Prepare(t.Context(), second))
	ok(t, o.Commit(t.Context(), first))
	var port int
	_, err := fmt.Sscanf(c.ListenAddrs()[0], "127.0.0.1:%d", &port)
	ok(t, err)
	c.Close()
	if err := o.Prepare(shortly(t), newBranch(t)); err == nil {
		t.Error("Prepare was answered without a broker")
	}
	if err := o.Commit(shortly(t), second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Commit answered %v", err)
	}
	c = newCluster(t, kfake.DataDir(dir), kfake.SyncWrites(), kfake.Ports(port))
	ok(t, o.Commit(t.Context(), second))
	want := []string{idOf(first), idOf(second)}
	if got := stored(t, c); !slices.Equal(got, want) {
		t.Errorf("stored %q, not %q", got, want)
	}
}

func TestClientClosed(t *testing.T) {
	c := newCluster(t)
	client := newClient(t, c)
	o := newOutbox(t, client, nil)
	client.Close()
	b := newBranch(t)
	for range 2 {
		if err := o.Commit(t.Context(), b); !errors.Is(err, kgo.ErrClientClosed) {
			t.Errorf("Commit answered %v", err)
		}
	}
}
