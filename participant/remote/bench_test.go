package remote_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// BenchmarkPrepareAndCommit asks a participant in memory to prepare and to commit,
// over loopback in one process, beside the same two messages as bare unary calls of
// grpc, which nothing guards or puts in order.
func BenchmarkPrepareAndCommit(b *testing.B) {
	for _, callers := range []int{1, 10, 100} {
		b.Run("remote/"+strconv.Itoa(callers), func(b *testing.B) { measure(b, callers, overRemote(b)) })
		b.Run("grpc/"+strconv.Itoa(callers), func(b *testing.B) { measure(b, callers, overGRPC(b)) })
	}
}

// measure has so many callers do one transaction after another.
func measure(b *testing.B, callers int, caller func() func(*messages.Branch) error) {
	work := make(chan struct{})
	done := make(chan error, callers)
	for range callers {
		transact := caller()
		go func() {
			var failed error
			for range work {
				if err := transact(newBranch("stock")); err != nil {
					failed = err
				}
			}
			done <- failed
		}()
	}
	b.ResetTimer()
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	for range callers {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

var errRefused = errors.New("refused")

func overRemote(b *testing.B) func() func(*messages.Branch) error {
	server := serve(b, remote.Config{}, &stub{name: "stock"})
	system := quietSystem()
	there := listen(b, system, remote.Config{Insecure: true}).Participant("stock", server.Address())
	driven, _ := participant.As[participant.MessageDriven](there)
	return func() func(*messages.Branch) error {
		answers := make(chan bool, 1)
		self := system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
			switch m := c.Message().(type) {
			case *messages.Voted:
				answers <- m.Vote == messages.Vote_VOTE_YES
			case *messages.Acked:
				answers <- m.Done
			}
		}))
		ask := func(question any) bool {
			system.Root.RequestWithCustomSender(driven.PID(), question, self)
			return <-answers
		}
		return func(m *messages.Branch) error {
			if !ask(prepare(m, 1)) || !ask(commit(m, 2)) {
				return errRefused
			}
			return nil
		}
	}
}

// unary is a service with the two calls, as protoc-gen-go-grpc would make it.
var unary = grpc.ServiceDesc{
	ServiceName: "bench",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		{MethodName: "Prepare", Handler: func(_ any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			m := new(messages.Prepare)
			err := read(m)
			return m.Yes(), err
		}},
		{MethodName: "Commit", Handler: func(_ any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			m := new(messages.Commit)
			err := read(m)
			return m.Done(), err
		}},
	},
}

func overGRPC(b *testing.B) func() func(*messages.Branch) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := grpc.NewServer()
	s.RegisterService(&unary, nil)
	go func() { _ = s.Serve(l) }()
	b.Cleanup(s.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return func() func(*messages.Branch) error {
		return func(m *messages.Branch) error {
			voted, acked := new(messages.Voted), new(messages.Acked)
			err := conn.Invoke(background, "/bench/Prepare", prepare(m, 1), voted)
			if err == nil {
				err = conn.Invoke(background, "/bench/Commit", commit(m, 2), acked)
			}
			return err
		}
	}
}
