package remote_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protoremote "github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// attacker is a connection to the victim, made by hand.
type attacker struct {
	t      testing.TB
	victim string
	client protoremote.RemotingClient
	stream protoremote.Remoting_ReceiveClient
	bait   *bait
}

// claim is where the attacker says it can be reached: nobody listens there.
const claim = "127.0.0.1:1"

// newAttacker connects; it has not greeted yet.
func newAttacker(t testing.TB, victim string, how credentials.TransportCredentials) *attacker {
	t.Helper()
	conn, err := grpc.NewClient(victim, grpc.WithTransportCredentials(how))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(background, time.Minute)
	t.Cleanup(func() { cancel(); _ = conn.Close() })
	a := &attacker{t: t, victim: victim, client: protoremote.NewRemotingClient(conn), bait: newBait(t)}
	if a.stream, err = a.client.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *attacker) greet(address string) {
	_ = a.stream.Send(&protoremote.RemoteMessage{MessageType: &protoremote.RemoteMessage_ConnectRequest{
		ConnectRequest: &protoremote.ConnectRequest{ConnectionType: &protoremote.ConnectRequest_ServerConnection{
			ServerConnection: &protoremote.ServerConnection{SystemId: "attacker", Address: address},
		}},
	}})
}

// batch is one message to a target, to be spoilt.
func batch(target *actor.PID, m proto.Message) *protoremote.MessageBatch {
	data, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return &protoremote.MessageBatch{
		TypeNames: []string{string(proto.MessageName(m))},
		Targets:   []*actor.PID{target},
		Senders:   []*actor.PID{actor.NewPID(claim, "attacker")},
		Envelopes: []*protoremote.MessageEnvelope{{MessageData: data}},
	}
}

func (a *attacker) send(b *protoremote.MessageBatch) {
	_ = a.stream.Send(&protoremote.RemoteMessage{MessageType: &protoremote.RemoteMessage_MessageBatch{MessageBatch: b}})
}

// to is an actor of the victim.
func (a *attacker) to(id string) *actor.PID { return actor.NewPID(a.victim, id) }

// bait is an address that nobody has a reason to connect to.
type bait struct {
	net.Listener
	bitten chan struct{}
}

func newBait(t testing.TB) *bait {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bait{l, make(chan struct{})}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.Close()
			close(b.bitten)
		}
	}()
	return b
}

// Names of actors at the victim; that of the participant is a node's.
const (
	stockID     = "dtc/participant/stock"
	bystanderID = "bystander"
	spawnedID   = "spawned"
)

// victim is a process as its own tests see it.
type victim struct {
	system *actor.ActorSystem
	// overheard are messages that reached an actor that has nothing to do with it.
	overheard chan any
}

func newVictim() *victim {
	return &victim{system: quietSystem(), overheard: make(chan any, 100)}
}

// inhabit spawns the bystander.
func (v *victim) inhabit(t testing.TB) {
	t.Helper()
	_, err := v.system.Root.SpawnNamed(actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(proto.Message); ok {
			v.overheard <- c.Message()
		}
	}), bystanderID)
	if err != nil {
		t.Fatal(err)
	}
}

func (v *victim) has(id string) bool {
	_, ok := v.system.ProcessRegistry.GetLocal(id)
	return ok
}

// bare is a victim with protoactor's remote as it is, and an actor that answers.
func bare(t testing.TB) *victim {
	t.Helper()
	v := newVictim()
	worker := protoremote.NewKind("worker", actor.PropsFromFunc(func(actor.Context) {}))
	protoremote.NewRemote(v.system, protoremote.Configure("127.0.0.1", 0, protoremote.WithKinds(worker))).Start()
	v.inhabit(t)
	_, err := v.system.Root.SpawnNamed(actor.PropsFromFunc(func(c actor.Context) {
		switch m := c.Message().(type) {
		case *messages.Prepare:
			c.Respond(m.Yes())
		case *messages.Commit:
			c.Respond(m.Done())
		case *messages.Rollback:
			c.Respond(m.Done())
		}
	}), stockID)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// guarded is a victim that is a node, which serves the participant stock.
func guarded(t testing.TB, on *stub) *victim {
	t.Helper()
	v := newVictim()
	n := listen(t, v.system, remote.Config{Insecure: true})
	v.inhabit(t)
	if err := n.Serve(on); err != nil {
		t.Fatal(err)
	}
	return v
}

const victimVariable = "DTC_REMOTE_VICTIM"

// startBare starts a process with a bare remote, and attacks it. protoactor's Start
// changes what the whole process logs, so each has a process of its own.
func startBare(t *testing.T, run func(*attacker)) (child *crashtest.Child, lines <-chan any, a *attacker) {
	t.Helper()
	child, err := crashtest.Start("TestAttack_Bare", victimVariable+"=1")
	if err != nil {
		t.Fatal(err)
	}
	lines = told(child)
	a = newAttacker(t, next[string](t, lines), insecure.NewCredentials())
	a.greet(claim)
	run(a)
	return child, lines, a
}

// told are the lines that a child tells; the channel is closed when it is gone.
func told(child *crashtest.Child) <-chan any {
	lines := make(chan any, 100)
	go func() {
		defer close(lines)
		for line := range child.Lines() {
			lines <- line
		}
	}()
	return lines
}

// gone waits for a child's end.
func gone(child *crashtest.Child, lines <-chan any) error {
	for range lines {
	}
	return child.Wait()
}
