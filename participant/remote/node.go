package remote

import (
	"context"
	"net"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"

	"github.com/seed-d36415c0/dtc/participant"
)

// participantPrefix begins the names of actors that speak for participants.
const participantPrefix = "dtc/participant/"

// Node is a process's end of the connections to others: it serves participants,
// and reaches those that others serve. It may be used by many goroutines.
type Node struct {
	system *actor.ActorSystem
	config Config
	server *grpc.Server
	askers askers
	drops  drops

	closed context.Context // ends with Close
	close  context.CancelFunc
	once   sync.Once
	// running counts what Close waits for: the server, links, and calls of served
	// participants.
	running sync.WaitGroup

	mu     sync.Mutex // guards what follows, and that nothing begins after Close
	served map[string]*actor.PID
	links  map[string]*link
	own    []*actor.PID // the actors that end with the node
	// front is asked what is for participants of this process.
	front *actor.PID
}

// Listen makes the actor system one that others reach, and that reaches others. It
// must be called before the system is used by several goroutines, and before
// dtc.Open. Its errors are [*ConfigError], [*InUseError] and [*ListenError].
func Listen(system *actor.ActorSystem, config Config) (*Node, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	if _, _, err := net.SplitHostPort(system.Address()); err == nil {
		return nil, &InUseError{Address: system.Address()}
	}
	listener, err := net.Listen("tcp", config.Address)
	if err != nil {
		return nil, &ListenError{Address: config.Address, Err: err}
	}
	n := &Node{
		system: system, config: config,
		served: make(map[string]*actor.PID), links: make(map[string]*link),
	}
	n.closed, n.close = context.WithCancel(context.Background())
	system.ProcessRegistry.Address = config.advertised(listener.Addr())
	system.ProcessRegistry.RegisterAddressResolver(func(*actor.PID) (actor.Process, bool) { return elsewhere{n}, true })
	n.front = system.Root.Spawn(actor.PropsFromFunc(n.forward))
	n.own = append(n.own, n.front)
	n.server = grpc.NewServer(config.serverOptions()...)
	remote.RegisterRemotingServer(n.server, &server{node: n})
	n.running.Go(func() { _ = n.server.Serve(listener) }) // it ends when it is stopped
	return n, nil
}

// Address is where others reach the node, as host:port: what they hand to
// [Node.Participant].
func (n *Node) Address() string { return n.system.Address() }

// Participant returns the participant that the node at the address serves under
// the name, to be enlisted or registered with a coordinator of this actor system.
// The address may be the node's own. Nothing is connected to by this: where the
// participant cannot be reached or is not served, what the coordinator asks of it
// fails with the reason. Its methods cannot be called directly; see
// participant.Actor.
func (n *Node) Participant(name, address string) participant.Participant {
	if address == n.Address() {
		return participant.Actor(name, n.front)
	}
	return participant.Actor(name, actor.NewPID(address, participantPrefix+name))
}

// Serve lets others reach the participants under their names, until Close: all of
// them, or with an error none. Errors are [*KindError] for what is not two-phase,
// [*NameError] for a name that is no name or is served already, and [ErrClosed].
//
// A participant.Actor of this actor system is served too: its own actor gets the
// messages as they come, and keeps what order it wants.
//
// A participant may be served while transactions wait for it: what they were told
// before is that it is not served, and they ask again.
func (n *Node) Serve(participants ...participant.Participant) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed.Err() != nil {
		return ErrClosed
	}
	names := make(map[string]bool)
	for _, p := range participants {
		if err := n.servable(p); err != nil {
			return err
		}
		if name := p.Name(); names[name] || n.served[name] != nil {
			return &NameError{Name: name, Reason: "is served already"}
		}
		names[p.Name()] = true
	}
	for _, p := range participants {
		n.serve(p)
	}
	return nil
}

// serve makes known the actor that speaks for the participant; the caller holds the
// lock.
func (n *Node) serve(p participant.Participant) {
	if driven, ok := participant.As[participant.MessageDriven](p); ok {
		n.served[p.Name()] = driven.PID()
		return
	}
	pid := n.system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return newServed(n, p) }))
	n.served[p.Name()] = pid
	n.own = append(n.own, pid)
}

// find returns the actor that speaks for the participant; nil if it is not served.
func (n *Node) find(name string) *actor.PID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.served[name]
}

// forward is the front: it hands questions to those who speak for the participants,
// and refuses those for participants that are not served.
func (n *Node) forward(c actor.Context) {
	q, ok := c.Message().(question)
	if !ok {
		return
	}
	name := q.GetBranch().GetParticipant()
	if pid := n.find(name); pid != nil {
		c.Forward(pid)
		return
	}
	n.reply(c.Sender(), answer(q, errNotServed(name, n.Address())))
}

// reply sends an answer, where somebody wants one.
func (n *Node) reply(to *actor.PID, a any) {
	if to != nil {
		n.system.Root.Send(to, a)
	}
}

// Close stops listening, cancels the calls of served participants and returns when
// they have returned, so that what they use can be closed after it; one that
// ignores its context holds it up. Connections end, and what is then asked of
// others is refused at once; a coordinator should be closed before. It must not be
// called from a participant's call. A second Close is harmless. The actor system
// cannot listen again.
func (n *Node) Close() error {
	n.once.Do(func() {
		n.mu.Lock()
		n.close()
		n.mu.Unlock()
		n.server.Stop()
		for _, pid := range n.own {
			_ = n.system.Root.StopFuture(pid).Wait() // in time: none of its messages blocks
		}
		n.running.Wait()
	})
	return nil
}
