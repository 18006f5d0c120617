package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-d36415c0/dtc/participant/outbox"
)

// IDHeader is the record header with the message's id.
const IDHeader = "dtc-message-id"

// Publisher publishes to Kafka. Its methods may be called by many goroutines.
type Publisher struct {
	client *kgo.Client

	mu      sync.Mutex
	sending map[string]*sending // by id, until a call has heard that it is stored
}

// sending is a record that is under way.
type sending struct {
	done chan struct{} // closed when err says what became of it
	err  error
}

var _ outbox.Publisher = (*Publisher)(nil)

// New makes a publisher. The client stays the caller's, and must be open for as
// long as the publisher is used. A client that could lose or repeat messages is
// refused with a [*ClientError].
func New(client *kgo.Client) (*Publisher, error) {
	if client == nil {
		return nil, &ClientError{"there is none"}
	}
	is := func(option any) bool { return client.OptValue(option) == true }
	reason := ""
	switch {
	case is(kgo.DisableIdempotentWrite):
		reason = "remove DisableIdempotentWrite"
	case is(kgo.AllowIdempotentProduceCancellation):
		reason = "remove AllowIdempotentProduceCancellation"
	case client.OptValue(kgo.RequiredAcks) != kgo.AllISRAcks():
		reason = "set RequiredAcks to AllISRAcks"
	case is(kgo.ManualFlushing):
		reason = "remove ManualFlushing"
	case client.OptValue(kgo.TransactionalID) != "":
		reason = "remove TransactionalID"
	default:
		return &Publisher{client: client, sending: make(map[string]*sending)}, nil
	}
	return nil, &ClientError{reason}
}

// Publish implements outbox.Publisher. A call whose context ends leaves the record
// under way, and the next one with its id waits for it.
func (p *Publisher) Publish(ctx context.Context, id string, m outbox.Message) error {
	s := p.send(ctx, id, m)
	select {
	case <-s.done:
	case <-ctx.Done():
		return fmt.Errorf("kafka: %w", ctx.Err())
	}
	if s.err != nil {
		return fmt.Errorf("kafka: %w", s.err)
	}
	p.forget(id)
	return nil
}

// send begins to send the message, unless that has begun already.
func (p *Publisher) send(ctx context.Context, id string, m outbox.Message) *sending {
	p.mu.Lock()
	s := p.sending[id]
	begun := s != nil
	if !begun {
		s = &sending{done: make(chan struct{})}
		p.sending[id] = s
	}
	p.mu.Unlock()
	if !begun {
		p.client.TryProduce(context.WithoutCancel(ctx), record(id, m), func(_ *kgo.Record, err error) {
			if err != nil {
				p.forget(id) // the next call is to send it anew
			}
			s.err = err
			close(s.done)
		})
	}
	return s
}

func (p *Publisher) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sending, id)
}

func record(id string, m outbox.Message) *kgo.Record {
	r := &kgo.Record{Topic: m.Subject, Key: m.Key, Value: m.Data}
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(m.Header[name])})
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: IDHeader, Value: []byte(id)})
	return r
}

func checkMessage(m outbox.Message) error {
	for name := range m.Header {
		if strings.EqualFold(name, IDHeader) {
			return &MessageError{"its header has " + name + ", which is for the id"}
		}
	}
	return nil
}
