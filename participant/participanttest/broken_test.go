package participanttest_test

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

// flaw is one way to break a promise.
type flaw string

// service is a participant that keeps every promise, but for its flaw. Its
// disk is what is still there after a restart.
type service struct {
	disk *disk
	flaw flaw
	name string
}

type disk struct {
	mu      sync.Mutex
	states  map[participant.Key]participant.State
	effects map[uuid.UUID]int
}

func newDisk() *disk {
	return &disk{states: map[participant.Key]participant.State{}, effects: map[uuid.UUID]int{}}
}

var errRefused = errors.New("refused")

func (s *service) Name() string { return s.name }

// enter locks the disk and reads the branch's state.
func (s *service) enter(ctx context.Context, b participant.Branch) (participant.State, func(), error) {
	if err := ctx.Err(); err != nil && s.flaw != "half done when cancelled" {
		return 0, nil, err
	}
	s.disk.mu.Lock()
	return s.disk.states[b.Key()], s.disk.mu.Unlock, nil
}

func (s *service) set(b participant.Branch, state participant.State) {
	if s.flaw == "remembers one branch" {
		clear(s.disk.states)
	}
	s.disk.states[b.Key()] = state
	if state == participant.RolledBack && s.flaw == "no tombstones" {
		delete(s.disk.states, b.Key())
	}
}

func (s *service) add(b participant.Branch, n int) { s.disk.effects[b.Transaction] += n }

// commit is what both kinds do to apply a branch.
func (s *service) commit(ctx context.Context, b participant.Branch, state participant.State) error {
	if s.flaw == "scribbles" {
		b.Payload[0] = '!'
	}
	switch {
	case s.flaw == "panics":
		panic("at once")
	case s.flaw == "commit does nothing":
		s.set(b, participant.Committed)
		return nil
	case state == participant.Committed && s.flaw != "commits twice":
		return nil
	case state == participant.RolledBack && s.flaw != "commits late":
		return participant.ErrRolledBack
	}
	s.add(b, 1)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.set(b, participant.Committed)
	return nil
}

// onePhase compensates.
type onePhase struct{ *service }

func (s onePhase) Commit(ctx context.Context, b participant.Branch) error {
	state, leave, err := s.enter(ctx, b)
	if err != nil {
		return err
	}
	defer leave()
	if string(b.Payload) == "no" && state == participant.Unknown {
		if s.flaw == "effect of a refused branch" {
			s.add(b, 1)
		}
		return errRefused
	}
	return s.commit(ctx, b, state)
}

func (s onePhase) Rollback(ctx context.Context, b participant.Branch) error {
	state, leave, err := s.enter(ctx, b)
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case s.flaw == "does not compensate":
	case state == participant.Unknown && s.flaw == "no unknown rollback":
		return errors.New("no such branch")
	case state == participant.Committed,
		state == participant.Unknown && s.flaw == "compensates the unknown",
		state == participant.RolledBack && s.flaw == "compensates twice":
		s.add(b, -1)
	}
	if state == participant.Unknown && s.flaw == "forgets unknown rollback" {
		return nil
	}
	s.set(b, participant.RolledBack)
	return nil
}

// twoPhase has every optional interface but NonBlocking.
type twoPhase struct{ *service }

func (s twoPhase) Prepare(ctx context.Context, b participant.Branch) error {
	state, leave, err := s.enter(ctx, b)
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case s.flaw == "prepare after commit" && state == participant.Committed:
		s.add(b, 1)
		return nil
	case s.flaw == "no second prepare" && state == participant.Prepared:
		return errors.New("prepared already")
	case state == participant.Prepared, state == participant.Committed:
		return nil
	case state == participant.RolledBack && s.flaw != "prepares late":
		return participant.ErrRolledBack
	case string(b.Payload) == "no":
		return errRefused
	}
	s.set(b, participant.Prepared)
	return nil
}

func (s twoPhase) Commit(ctx context.Context, b participant.Branch) error {
	state, leave, err := s.enter(ctx, b)
	if err != nil {
		return err
	}
	defer leave()
	if state == participant.Unknown {
		return participant.ErrNotPrepared
	}
	return s.service.commit(ctx, b, state)
}

func (s twoPhase) Rollback(ctx context.Context, b participant.Branch) error {
	_, leave, err := s.enter(ctx, b)
	if err != nil {
		return err
	}
	defer leave()
	if s.flaw == "rollback commits" {
		s.add(b, 1)
	}
	s.set(b, participant.RolledBack)
	return nil
}

func (s twoPhase) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	state, leave, err := s.enter(ctx, b)
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case s.flaw == "one-phase late" && state == participant.RolledBack:
		state = participant.Unknown
	case s.flaw == "one-phase twice" && state == participant.Committed:
		state = participant.Unknown
	case string(b.Payload) == "no" && state == participant.Unknown && s.flaw != "one-phase accepts all":
		return errRefused
	}
	return s.service.commit(ctx, b, state)
}

func (s twoPhase) Committed(ctx context.Context, b participant.Branch) (bool, error) {
	state, leave, err := s.enter(ctx, b)
	if err != nil {
		return false, err
	}
	defer leave()
	if state != participant.Committed && s.flaw != "asking is not final" {
		s.set(b, participant.RolledBack)
	}
	return state == participant.Committed, nil
}

func (s twoPhase) InDoubt(_ context.Context, coordinator string) ([]uuid.UUID, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	var ids []uuid.UUID
	for k, state := range s.disk.states {
		mine := k.Coordinator == coordinator || s.flaw == "lists the branches of all"
		open := state == participant.Prepared || s.flaw == "lists finished branches"
		if mine && open && s.flaw != "lists nothing" {
			ids = append(ids, k.Transaction)
		}
	}
	return ids, nil
}

// lose is what a restart takes from the disk.
func (s *service) lose() {
	lost := map[flaw]participant.State{
		"loses prepared branches":  participant.Prepared,
		"loses committed branches": participant.Committed,
		"loses tombstones":         participant.RolledBack,
	}[s.flaw]
	for k, state := range s.disk.states {
		if state == lost && lost != participant.Unknown {
			delete(s.disk.states, k)
		}
	}
	if s.flaw == "loses everything" {
		*s.disk = *newDisk()
	}
}

// harness makes a service of either kind with a flaw.
func harness(prepares bool, f flaw) participanttest.Harness {
	disks := map[string]*disk{}
	return participanttest.Harness{
		Durable: true,
		Open: func(dir string) (*participanttest.Service, error) {
			s := &service{disk: disks[dir], flaw: f, name: "service"}
			if s.disk == nil {
				s.disk = newDisk()
				disks[dir] = s.disk
			} else if f == "renames itself" {
				s.name = "other"
			}
			var p participant.Participant = onePhase{s}
			if prepares {
				p = twoPhase{s}
			}
			return &participanttest.Service{
				Participant: p,
				Payload:     func() []byte { return slices.Clone([]byte("yes")) },
				Refused:     func() []byte { return slices.Clone([]byte("no")) },
				Effects: func(b participant.Branch) (int, error) {
					s.disk.mu.Lock()
					defer s.disk.mu.Unlock()
					return s.disk.effects[b.Transaction], nil
				},
				Close: func() error { s.lose(); return nil },
			}, nil
		},
	}
}
