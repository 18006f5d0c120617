package grpcbranch_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// childVariable tells a child process that it is one, and where its files are.
const childVariable = "DTC_GRPCBRANCH_CHILD"

var ctx = context.Background()

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// listen starts a server on a loopback port, with what the test registers there.
func listen(t testing.TB, register func(*grpc.Server) error, options ...grpc.ServerOption) (addr string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(append(grpcbranch.ServerOptions(), options...)...)
	if err := register(server); err != nil {
		t.Fatal(err)
	}
	done := serveOn(server, listener)
	stop = func() {
		if server != nil {
			server.Stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		server = nil
	}
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// serveOn serves, and says how that ended.
func serveOn(server *grpc.Server, listener net.Listener) <-chan error {
	done := make(chan error, 1)
	go func() {
		err := server.Serve(listener)
		if errors.Is(err, grpc.ErrServerStopped) { // before it began
			err = nil
		}
		done <- err
	}()
	return done
}

// dial makes a connection without credentials, unless options bring some.
func dial(t testing.TB, addr string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	all := append(grpcbranch.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient(addr, append(all, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// serve serves the participants, and returns a connection to them.
func serve(t testing.TB, participants ...participant.Participant) *grpc.ClientConn {
	t.Helper()
	addr, _ := listen(t, func(s *grpc.Server) error { return grpcbranch.Register(s, nil, participants...) })
	return dial(t, addr)
}

// serveStub serves what a test answers by hand.
func serveStub(t testing.TB, s participantpb.ParticipantServiceServer, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	addr, _ := listen(t, func(server *grpc.Server) error {
		participantpb.RegisterParticipantServiceServer(server, s)
		return nil
	})
	return dial(t, addr, options...)
}

func newClient(t testing.TB, name string, conn grpc.ClientConnInterface, o *grpcbranch.Options) participant.Participant {
	t.Helper()
	p, err := grpcbranch.New(name, conn, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// whole is the options of a client that uses all that a ledger can do.
func whole() *grpcbranch.Options {
	return &grpcbranch.Options{Kind: grpcbranch.OnePhaseCommitter, Recoverer: true}
}

// openLedger opens a ledger in dir with accounts "0" to "n-1" of 10 each.
func openLedger(dir, name string, n int) (*ledger.Ledger, error) {
	l, err := ledger.Open(name, filepath.Join(dir, name), nil)
	if err != nil {
		return nil, err
	}
	accounts := make(map[string]ledger.Account)
	for i := range n {
		accounts[strconv.Itoa(i)] = ledger.Account{Balance: 10}
	}
	if err := l.Seed(accounts); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func newLedger(t testing.TB, name string, n int) *ledger.Ledger {
	t.Helper()
	l, err := openLedger(t.TempDir(), name, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// take is a payload that takes one from the account.
func take(account int) []byte {
	return ledger.Payload{Entries: []ledger.Entry{{Account: strconv.Itoa(account), Delta: -1}}}.Encode()
}

// tooMuch is a payload that the ledger refuses.
func tooMuch() []byte {
	return ledger.Payload{Entries: []ledger.Entry{{Account: "0", Delta: -11}}}.Encode()
}

func balance(t testing.TB, l *ledger.Ledger, account, want int) {
	t.Helper()
	if got, err := l.Balance(strconv.Itoa(account)); err != nil || got != int64(want) {
		t.Errorf("account %d has %d, %v; want %d", account, got, err, want)
	}
}

func newBranch(name string, payload []byte) participant.Branch {
	return participant.Branch{Coordinator: "c", Transaction: uuid.Must(uuid.NewV7()), Participant: name, Payload: payload}
}

func as[T any](t testing.TB, p participant.Participant) T {
	t.Helper()
	v, ok := participant.As[T](p)
	if !ok {
		t.Fatalf("%T is no %T", p, (*T)(nil))
	}
	return v
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("call %d: %v", i+1, err)
		}
	}
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("half a minute later: %s is not so", what)
		case <-tick.C:
		}
	}
}
