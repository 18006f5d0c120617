package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Bounds of a link, in messages.
const (
	maxQueue = 1 << 16
	maxBatch = 100
)

// Why a message cannot be sent.
var (
	errNoGreeting = fmt.Errorf("no answer within %v", connectTimeout)
	errNotANode   = errors.New("what listens there does not speak the protocol")
	errLost       = errors.New("the connection was lost")
	errBacklog    = fmt.Errorf("%d messages wait for it already", maxQueue)
)

// elsewhere is what the actor system takes for the actors of other processes.
type elsewhere struct{ node *Node }

// SendUserMessage implements actor.Process.
func (e elsewhere) SendUserMessage(to *actor.PID, message any) {
	_, m, sender := actor.UnwrapEnvelope(message)
	if m, ok := m.(proto.Message); ok && kinds[wireName(m)].role != 0 {
		e.node.send(to.GetAddress(), parcel{to: to, message: m, sender: sender})
		return
	}
	e.node.system.DeadLetter.SendUserMessage(to, message)
}

// SendSystemMessage implements actor.Process: actors elsewhere are not watched,
// nor stopped.
func (e elsewhere) SendSystemMessage(to *actor.PID, message any) {
	e.node.system.DeadLetter.SendSystemMessage(to, message)
}

// Stop implements actor.Process.
func (elsewhere) Stop(*actor.PID) {}

// parcel is a message for an actor elsewhere.
type parcel struct {
	to      *actor.PID
	message proto.Message
	sender  *actor.PID
}

// link sends what is for one peer. It is there while there is something to send,
// or a connection.
type link struct {
	node *Node
	peer string
	wake chan struct{} // full when there is something new in the queue
	// queue is guarded by the node's lock.
	queue []parcel
}

// send has a message sent to a peer, or refuses it.
func (n *Node) send(peer string, p parcel) {
	if why := n.enqueue(peer, p); why != nil {
		n.refuse(p, errUnreachable(peer, why))
	}
}

func (n *Node) enqueue(peer string, p parcel) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.links[peer]
	switch {
	case n.closed.Err() != nil:
		return ErrClosed
	case l == nil:
		l = &link{node: n, peer: peer, wake: make(chan struct{}, 1)}
		n.links[peer] = l
		n.running.Go(l.run)
	case len(l.queue) >= maxQueue:
		return errBacklog
	}
	l.queue = append(l.queue, p)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

// refuse answers a question that cannot be sent. Other messages are lost, and those
// who wait for them ask again.
func (n *Node) refuse(p parcel, why error) {
	if q, ok := p.message.(question); ok {
		n.reply(p.sender, answer(q, why))
		return
	}
	n.drop(p.to.GetAddress(), wireName(p.message), why.Error())
}

// run connects as long as there is something to send.
func (l *link) run() {
	for !l.idle() {
		stream, err := l.connect()
		if err == nil {
			l.carry(stream)
			stream.hangUp(errLost)
			continue
		}
		l.refuseFor(holdOff, errUnreachable(l.peer, err))
	}
}

// idle ends the link if there is nothing to send.
func (l *link) idle() bool {
	l.node.mu.Lock()
	defer l.node.mu.Unlock()
	if len(l.queue) > 0 {
		return false
	}
	delete(l.node.links, l.peer)
	return true
}

// next takes what is to be sent next.
func (l *link) next() []parcel {
	l.node.mu.Lock()
	defer l.node.mu.Unlock()
	some := l.queue[:min(len(l.queue), maxBatch)]
	l.queue = l.queue[len(some):]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	return some
}

// refuseFor refuses what is to be sent in that time.
func (l *link) refuseFor(d time.Duration, why error) {
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		for some := l.next(); len(some) > 0; some = l.next() {
			for _, p := range some {
				l.node.refuse(p, why)
			}
		}
		select {
		case <-l.wake:
		case <-over.C:
			return
		case <-l.node.closed.Done():
			return
		}
	}
}

// connection is a stream to a peer that has greeted.
type connection struct {
	remote.Remoting_ReceiveClient
	hangUp context.CancelCauseFunc
}

// connect connects, and waits until the peer has greeted.
func (l *link) connect() (*connection, error) {
	// The scheme has the address dialed as it is, whatever it looks like.
	conn, err := grpc.NewClient("passthrough:///"+l.peer, l.node.config.dialOptions()...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(l.node.closed)
	hangUp := func(why error) {
		cancel(why)
		_ = conn.Close()
	}
	giveUp := time.AfterFunc(connectTimeout, func() { cancel(errNoGreeting) })
	stream, err := greet(ctx, conn, l.node.Address(), l.node.system.ID)
	giveUp.Stop()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if l.node.closed.Err() != nil {
			err = ErrClosed
		}
		hangUp(err)
		return nil, err
	}
	l.node.running.Go(func() { // it says nothing more; the stream ends when it is gone, or leaves
		_, _ = stream.Recv()
		hangUp(errLost)
	})
	return &connection{stream, hangUp}, nil
}

// greet tells the peer where the node is, and waits for its answer.
func greet(ctx context.Context, conn *grpc.ClientConn, address, id string) (remote.Remoting_ReceiveClient, error) {
	stream, err := remote.NewRemotingClient(conn).Receive(ctx)
	if err != nil {
		return nil, plain(err)
	}
	_ = stream.Send(&remote.RemoteMessage{MessageType: &remote.RemoteMessage_ConnectRequest{
		ConnectRequest: &remote.ConnectRequest{ConnectionType: &remote.ConnectRequest_ServerConnection{
			ServerConnection: &remote.ServerConnection{SystemId: id, Address: address},
		}},
	}}) // what is wrong with it the answer says
	m, err := stream.Recv()
	if err != nil {
		return nil, plain(err)
	}
	if r := m.GetConnectResponse(); r == nil || r.GetBlocked() {
		return nil, errNotANode
	}
	return stream, nil
}

// plain is an error of grpc's without what grpc says about itself.
func plain(err error) error { return errors.New(status.Convert(err).Message()) }

// carry sends what is to be sent, until the connection breaks.
func (l *link) carry(c *connection) {
	for {
		some := l.next()
		if len(some) > 0 && !l.post(c, some) {
			return
		}
		if len(some) == maxBatch {
			continue
		}
		select {
		case <-l.wake:
		case <-c.Context().Done():
			return
		}
	}
}

// post sends messages, in as many batches as the peer's limit asks for; false if
// the connection is broken.
func (l *link) post(c *connection, some []parcel) bool {
	for len(some) > 0 {
		b, n := l.pack(some)
		if len(b.parcels) > 0 && c.Send(b.wire()) != nil {
			for _, p := range append(b.parcels, some[n:]...) {
				l.node.refuse(p, errUnreachable(l.peer, errLost))
			}
			return false
		}
		some = some[n:]
	}
	return true
}
