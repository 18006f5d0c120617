package messages_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"github.com/seed-d36415c0/dtc/messages"
)

// shop is a participant actor: each branch takes one piece from the shelf. It
// needs no lock, and keeps the three promises of a participant, as long as the
// process lives; one that is to outlive it writes each change down before it
// answers.
type shop struct {
	shelf    int
	branches map[uuid.UUID]state
}

type state int

const (
	unknown state = iota
	reserved
	sold
	returned // kept, so that a late Prepare or Commit is refused
)

func (s *shop) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Prepare:
		ctx.Respond(s.prepare(m))
	case *messages.Commit:
		ctx.Respond(s.commit(m))
	case *messages.Rollback:
		ctx.Respond(s.rollback(m))
	}
}

func (s *shop) prepare(m *messages.Prepare) *messages.Voted {
	id, err := m.GetBranch().ID()
	if err != nil {
		return m.No(err)
	}
	switch s.branches[id] {
	case reserved, sold:
		return m.Yes() // the message came twice
	case returned:
		return m.AlreadyRolledBack()
	}
	if m.Expired(time.Now()) {
		return m.No(errors.New("too late"))
	}
	if s.shelf == 0 {
		return m.No(errors.New("shelf is empty"))
	}
	s.shelf--
	s.branches[id] = reserved
	return m.Yes()
}

func (s *shop) commit(m *messages.Commit) *messages.Acked {
	id, err := m.GetBranch().ID()
	if err != nil {
		return m.Failed(err)
	}
	switch s.branches[id] {
	case unknown:
		return m.Failed(errors.New("not prepared"))
	case returned:
		return m.AlreadyRolledBack()
	}
	s.branches[id] = sold
	return m.Done()
}

func (s *shop) rollback(m *messages.Rollback) *messages.Acked {
	id, err := m.GetBranch().ID()
	if err != nil {
		return m.Failed(err)
	}
	switch s.branches[id] {
	case reserved:
		s.shelf++
	case sold:
		return m.Failed(errors.New("committed"))
	}
	s.branches[id] = returned
	return m.Done()
}

// A participant actor with one piece on the shelf. The part of the coordinator is
// played by hand.
func Example() {
	quiet := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
	system := actor.NewActorSystem(actor.WithLoggerFactory(quiet))
	defer system.Shutdown()
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
		return &shop{shelf: 1, branches: map[uuid.UUID]state{}}
	}))
	ask := func(question any) any {
		answer, err := system.Root.RequestFuture(pid, question, time.Minute).Result()
		if err != nil {
			return err
		}
		return answer
	}
	expires := time.Now().Add(time.Minute).UnixMilli()
	transaction := func() *messages.Branch {
		id := uuid.Must(uuid.NewV7())
		return &messages.Branch{Transaction: id[:], Participant: "shop"}
	}

	first, second := transaction(), transaction()
	for _, branch := range []*messages.Branch{first, second} {
		voted := ask(&messages.Prepare{Branch: branch, Attempt: 1, ExpiresUnixMs: expires}).(*messages.Voted)
		fmt.Printf("%v %q\n", voted.Vote, voted.Reason)
	}
	fmt.Println("first committed:", ask(&messages.Commit{Branch: first, Attempt: 1}).(*messages.Acked).Done)
	fmt.Println("second rolled back:", ask(&messages.Rollback{Branch: second, Attempt: 1}).(*messages.Acked).Done)
	late := ask(&messages.Prepare{Branch: second, Attempt: 2, ExpiresUnixMs: expires}).(*messages.Voted)
	fmt.Printf("%v %q\n", late.Vote, late.Reason)

	// Output:
	// VOTE_YES ""
	// VOTE_NO "shelf is empty"
	// first committed: true
	// second rolled back: true
	// VOTE_NO "the branch was rolled back before"
}
