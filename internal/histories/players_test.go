package histories_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// player is a participant with a way of its own, for one caller's random calls.
// It remembers every call that it did not refuse.
type player struct {
	name string
	way  way

	mu    sync.Mutex
	calls map[uuid.UUID][]string
	first map[uuid.UUID]time.Time // the first call of phase two
}

// way is how a player behaves.
type way uint8

const (
	obeys     way = iota
	reads         // votes read-only
	refuses       // refuses to prepare
	dawdles       // takes a second to prepare
	hangs         // prepares until its time is up
	forgets       // does not do what it is told for twenty seconds
	delegates     // can commit without prepare
	works         // is one-phase
	spoils        // is one-phase, and fails when it has done its work
)

// forgetsFor is longer than a caller waits for acknowledgements.
const forgetsFor = 20 * time.Second

func newPlayers() []participant.Participant {
	var list []participant.Participant
	for w, name := range []string{"obeys", "reads", "refuses", "dawdles", "hangs", "forgets", "delegates", "works", "spoils"} {
		p := &player{name: name, way: way(w), calls: make(map[uuid.UUID][]string), first: make(map[uuid.UUID]time.Time)}
		switch {
		case p.way >= works:
			list = append(list, p)
		case p.way == delegates:
			list = append(list, delegate{preparer{p}})
		default:
			list = append(list, preparer{p})
		}
	}
	return list
}

// playerOf is the player in a participant.
func playerOf(p participant.Participant) *player {
	switch p := p.(type) {
	case preparer:
		return p.player
	case delegate:
		return p.player
	default:
		return p.(*player)
	}
}

func (p *player) Name() string { return p.name }

// GoString is how a failing test names it.
func (p *player) GoString() string { return p.name }

func (p *player) note(b participant.Branch, call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[b.Transaction] = append(p.calls[b.Transaction], call)
}

// called returns the calls of a branch.
func (p *player) called(id uuid.UUID) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.calls[id]...)
}

var errForgot, errSpoiled = errors.New("forgot"), errors.New("spoiled")

func (p *player) Commit(_ context.Context, b participant.Branch) error {
	if p.forgot(b) {
		return errForgot
	}
	p.note(b, "commit")
	if p.way == spoils {
		return errSpoiled
	}
	return nil
}

func (p *player) Rollback(_ context.Context, b participant.Branch) error {
	if p.forgot(b) {
		return errForgot
	}
	p.note(b, "rollback")
	return nil
}

func (p *player) forgot(b participant.Branch) bool {
	if p.way != forgets {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first[b.Transaction].IsZero() {
		p.first[b.Transaction] = time.Now()
	}
	return time.Since(p.first[b.Transaction]) < forgetsFor
}

// preparer is a two-phase player.
type preparer struct{ *player }

func (p preparer) Prepare(ctx context.Context, b participant.Branch) error {
	p.note(b, "prepare")
	switch p.way {
	case reads:
		return participant.ErrReadOnly
	case refuses:
		return errRefused
	case dawdles:
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	case hangs:
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// delegate is a two-phase player that can do with one.
type delegate struct{ preparer }

func (d delegate) CommitOnePhase(_ context.Context, b participant.Branch) error {
	d.note(b, "commit")
	return nil
}

func (d delegate) Committed(_ context.Context, b participant.Branch) (bool, error) {
	return len(d.called(b.Transaction)) > 0, nil
}
