package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// server is what others connect to. It speaks the protocol of protoactor's remote
// as far as that is of use: its other calls are answered with Unimplemented.
type server struct {
	remote.UnimplementedRemotingServer
	node *Node
}

// Receive takes the messages of one peer.
func (s *server) Receive(stream remote.Remoting_ReceiveServer) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.node.system.Logger().Error("dtc: a message from outside caused a panic",
				slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			err = status.Error(codes.Internal, "dtc: panic")
		}
	}()
	in := &incoming{node: s.node, stream: stream}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = in.take(m)
		}
		if err != nil {
			return err
		}
	}
}

// incoming is the stream of messages from one peer. It is the guard: what an
// honest peer of any version may send and nobody here wants is dropped by itself;
// what none sends ends the stream.
type incoming struct {
	node   *Node
	stream remote.Remoting_ReceiveServer
	peer   string // the address that it has; empty until it said so
}

func malformed(format string, a ...any) error {
	return status.Errorf(codes.InvalidArgument, "dtc: "+format, a...)
}

func (in *incoming) take(m *remote.RemoteMessage) error {
	switch t := m.GetMessageType().(type) {
	case *remote.RemoteMessage_ConnectRequest:
		return in.greeted(t.ConnectRequest)
	case *remote.RemoteMessage_MessageBatch:
		if in.peer == "" {
			return malformed("not greeted")
		}
		for _, e := range t.MessageBatch.GetEnvelopes() {
			if !fits(e, t.MessageBatch) {
				return malformed("bad index or serializer")
			}
			if why := in.deliver(e, t.MessageBatch); why != "" {
				in.node.drop(in.peer, t.MessageBatch.TypeNames[e.TypeId], why)
			}
		}
	default:
		in.node.drop(in.peer, fmt.Sprintf("%T", t), "not known")
	}
	return nil
}

// greeted takes the peer's address. The node will connect to it to answer, so it
// must be one for which the peer has a certificate.
func (in *incoming) greeted(r *remote.ConnectRequest) error {
	address := r.GetServerConnection().GetAddress()
	if in.peer != "" {
		return malformed("greeted twice")
	}
	if err := checkAddress(address, 1); err != nil {
		return malformed("advertised address %s: %v", short(address), err)
	}
	if address == in.node.Address() {
		return status.Error(codes.PermissionDenied, "dtc: the advertised address is this node's")
	}
	if err := in.node.vouched(in.stream.Context(), address); err != nil {
		return status.Errorf(codes.PermissionDenied, "dtc: advertised address %s: %v", address, err)
	}
	in.peer = address
	return in.stream.Send(&remote.RemoteMessage{MessageType: &remote.RemoteMessage_ConnectResponse{
		ConnectResponse: &remote.ConnectResponse{MemberId: in.node.system.ID},
	}})
}

// vouched checks that the peer's certificate is for the address.
func (n *Node) vouched(ctx context.Context, address string) error {
	if n.config.TLS == nil {
		return nil
	}
	p, _ := peer.FromContext(ctx)
	if p == nil {
		return errors.New("no certificate")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return errors.New("no verified certificate")
	}
	return info.State.PeerCertificates[0].VerifyHostname(n.config.nameOf(address))
}

// fits tells whether the envelope's indexes are in range, and its encoding the one
// that is read here.
func fits(e *remote.MessageEnvelope, b *remote.MessageBatch) bool {
	within := func(i int32, n int) bool { return i >= 0 && int(i) < n }
	return within(e.TypeId, len(b.TypeNames)) && within(e.Target, len(b.Targets)) &&
		(e.Sender == 0 || within(e.Sender-1, len(b.Senders))) && e.SerializerId == 0
}

// deliver hands one message to whom it is for; why says what is wrong with it.
func (in *incoming) deliver(e *remote.MessageEnvelope, b *remote.MessageBatch) (why string) {
	var sender *actor.PID
	if e.Sender != 0 {
		// At the peer's own address, whatever it says: nobody is answered elsewhere.
		sender = actor.NewPID(in.peer, b.Senders[e.Sender-1].GetId())
		sender.RequestId = e.SenderRequestId
	}
	k := kinds[b.TypeNames[e.TypeId]]
	to, why := in.node.target(k.role, b.Targets[e.Target].GetId())
	if why != "" {
		return why
	}
	m := k.make()
	if err := proto.Unmarshal(e.MessageData, m); err != nil {
		return "it cannot be read"
	}
	to.RequestId = e.TargetRequestId
	in.node.system.Root.Send(to, &actor.MessageEnvelope{Message: m, Sender: sender})
	return ""
}

// target returns for whom a message is, or why it is for nobody. The address that
// it was sent to does not matter: what comes here is for here.
func (n *Node) target(r role, id string) (to *actor.PID, why string) {
	switch r {
	case asking:
		if strings.HasPrefix(id, participantPrefix) {
			return n.system.NewLocalPID(n.front.Id), "" // which goes by the branch
		}
		return nil, "its target is no participant"
	case replying:
		if asker, ok := n.askers.find(id); ok {
			return n.system.NewLocalPID(asker), ""
		}
		return nil, "nobody here has asked, or did before a restart"
	default:
		return nil, "not known, or not for others to send"
	}
}

// drops counts what was dropped, for the log.
type drops struct {
	mu     sync.Mutex
	logged time.Time
	since  int
}

// drop logs that a message from or for a peer reaches nobody, at most once a second.
func (n *Node) drop(peer, what, why string) {
	n.drops.mu.Lock()
	defer n.drops.mu.Unlock()
	n.drops.since++
	if time.Since(n.drops.logged) < time.Second {
		return
	}
	n.system.Logger().Warn("dtc: message dropped", slog.String("peer", peer), slog.String("message", short(what)),
		slog.String("why", why), slog.Int("dropped_since_last_line", n.drops.since))
	n.drops.logged, n.drops.since = time.Now(), 0
}

// short is what a stranger said, fit for a log.
func short(text string) string { return fmt.Sprintf("%.100q", text) }
