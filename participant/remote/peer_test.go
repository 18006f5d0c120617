package remote_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// order takes one piece of the stock.
func order(n *remote.Node, p *peer) dtc.Enlistment {
	return dtc.Enlistment{Participant: n.Participant("stock", p.address), Payload: take(1, 1)}
}

// settled waits until the coordinator has nothing left to do.
func settled(t *testing.T, c *dtc.Coordinator) {
	t.Helper()
	eventually(t, "all transactions are finished", func() bool {
		list, err := c.Transactions(background, dtc.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == 0
	})
}

var quick = dtc.Config{ParticipantTimeout: time.Second, Retry: dtc.Backoff{Max: 100 * time.Millisecond}}

// TestPeer_IsKilledInEveryPhase: whatever the moment, the peer ends like the
// participant beside it, and as the caller was told.
func TestPeer_IsKilledInEveryPhase(t *testing.T) {
	for point, refuses := range map[string]bool{
		"before prepare": false, "after prepare": false, "before commit": false, "after commit": false,
		"before rollback": true, "after rollback": true,
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, point)
			system := quietSystem()
			n := listen(t, system, remote.Config{Insecure: true})
			c := open(t, system, quick)
			last := new(atomic.Value) // what the participant beside was told
			beside := &stub{name: "beside", on: func(_ context.Context, call string, _ participant.Branch) error {
				last.Store(call)
				if refuses && call == "prepare" {
					return errors.New("no")
				}
				return nil
			}}
			result := make(chan error)
			go func() { result <- c.Execute(background, nil, order(n, p), dtc.Enlistment{Participant: beside}) }()
			p.died()
			p.start("")
			err := <-result
			settled(t, c)
			committed := err == nil
			if !committed && !errors.Is(err, dtc.ErrRolledBack) || committed && refuses {
				t.Errorf("the caller was told %v", err)
			}
			if committed != (last.Load() == "commit") {
				t.Errorf("the caller was told %v, the participant beside %v", err, last.Load())
			}
			p.audit(map[bool]int64{true: 1}[committed])
		})
	}
}

// prepared executes an order up to where the peer has prepared, and returns how to
// let it be decided, and the result.
func prepared(t *testing.T, c *dtc.Coordinator, n *remote.Node, p *peer) (decide func(), result <-chan error) {
	t.Helper()
	waits, ended := make(chan struct{}), make(chan error, 1)
	beside := &stub{name: "beside", on: func(_ context.Context, call string, _ participant.Branch) error {
		if call == "prepare" {
			<-waits
		}
		return nil
	}}
	go func() { ended <- c.Execute(background, nil, order(n, p), dtc.Enlistment{Participant: beside}) }()
	p.told("prepare")
	eventually(t, "the peer has voted", func() bool {
		list, err := c.Transactions(background, dtc.Filter{})
		if err != nil || len(list) != 1 {
			return false
		}
		d, err := c.Inspect(background, list[0].ID)
		return err == nil && d.Branches[0].Standing == "prepared"
	})
	return func() { close(waits) }, ended
}

// A commit that a dead peer is in doubt about is delivered when it is back, by the
// coordinator's next try.
func TestPeer_IsBackInDoubt(t *testing.T) {
	t.Parallel()
	p := startPeer(t, "")
	system := quietSystem()
	n := listen(t, system, remote.Config{Insecure: true})
	config, retries := quick, make(chan any, 1000)
	config.OnEvent = func(e dtc.Event) {
		if e.Participant == "stock" && e.Err != nil {
			select {
			case retries <- e:
			default:
			}
		}
	}
	c := open(t, system, config)
	decide, result := prepared(t, c, n, p)
	p.kill()
	decide()
	if err := <-result; err != nil {
		t.Errorf("decided, and told %v", err)
	}
	for range 5 {
		next[dtc.Event](t, retries)
	}
	p.start("")
	back := time.Now()
	settled(t, c)
	t.Logf("acknowledged %v after the peer was back", time.Since(back))
	p.audit(1)
}

// The same where the coordinator's process ends too, and another one comes to its
// port and its journal.
func TestPeer_IsToldByTheNextCoordinator(t *testing.T) {
	t.Parallel()
	p, dir := startPeer(t, ""), t.TempDir()
	system := quietSystem()
	n := listen(t, system, remote.Config{Insecure: true})
	config := quick
	var err error
	if config.Journal, err = pebble.Open(dir, nil); err != nil {
		t.Fatal(err)
	}
	c := open(t, system, config)
	decide, result := prepared(t, c, n, p)
	p.kill()
	decide()
	if err := <-result; err != nil {
		t.Errorf("decided, and told %v", err)
	}
	if err := errors.Join(c.Close(), n.Close()); err != nil {
		t.Error(err)
	}

	system = quietSystem()
	n = listen(t, system, remote.Config{Insecure: true, Address: n.Address()})
	if config.Journal, err = pebble.Open(dir, nil); err != nil {
		t.Fatal(err)
	}
	config.Participants = []participant.Participant{n.Participant("stock", p.address), &stub{name: "beside"}}
	c = open(t, system, config)
	p.start("")
	settled(t, c)
	p.audit(1)
}

// A node speaks with protoactor's own remote, where a participant is an actor of
// the user's.
func TestPeer_IsBareProtoactor(t *testing.T) {
	child, err := crashtest.Start("TestAttack_Bare", victimVariable+"=1")
	if err != nil {
		t.Fatal(err)
	}
	lines := told(child)
	address := next[string](t, lines)
	system := quietSystem()
	n := listen(t, system, remote.Config{Insecure: true})
	c := open(t, system, dtc.Config{})
	if err := c.Execute(background, nil, dtc.Enlistment{Participant: n.Participant("stock", address)}); err != nil {
		t.Error(err)
	}
	id := uuid.Must(uuid.NewV7())
	err = c.Run(background, &dtc.TxOptions{ID: id}, func(tx *dtc.Tx) error {
		return errors.Join(tx.Enlist(background, n.Participant("stock", address), nil), errors.New("no"))
	})
	if !errors.Is(err, dtc.ErrRolledBack) || errors.Is(err, dtc.ErrParticipantFailedToRollback) {
		t.Error(err)
	}
	if err := errors.Join(child.Kill(), gone(child, lines)); err != nil {
		t.Error(err)
	}
}
