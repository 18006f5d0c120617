package remote_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// onePhase has no Prepare.
type onePhase struct{ p *stub }

func (o onePhase) Name() string { return o.p.Name() }
func (o onePhase) Commit(ctx context.Context, b participant.Branch) error {
	return o.p.Commit(ctx, b)
}
func (o onePhase) Rollback(ctx context.Context, b participant.Branch) error {
	return o.p.Rollback(ctx, b)
}

func TestServe_Refuses(t *testing.T) {
	n := plain(t)
	if err := n.Serve(&stub{name: "served"}); err != nil {
		t.Fatal(err)
	}
	var kind *remote.KindError
	var name *remote.NameError
	for what, c := range map[string]struct {
		p    participant.Participant
		want any
	}{
		"one-phase":          {onePhase{&stub{name: "p"}}, &kind},
		"one-phase, wrapped": {participant.Idempotent(onePhase{&stub{name: "p"}}, nil), &kind},
		"actor elsewhere":    {n.Participant("p", "127.0.0.1:1"), &kind},
		"nil":                {nil, &name},
		"no name":            {&stub{}, &name},
		"long name":          {&stub{name: strings.Repeat("x", 129)}, &name},
		"control":            {&stub{name: "a\nb"}, &name},
		"not UTF-8":          {&stub{name: "a\xff"}, &name},
		"again":              {&stub{name: "served"}, &name},
	} {
		if err := n.Serve(&stub{name: "fine"}, c.p); !errors.As(err, c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := n.Serve(&stub{name: "fine"}, &stub{name: "fine"}); !errors.As(err, &name) {
		t.Errorf("twice: %v", err)
	}
	if err := n.Serve(&stub{name: "fine"}); err != nil {
		t.Errorf("a refused call has served something: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if err := n.Serve(&stub{name: "late"}); err != remote.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}

// What is not served is refused at once, with the reason, and can be served later.
func TestServe_Later(t *testing.T) {
	server := plain(t)
	system := quietSystem()
	client := listen(t, system, remote.Config{Insecure: true})
	a, p := newAsker(t, system), client.Participant("stock", server.Address())
	b := newBranch("stock")
	a.ask(p, prepare(b, 1))
	if v := a.voted(t); v.Vote != messages.Vote_VOTE_NO || !strings.Contains(v.Reason, `"stock" is not served at `+server.Address()) {
		t.Errorf("voted %v", v)
	}
	a.ask(p, commit(b, 2))
	if k := a.acked(t); k.Done || k.RolledBack {
		t.Errorf("acked %v", k)
	}
	if err := server.Serve(&stub{name: "stock"}); err != nil {
		t.Fatal(err)
	}
	a.ask(p, commit(b, 3))
	if k := a.acked(t); !k.Done {
		t.Errorf("acked %v", k)
	}
}

// A user's own actor is served as it is, and can ask what became of a transaction.
func TestServe_Actor(t *testing.T) {
	system := quietSystem()
	decided := make(chan any, 1)
	var branch *messages.Branch
	pid := system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch m := c.Message().(type) {
		case *messages.Prepare:
			branch = m.GetBranch()
			c.Respond(m.Yes())
		case *messages.Commit:
			c.Respond(m.Done())
			c.Request(c.Sender(), branch.Inquire())
		case *messages.Decided:
			decided <- m
		}
	}))
	server := listen(t, system, remote.Config{Insecure: true}) // after the actor was spawned
	if err := server.Serve(participant.Actor("clerk", pid)); err != nil {
		t.Fatal(err)
	}
	there := quietSystem()
	client := listen(t, there, remote.Config{Insecure: true})
	c := open(t, there, dtc.Config{})
	if err := c.Execute(background, nil, dtc.Enlistment{Participant: client.Participant("clerk", server.Address())}); err != nil {
		t.Fatal(err)
	}
	if d := next[*messages.Decided](t, decided); d.GetOutcome() != messages.Outcome_OUTCOME_COMMITTED {
		t.Errorf("the answer is %v", d)
	}
}

// What the asking node serves itself is reached too, and refused where it is not
// served, with the reason.
func TestServe_InTheSameProcess(t *testing.T) {
	system := quietSystem()
	n := listen(t, system, remote.Config{Insecure: true})
	stock, clerk := n.Participant("stock", n.Address()), n.Participant("clerk", n.Address())
	a := newAsker(t, system)
	a.ask(stock, prepare(newBranch("stock"), 1))
	if v := a.voted(t); !strings.Contains(v.Reason, `"stock" is not served`) {
		t.Errorf("voted %v", v)
	}
	pid := system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch m := c.Message().(type) {
		case *messages.Prepare:
			c.Respond(m.Yes())
		case *messages.Commit:
			c.Respond(m.Done())
		}
	}))
	if err := n.Serve(&stub{name: "stock"}, participant.Actor("clerk", pid)); err != nil {
		t.Fatal(err)
	}
	c := open(t, system, dtc.Config{})
	if err := c.Execute(background, nil, dtc.Enlistment{Participant: stock}, dtc.Enlistment{Participant: clerk}); err != nil {
		t.Error(err)
	}
}

// An actor of the application's that has the name of a served participant's is
// neither in the way nor in reach.
func TestServe_ActorOfTheSameName(t *testing.T) {
	system := quietSystem()
	overheard := make(chan any, 10)
	_, err := system.Root.SpawnNamed(actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(*messages.Prepare); ok {
			overheard <- c.Message()
		}
	}), stockID)
	if err != nil {
		t.Fatal(err)
	}
	n := listen(t, system, remote.Config{Insecure: true})
	if err := n.Serve(&stub{name: "money"}, &stub{name: "stock"}); err != nil {
		t.Fatal(err)
	}
	there := quietSystem()
	a, client := newAsker(t, there), listen(t, there, remote.Config{Insecure: true})
	a.ask(client.Participant("stock", n.Address()), prepare(newBranch("stock"), 1))
	if v := a.voted(t); v.Vote != messages.Vote_VOTE_YES || len(overheard) != 0 {
		t.Errorf("voted %v, and %d questions went astray", v, len(overheard))
	}
}
