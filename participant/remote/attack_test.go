package remote_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protoremote "github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// The attacks: what anybody who reaches the port of a protoactor remote can do to
// the process, with nothing but its own protobuf messages. Each is tried on a
// remote as it is, which dies or obeys, and on a node, which does neither.

// deadly attacks end a bare process.
var deadly = map[string]func(a *attacker){
	"list processes": func(a *attacker) {
		_, _ = a.client.ListProcesses(a.stream.Context(), &protoremote.ListProcessesRequest{})
	},
	"diagnostics": func(a *attacker) {
		_, _ = a.client.GetProcessDiagnostics(a.stream.Context(), &protoremote.GetProcessDiagnosticsRequest{})
	},
	"unknown type": func(a *attacker) { // also what a newer version would send
		b := batch(a.to(stockID), prepare(newBranch("stock"), 1))
		b.TypeNames[0] = "dtc.v2.Prepare"
		a.send(b)
	},
	"type index": func(a *attacker) { a.spoilt(func(e *protoremote.MessageEnvelope) { e.TypeId = 1 }) },
	"negative":   func(a *attacker) { a.spoilt(func(e *protoremote.MessageEnvelope) { e.TypeId = -1 }) },
	"target":     func(a *attacker) { a.spoilt(func(e *protoremote.MessageEnvelope) { e.Target = 1 }) },
	"sender":     func(a *attacker) { a.spoilt(func(e *protoremote.MessageEnvelope) { e.Sender = 2 }) },
	"least sender": func(a *attacker) {
		a.spoilt(func(e *protoremote.MessageEnvelope) { e.Sender = -1 << 31 })
	},
	"serializer": func(a *attacker) { a.spoilt(func(e *protoremote.MessageEnvelope) { e.SerializerId = 9 }) },
}

func (a *attacker) spoilt(spoil func(*protoremote.MessageEnvelope)) {
	b := batch(a.to(stockID), prepare(newBranch("stock"), 1))
	spoil(b.Envelopes[0])
	a.send(b)
}

// bitten says that the victim connected to where it has no business.
func bitten(a *attacker, _ *victim) bool {
	select {
	case <-a.bait.bitten:
		return true
	default:
		return false
	}
}

// commanding attacks have a bare process do what the attacker says.
var commanding = map[string]struct {
	run    func(a *attacker)
	obeyed func(a *attacker, v *victim) bool
}{
	"stop": {
		func(a *attacker) { a.send(batch(a.to(stockID), &actor.Stop{})) },
		nil, // a node that does serves nobody
	},
	"poison": {
		func(a *attacker) { a.send(batch(a.to(stockID), &actor.PoisonPill{})) },
		nil, // a node that does serves nobody
	},
	"spawn": {
		func(a *attacker) {
			a.send(batch(a.to("activator"), &protoremote.ActorPidRequest{Name: spawnedID, Kind: "worker"}))
		},
		func(_ *attacker, v *victim) bool { return v.has("activator/Remote$" + spawnedID) },
	},
	"relay": {
		func(a *attacker) {
			a.send(batch(actor.NewPID(a.bait.Addr().String(), "x"), prepare(newBranch("stock"), 1)))
		},
		bitten,
	},
	"relay of an answer": {
		func(a *attacker) {
			a.send(batch(actor.NewPID(a.bait.Addr().String(), "x"), prepare(newBranch("stock"), 1).Yes()))
		},
		bitten,
	},
	"watch": {
		func(a *attacker) {
			a.send(batch(a.to("nobody"), &actor.Watch{Watcher: actor.NewPID(a.bait.Addr().String(), "x")}))
		},
		bitten,
	},
	"answer elsewhere": {
		func(a *attacker) {
			b := batch(a.to(stockID), prepare(newBranch("stock"), 1))
			b.Senders[0], b.Envelopes[0].Sender = actor.NewPID(a.bait.Addr().String(), "x"), 1
			a.send(b)
		},
		bitten,
	},
	"answer to an actor of the victim": {
		func(a *attacker) {
			b := batch(a.to(stockID), prepare(newBranch("stock"), 1))
			b.Senders[0], b.Envelopes[0].Sender = a.to(bystanderID), 1
			a.send(b)
		},
		overhears,
	},
	"answer to nonhost": {
		func(a *attacker) {
			b := batch(a.to(stockID), prepare(newBranch("stock"), 1))
			b.Senders[0], b.Envelopes[0].Sender = actor.NewPID("nonhost", bystanderID), 1
			a.send(b)
		},
		overhears,
	},
	"answer to one who has not asked": {
		func(a *attacker) { a.send(batch(a.to(bystanderID), prepare(newBranch("stock"), 1).Yes())) }, overhears,
	},
	"question to an actor": {
		func(a *attacker) { a.send(batch(a.to(bystanderID), prepare(newBranch("stock"), 1))) }, overhears,
	},
}

func overhears(_ *attacker, v *victim) bool { return len(v.overheard) > 0 }

// TestAttack_Bare is the control of [TestAttack_NodeLives]: a bare remote dies, or
// obeys.
func TestAttack_Bare(t *testing.T) {
	if os.Getenv(victimVariable) != "" {
		v := bare(t)
		crashtest.Tell(v.system.Address())
		go crashtest.EndWithParent()
		eventually(t, "it obeys", func() bool {
			return !v.has(stockID) || v.has("activator/Remote$"+spawnedID) || len(v.overheard) > 0
		})
		crashtest.Tell("obeyed")
		select {}
	}
	for name, run := range deadly {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child, lines, _ := startBare(t, run)
			if err := gone(child, lines); err == nil || !strings.Contains(err.Error(), "panic: ") {
				t.Errorf("the attack is none: %v", err)
			}
		})
	}
	for name, c := range commanding {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child, lines, a := startBare(t, c.run)
			select {
			case line := <-lines:
				if line != "obeyed" {
					t.Errorf("the victim said %v", line)
				}
			case <-a.bait.bitten:
			}
			if err := errors.Join(child.Kill(), gone(child, lines)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAttack_NodeLives(t *testing.T) {
	for name, run := range deadly {
		t.Run(name, func(t *testing.T) { attack(t, run, nil) })
	}
	for name, c := range commanding {
		t.Run(name, func(t *testing.T) { attack(t, c.run, c.obeyed) })
	}
}

// attack attacks a node; it must serve on, and must not have obeyed.
func attack(t *testing.T, run func(*attacker), obeyed func(*attacker, *victim) bool) {
	called := make(chan any, 100)
	v := guarded(t, &stub{name: "stock", on: signal(called)})
	a := newAttacker(t, v.system.Address(), insecure.NewCredentials())
	a.greet(claim)
	run(a)
	a.heardOut(called)
	system := quietSystem()
	honest := newAsker(t, system)
	p := listen(t, system, remote.Config{Insecure: true}).Participant("stock", v.system.Address())
	honest.ask(p, prepare(newBranch("stock"), 1))
	if vote := honest.voted(t); vote.Vote != messages.Vote_VOTE_YES {
		t.Errorf("an honest peer got %v", vote)
	}
	if obeyed != nil && obeyed(a, v) {
		t.Error("the node obeyed")
	}
}

// heardOut returns when the victim has done with the attack: it has ended the
// stream, or serves what comes after it.
func (a *attacker) heardOut(called <-chan any) {
	a.send(batch(a.to(stockID), commit(newBranch("stock"), 1)))
	ended := make(chan struct{})
	go func() {
		for {
			if _, err := a.stream.Recv(); err != nil {
				close(ended)
				return
			}
		}
	}()
	for {
		select {
		case <-ended:
			return
		case call := <-called:
			if call == "commit" {
				return
			}
		case <-time.After(30 * time.Second):
			a.t.Fatal("the victim neither serves nor ends the stream")
		}
	}
}
