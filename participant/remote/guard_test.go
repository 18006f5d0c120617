package remote_test

import (
	"strings"
	"testing"

	protoremote "github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/seed-d36415c0/dtc/participant/remote"
)

// What none but an attacker sends ends his stream, and says why.
func TestGuard_EndsTheStream(t *testing.T) {
	own := "" // set below: the victim's own address
	big := newBranch("stock")
	big.Payload = make([]byte, 5<<20)
	for name, c := range map[string]struct {
		run  func(a *attacker)
		code codes.Code
	}{
		"not greeted":     {func(a *attacker) { a.send(batch(a.to(stockID), commit(newBranch("stock"), 1))) }, codes.InvalidArgument},
		"greeted twice":   {func(a *attacker) { a.greet(claim); a.greet(claim) }, codes.InvalidArgument},
		"no address":      {func(a *attacker) { a.greet("") }, codes.InvalidArgument},
		"port 0":          {func(a *attacker) { a.greet("127.0.0.1:0") }, codes.InvalidArgument},
		"socket":          {func(a *attacker) { a.greet("unix:/run/x.sock") }, codes.InvalidArgument},
		"resolver":        {func(a *attacker) { a.greet("dns:///a:1") }, codes.InvalidArgument},
		"long address":    {func(a *attacker) { a.greet(strings.Repeat("a", 1<<20) + ":1") }, codes.InvalidArgument},
		"its own address": {func(a *attacker) { a.greet(own) }, codes.PermissionDenied},
		"no server": {func(a *attacker) {
			_ = a.stream.Send(&protoremote.RemoteMessage{MessageType: &protoremote.RemoteMessage_ConnectRequest{
				ConnectRequest: &protoremote.ConnectRequest{},
			}})
		}, codes.InvalidArgument},
		"too long": {func(a *attacker) { a.greet(claim); a.send(batch(a.to(stockID), commit(big, 1))) }, codes.ResourceExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			called := make(chan any, 1)
			v := guarded(t, &stub{name: "stock", on: signal(called)})
			own = v.system.Address()
			a := newAttacker(t, own, insecure.NewCredentials())
			c.run(a)
			for {
				_, err := a.stream.Recv()
				if err == nil {
					continue // the answer to the greeting
				}
				if status.Code(err) != c.code || len(err.Error()) > 500 {
					t.Errorf("the stream ended with %.500v", err)
				}
				break
			}
			if len(called) != 0 {
				t.Error("the participant was called")
			}
		})
	}
}

// What a later version may send is dropped, and what comes with it is not.
func TestGuard_DropsOneByOne(t *testing.T) {
	called := make(chan any, 10)
	log := new(lines)
	system := systemTo(log)
	n := listen(t, system, remote.Config{Insecure: true})
	if err := n.Serve(&stub{name: "stock", on: signal(called)}); err != nil {
		t.Fatal(err)
	}
	a := newAttacker(t, n.Address(), insecure.NewCredentials())
	a.greet(claim)
	_ = a.stream.Send(&protoremote.RemoteMessage{}) // of a kind that is not known yet
	b := batch(a.to(stockID), commit(newBranch("stock"), 1))
	b.TypeNames = append(b.TypeNames, "dtc.v1.Forecast"+strings.Repeat("!", 10_000))
	later, unread := proto.CloneOf(b.Envelopes[0]), proto.CloneOf(b.Envelopes[0])
	later.TypeId, unread.MessageData = 1, []byte{0xff, 0xff, 0xff}
	b.Envelopes = append([]*protoremote.MessageEnvelope{later, unread, later}, b.Envelopes[0])
	a.send(b)
	if call := next[string](t, called); call != "commit" {
		t.Errorf("called %s", call)
	}
	if text := log.String(); strings.Count(text, "message dropped") != 1 || len(text) > 3000 {
		t.Errorf("the log has %.3000s", text)
	}
}

// A peer can have itself called back only at an address that its certificate is
// for, and is not heard otherwise.
func TestGuard_ChecksTheAddress(t *testing.T) {
	ca := newAuthority(t)
	called := make(chan any, 1)
	n := listen(t, quietSystem(), remote.Config{TLS: ca.config(t, "127.0.0.1")})
	if err := n.Serve(&stub{name: "stock", on: signal(called)}); err != nil {
		t.Fatal(err)
	}
	with := ca.config(t, "shop.example")
	with.RootCAs = with.ClientCAs
	a := newAttacker(t, n.Address(), credentials.NewTLS(with))
	a.greet(a.bait.Addr().String())
	a.send(batch(a.to(stockID), commit(newBranch("stock"), 1)))
	if _, err := a.stream.Recv(); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "cannot validate certificate") {
		t.Errorf("the stream ended with %v", err)
	}
	a = newAttacker(t, n.Address(), credentials.NewTLS(with))
	a.greet("shop.example:7000")
	a.send(batch(a.to(stockID), commit(newBranch("stock"), 1)))
	if call := next[string](t, called); call != "commit" || len(called) != 0 {
		t.Errorf("called %s", call)
	}
}
