package remote_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// deadAddress is one at which nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// What cannot be sent is refused at once and with the reason; when the peer is
// there, it is sent.
func TestLink_Unreachable(t *testing.T) {
	address := deadAddress(t)
	system := quietSystem()
	client := listen(t, system, remote.Config{Insecure: true})
	a, b := newAsker(t, system), newBranch("stock")
	p := client.Participant("stock", address)
	a.ask(p, prepare(b, 1))
	want := "remote: no connection to " + address
	if v := a.voted(t); v.Vote != messages.Vote_VOTE_NO || !strings.HasPrefix(v.Reason, want) || !strings.Contains(v.Reason, "refused") {
		t.Errorf("voted %v", v)
	}
	for range 20 { // while it is left alone, too
		a.ask(p, commit(b, 2))
		a.ask(p, rollback(b, 3))
	}
	for range 40 {
		if k := a.acked(t); k.Done || k.RolledBack || !strings.HasPrefix(k.Reason, want) {
			t.Errorf("acked %v", k)
		}
	}
	serve(t, remote.Config{Address: address}, &stub{name: "stock"})
	a.until(t, true, p, b)
}

// An answer that cannot be sent is lost, and logged: whoever asked advertises an
// address at which it is not reached.
func TestLink_NoWayBack(t *testing.T) {
	log, nowhere := new(lines), deadAddress(t)
	server := listen(t, systemTo(log), remote.Config{Insecure: true})
	if err := server.Serve(&stub{name: "stock"}); err != nil {
		t.Fatal(err)
	}
	system := quietSystem()
	client := listen(t, system, remote.Config{Insecure: true, Advertise: nowhere})
	newAsker(t, system).ask(client.Participant("stock", server.Address()), prepare(newBranch("stock"), 1))
	eventually(t, "it is logged", func() bool {
		return strings.Contains(log.String(), "no connection to "+nowhere) && strings.Contains(log.String(), "dtc.v1.Voted")
	})
}

func TestLink_BadAddress(t *testing.T) {
	system := quietSystem()
	client := listen(t, system, remote.Config{Insecure: true})
	a := newAsker(t, system)
	for _, address := range []string{"nowhere", "unix:/nowhere", "127.0.0.1:99999", "nowhere.invalid:1"} {
		a.ask(client.Participant("stock", address), prepare(newBranch("stock"), 1))
		if v := a.voted(t); v.Vote != messages.Vote_VOTE_NO || !strings.HasPrefix(v.Reason, "remote: no connection to") {
			t.Errorf("%s: voted %v", address, v)
		}
	}
}

// A peer that goes and comes back at the same address is found again, and one that
// is not there any more is refused.
func TestLink_PeerComesAndGoes(t *testing.T) {
	system := quietSystem()
	client := listen(t, system, remote.Config{Insecure: true})
	a, b := newAsker(t, system), newBranch("stock")
	server := serve(t, remote.Config{}, &stub{name: "stock"})
	p := client.Participant("stock", server.Address())
	for range 3 {
		a.until(t, true, p, b)
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		a.until(t, false, p, b)
		eventually(t, "its port is free", func() bool {
			again, err := remote.Listen(quietSystem(), remote.Config{Insecure: true, Address: server.Address()})
			if err == nil {
				t.Cleanup(func() { _ = again.Close() })
				server, err = again, again.Serve(&stub{name: "stock"})
			}
			return err == nil
		})
	}
}

// until tells the participant to commit until that is answered so. What is sent
// into the end of a connection may be lost.
func (a *asker) until(t *testing.T, done bool, p participant.Participant, b *messages.Branch) {
	t.Helper()
	eventually(t, fmt.Sprintf("Commit is done: %v", done), func() bool {
		a.ask(p, commit(b, 1))
		select {
		case m := <-a.answers:
			return m.(*messages.Acked).Done == done
		default:
			return false
		}
	})
}

// The longest payload passes; a longer one is refused with the reason, and harms
// no other message.
func TestLink_TooLarge(t *testing.T) {
	const most = 256 << 10
	server := serve(t, remote.Config{MaxMessage: most}, &stub{name: "stock"})
	system := quietSystem()
	client := listen(t, system, remote.Config{Insecure: true, MaxMessage: most})
	a, p := newAsker(t, system), client.Participant("stock", server.Address())
	for _, size := range []int{most - 64<<10, most + 1, 0, most - 1, most - 64<<10} {
		b := newBranch("stock")
		b.Payload = make([]byte, size)
		a.ask(p, prepare(b, 1))
		v := a.voted(t)
		fits := size <= most-64<<10
		if fits != (v.Vote == messages.Vote_VOTE_YES) || !fits && !strings.Contains(v.Reason, "raise Config.MaxMessage") {
			t.Errorf("%d bytes: voted %v", size, v)
		}
	}
}

// Bursts that are longer than one message may be arrive in full: nothing is lost,
// so nothing is asked twice.
func TestLink_Bursts(t *testing.T) {
	for _, c := range []struct{ transactions, payload int }{{3000 / fewer, 10 << 10}, {300 / fewer, 64 << 10}, {3, 4<<20 - 64<<10}} {
		t.Run(fmt.Sprintf("%d of %d", c.transactions, c.payload), func(t *testing.T) {
			var prepared, committed atomic.Int64
			server := serve(t, remote.Config{}, &stub{name: "stock", on: func(_ context.Context, call string, b participant.Branch) error {
				if call == "prepare" && len(b.Payload) == c.payload {
					prepared.Add(1)
				}
				if call == "commit" {
					committed.Add(1)
				}
				return nil
			}})
			system := quietSystem()
			client := listen(t, system, remote.Config{Insecure: true})
			coordinator := open(t, system, dtc.Config{
				MaxTransactions: c.transactions, MaxPayload: c.payload, ParticipantTimeout: time.Minute, TransactionTimeout: time.Hour,
			})
			p, payload := client.Participant("stock", server.Address()), make([]byte, c.payload)
			var all sync.WaitGroup
			for range c.transactions {
				all.Go(func() {
					if err := coordinator.Execute(background, nil, dtc.Enlistment{Participant: p, Payload: payload}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if prepared.Load() != int64(c.transactions) || committed.Load() != int64(c.transactions) {
				t.Errorf("%d were prepared and %d committed", prepared.Load(), committed.Load())
			}
		})
	}
}

// An answer to a process that is gone does not reach the one that has its port,
// although an actor there has the name of the one who asked, and has asked about
// the same transaction, with the same attempt.
func TestLink_StaleAnswer(t *testing.T) {
	called, leaveA, leaveB := make(chan any, 2), make(chan struct{}), make(chan struct{})
	blocked := func(leave chan struct{}) func(context.Context, string, participant.Branch) error {
		return func(_ context.Context, call string, _ participant.Branch) error {
			called <- call
			<-leave
			return nil
		}
	}
	server := serve(t, remote.Config{}, &stub{name: "a", on: blocked(leaveA)}, &stub{name: "b", on: blocked(leaveB)})
	branch := newBranch("a")

	before := quietSystem()
	first := listen(t, before, remote.Config{Insecure: true})
	a := newAsker(t, before)
	a.ask(first.Participant("a", server.Address()), prepare(branch, 1))
	next[string](t, called)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	log := new(lines)
	after := systemTo(log)
	second := listen(t, after, remote.Config{Insecure: true, Address: first.Address()})
	b := newAsker(t, after)
	if a.self.Id != b.self.Id {
		t.Fatalf("who asks is %s and %s: the test shows nothing", a.self.Id, b.self.Id)
	}
	branch.Participant = "b"
	b.ask(second.Participant("b", server.Address()), prepare(branch, 1))
	next[string](t, called)
	close(leaveA)
	eventually(t, "the stale answer has come", func() bool { return strings.Contains(log.String(), "before a restart") })
	close(leaveB)
	if v := b.voted(t); v.Participant != "b" {
		t.Errorf("voted %v", v)
	}
}

// What is asked after Close is refused with the reason, and nothing is left behind.
func TestNode_Close(t *testing.T) {
	before := goleak.IgnoreCurrent()
	running := make(chan any, 1)
	server, err := remote.Listen(quietSystem(), remote.Config{Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	ended := new(atomic.Bool)
	err = server.Serve(&stub{name: "stock", on: func(ctx context.Context, call string, _ participant.Branch) error {
		if call == "rollback" {
			running <- call
			<-ctx.Done()
			ended.Store(true)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	system := quietSystem()
	client, err := remote.Listen(system, remote.Config{Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	a, p := newAsker(t, system), client.Participant("stock", server.Address())
	a.ask(p, prepare(newBranch("stock"), 1))
	a.voted(t)
	a.ask(client.Participant("stock", deadAddress(t)), commit(newBranch("stock"), 1))
	a.acked(t)
	a.ask(p, rollback(newBranch("stock"), 1))
	next[string](t, running)
	for range 2 {
		if err := server.Close(); err != nil || !ended.Load() {
			t.Errorf("closed with a call under way: %v", err)
		}
	}
	for range 2 {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "what is asked after Close is refused", func() bool {
		a.ask(p, commit(newBranch("stock"), 2))
		select {
		case m := <-a.answers:
			return strings.Contains(m.(*messages.Acked).Reason, remote.ErrClosed.Error())
		default:
			return false
		}
	})
	goleak.VerifyNone(t, before)
}
