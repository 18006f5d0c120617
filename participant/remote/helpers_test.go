package remote_test

import (
	"context"
	"io"
	stdslog "log/slog"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

var (
	background = context.Background()
	quiet      = slog.New(slog.NewTextHandler(io.Discard, nil))
)

// quietSystem is an actor system that logs nothing.
func quietSystem() *actor.ActorSystem { return systemTo(io.Discard) }

// systemTo is an actor system that logs to w.
func systemTo(w io.Writer) *actor.ActorSystem {
	logger := stdslog.New(stdslog.NewTextHandler(w, nil))
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger { return logger }),
		actor.WithDeadLetterThrottleInterval(time.Nanosecond))
}

// lines is a log that a test waits in for words.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// listen returns a node that is closed at the test's end.
func listen(tb testing.TB, system *actor.ActorSystem, c remote.Config) *remote.Node {
	tb.Helper()
	n, err := remote.Listen(system, c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = n.Close() })
	return n
}

// plain is a node without TLS in a system of its own.
func plain(tb testing.TB) *remote.Node {
	tb.Helper()
	return listen(tb, quietSystem(), remote.Config{Insecure: true})
}

// eventually polls until the condition holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			tb.Fatalf("after 30 s it is not so that %s", what)
		}
	}
}

// stub is a participant whose calls a test answers; nil answers nil.
type stub struct {
	name string
	on   func(ctx context.Context, call string, b participant.Branch) error
}

func (s *stub) Name() string { return s.name }

func (s *stub) call(ctx context.Context, call string, b participant.Branch) error {
	if s.on == nil {
		return nil
	}
	return s.on(ctx, call, b)
}

func (s *stub) Prepare(ctx context.Context, b participant.Branch) error {
	return s.call(ctx, "prepare", b)
}
func (s *stub) Commit(ctx context.Context, b participant.Branch) error {
	return s.call(ctx, "commit", b)
}
func (s *stub) Rollback(ctx context.Context, b participant.Branch) error {
	return s.call(ctx, "rollback", b)
}

// signal is a call that tells that it was made.
func signal(called chan<- any) func(context.Context, string, participant.Branch) error {
	return func(_ context.Context, call string, _ participant.Branch) error {
		called <- call
		return nil
	}
}

// lean is a stub that is NonBlocking.
type lean struct{ *stub }

func (lean) NonBlocking() {}

// serve has a plain node of its own serve the participants.
func serve(tb testing.TB, c remote.Config, p ...participant.Participant) *remote.Node {
	tb.Helper()
	c.Insecure = true
	n := listen(tb, quietSystem(), c)
	if err := n.Serve(p...); err != nil {
		tb.Fatal(err)
	}
	return n
}

// asker is an actor that asks a participant, as a coordinator's gateway does.
type asker struct {
	system  *actor.ActorSystem
	self    *actor.PID
	answers chan any
}

// newAsker returns an asker in a system with a node.
func newAsker(tb testing.TB, system *actor.ActorSystem) *asker {
	a := &asker{system: system, answers: make(chan any, 10_000)}
	a.self = system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch m := c.Message().(type) {
		case *messages.Voted, *messages.Acked:
			a.answers <- m
		}
	}))
	tb.Cleanup(func() { system.Root.Stop(a.self) })
	return a
}

func (a *asker) ask(p participant.Participant, question any) {
	driven, _ := participant.As[participant.MessageDriven](p)
	a.system.Root.RequestWithCustomSender(driven.PID(), question, a.self)
}

func (a *asker) voted(tb testing.TB) *messages.Voted { return next[*messages.Voted](tb, a.answers) }
func (a *asker) acked(tb testing.TB) *messages.Acked { return next[*messages.Acked](tb, a.answers) }

// next waits for the next value, which must be of the type.
func next[T any](tb testing.TB, from <-chan any) T {
	tb.Helper()
	select {
	case v := <-from:
		t, ok := v.(T)
		if !ok {
			tb.Fatalf("got %T %v", v, v)
		}
		return t
	case <-time.After(30 * time.Second):
		tb.Fatal("nothing came in 30 s")
	}
	panic("not reached")
}

// newBranch is a branch of a new transaction.
func newBranch(name string) *messages.Branch {
	id := uuid.Must(uuid.NewV7())
	return &messages.Branch{Coordinator: "shop", Transaction: id[:], Participant: name, Payload: []byte("3 apples")}
}

func prepare(b *messages.Branch, attempt uint32) *messages.Prepare {
	return &messages.Prepare{Branch: b, Attempt: attempt, ExpiresUnixMs: time.Now().Add(time.Minute).UnixMilli()}
}

func commit(b *messages.Branch, attempt uint32) *messages.Commit {
	return &messages.Commit{Branch: b, Attempt: attempt}
}

func rollback(b *messages.Branch, attempt uint32) *messages.Rollback {
	return &messages.Rollback{Branch: b, Attempt: attempt}
}

// open opens a coordinator that is closed at the test's end.
func open(tb testing.TB, system *actor.ActorSystem, c dtc.Config) *dtc.Coordinator {
	tb.Helper()
	c.Logger = quiet
	coordinator, err := dtc.Open(system, c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = coordinator.Close() })
	return coordinator
}
