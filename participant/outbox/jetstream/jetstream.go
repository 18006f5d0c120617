package jetstream

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed-d36415c0/dtc/participant/outbox"
)

// DefaultWindow is how long a stream must drop duplicates where nothing else is
// said: as long as a stream does where nothing else is said.
const DefaultWindow = 2 * time.Minute

// Options of [New]. The zero value is ready.
type Options struct {
	// Window is the shortest duplicate window of a stream that Prepare accepts;
	// zero means [DefaultWindow].
	Window time.Duration
	// Domain is the JetStream domain; empty means that of the server.
	Domain string
	// AcceptLoss has Prepare accept a stream in memory, which is lost when its
	// servers restart.
	AcceptLoss bool
}

// Publisher publishes to JetStream. Its methods may be called by many goroutines.
type Publisher struct {
	connection *nats.Conn
	js         jetstream.JetStream
	options    Options
}

var _ outbox.Publisher = (*Publisher)(nil)

// New makes a publisher. The connection stays the caller's, and must be open for
// as long as the publisher is used. A nil Options means the zero one. It refuses
// bad options with an [*OptionError].
func New(connection *nats.Conn, o *Options) (*Publisher, error) {
	if connection == nil {
		return nil, &OptionError{"connection", "must not be nil"}
	}
	p := &Publisher{connection: connection}
	if o != nil {
		p.options = *o
	}
	if p.options.Window == 0 {
		p.options.Window = DefaultWindow
	}
	if p.options.Window < 0 {
		return nil, &OptionError{"Window", "must not be negative"}
	}
	if strings.ContainsFunc(p.options.Domain, func(r rune) bool { return r <= ' ' || strings.ContainsRune(".*>", r) }) {
		return nil, &OptionError{"Domain", "must not contain spaces, control characters or .*>"}
	}
	var err error
	if p.options.Domain == "" {
		p.js, err = jetstream.New(connection)
	} else {
		p.js, err = jetstream.NewWithDomain(connection, p.options.Domain)
	}
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	return p, nil
}

// Check implements outbox.Publisher.
func (p *Publisher) Check(ctx context.Context, id string, m outbox.Message) error {
	if err := checkMessage(m); err != nil {
		return err
	}
	size := size(natsMessage(id, m))
	if limit := p.connection.MaxPayload(); limit > 0 && size > limit {
		return &SizeError{Size: size, Limit: limit, Setting: "max_payload"}
	}
	stream, err := p.stream(ctx, m.Subject)
	if err != nil {
		return err
	}
	return p.checkStream(stream, m.Subject, size)
}

// Publish implements outbox.Publisher.
func (p *Publisher) Publish(ctx context.Context, id string, m outbox.Message) error {
	if !p.connection.IsConnected() {
		// The client would keep the message for later, and each repeat of it too.
		return fmt.Errorf("jetstream: %w", nats.ErrDisconnected)
	}
	ack, err := p.js.PublishMsg(ctx, natsMessage(id, m))
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	if ack.Sequence == 0 {
		// Older servers say so of the duplicate of a message that its replicas do
		// not have yet, and may never have.
		return fmt.Errorf("jetstream: stream %q has not stored the message yet", ack.Stream)
	}
	return nil
}

// natsMessage makes the message anew each time, for the client adds to it.
func natsMessage(id string, m outbox.Message) *nats.Msg {
	n := nats.NewMsg(m.Subject)
	for name, value := range m.Header {
		n.Header.Set(name, value)
	}
	n.Header.Set(jetstream.MsgIDHeader, id)
	n.Data = m.Data
	return n
}

// size is what the server's limits count: data and header as they are sent.
func size(m *nats.Msg) int64 {
	n := len(m.Data) + len("NATS/1.0\r\n\r\n")
	for name, values := range m.Header {
		for _, value := range values {
			n += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	return int64(n)
}

// stream asks for the one stream that takes the subject: the server lets no two
// overlap.
func (p *Publisher) stream(ctx context.Context, subject string) (*jetstream.StreamInfo, error) {
	var found *jetstream.StreamInfo
	list := p.js.ListStreams(ctx, jetstream.WithStreamListSubject(subject))
	for info := range list.Info() {
		found = info
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("jetstream: streams for subject %q: %w", subject, err)
	}
	if found == nil {
		return nil, &StreamError{Subject: subject, Reason: "no stream takes it"}
	}
	return found, nil
}

func (p *Publisher) checkStream(s *jetstream.StreamInfo, subject string, size int64) error {
	c := s.Config
	full := c.Discard == jetstream.DiscardNew &&
		(c.MaxMsgs > 0 && s.State.Msgs >= uint64(c.MaxMsgs) || c.MaxBytes > 0 && s.State.Bytes+uint64(size) > uint64(c.MaxBytes))
	reason := ""
	switch {
	case c.NoAck:
		reason = "it does not acknowledge: set no_ack to false"
	case c.Sealed:
		reason = "it is sealed"
	case c.Storage == jetstream.MemoryStorage && !p.options.AcceptLoss:
		reason = "it is in memory: set its storage to file, or set Options.AcceptLoss"
	case full:
		reason = "it is full and discards new messages: raise max_msgs or max_bytes, or remove messages"
	case c.MaxMsgSize > 0 && size > int64(c.MaxMsgSize):
		return &SizeError{Size: size, Limit: int64(c.MaxMsgSize), Setting: "max_msg_size"}
	case c.Duplicates < p.options.Window:
		return &WindowError{Stream: c.Name, Window: c.Duplicates, Want: p.options.Window}
	default:
		return nil
	}
	return &StreamError{Stream: c.Name, Subject: subject, Reason: reason}
}

// checkMessage refuses what the server would refuse later, each time again.
func checkMessage(m outbox.Message) error {
	for token := range strings.SplitSeq(m.Subject, ".") {
		if token == "" || token == "*" || token == ">" {
			return &MessageError{"the subject has an empty token or a wildcard"}
		}
	}
	if len(m.Key) != 0 {
		return &MessageError{"it has a key, and NATS has none"}
	}
	for name := range m.Header {
		if strings.HasPrefix(strings.ToLower(name), "nats-") {
			return &MessageError{"its header has " + name + ", and such names are instructions to the server"}
		}
	}
	return nil
}
