package participanttest

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// coordinator is the one that owns the branches of a trial.
const coordinator = "participanttest"

// check is a promise and how to try it.
type check struct {
	Promise
	// asked tells whether the promise is asked of the participant.
	asked func(*trial) bool
	// holds takes the steps that show it.
	holds func(*trial)
}

// try checks one promise. An error is the harness's.
func (c check) try(h Harness, dir string) (violation *Violation, asked bool, err error) {
	t := &trial{h: h, dir: dir}
	if err := t.open(); err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if !c.asked(t) {
		return nil, false, nil
	}
	c.holds(t)
	if failed := (*harnessError)(nil); errors.As(t.found, &failed) {
		return nil, true, failed
	}
	if t.found != nil {
		violation = &Violation{Promise: c.Promise, Found: t.found.Error()}
	}
	return violation, true, nil
}

// harnessError says that a promise could not be tried.
type harnessError struct{ err error }

func (e *harnessError) Error() string { return "participanttest: harness: " + e.err.Error() }
func (e *harnessError) Unwrap() error { return e.err }

// trial is one participant under test. Once a step has found something wrong,
// the steps that follow do nothing.
type trial struct {
	h      Harness
	dir    string
	s      *Service
	closed bool
	found  error
}

func (t *trial) open() error {
	if t.h.Open == nil {
		return &harnessError{errors.New("no Open")}
	}
	s, err := t.h.Open(t.dir)
	if err != nil {
		return &harnessError{fmt.Errorf("in Open: %w", err)}
	}
	if s == nil || s.Participant == nil || s.Effects == nil {
		return &harnessError{errors.New("a service needs Participant and Effects")}
	}
	t.s, t.closed = s, false
	return nil
}

func (t *trial) close() error {
	if t.closed || t.s.Close == nil {
		return nil
	}
	t.closed = true
	if err := t.s.Close(); err != nil {
		return &harnessError{fmt.Errorf("in Close: %w", err)}
	}
	return nil
}

// branch makes a new branch with a payload that is accepted.
func (t *trial) branch() participant.Branch {
	b := participant.Branch{
		Coordinator: coordinator,
		Transaction: uuid.Must(uuid.NewV7()),
		Participant: t.s.Participant.Name(),
	}
	if t.s.Payload != nil {
		b.Payload = t.s.Payload()
	}
	return b
}

func (t *trial) refusedBranch() participant.Branch {
	b := t.branch()
	b.Payload = t.s.Refused()
	return b
}

// step notes what look has found, unless something was found before.
func (t *trial) step(look func() error) {
	if t.found == nil {
		t.found = look()
	}
}

func (t *trial) failf(format string, args ...any) {
	t.step(func() error { return fmt.Errorf(format, args...) })
}

func (t *trial) restart() {
	t.step(func() error {
		if err := t.close(); err != nil {
			return err
		}
		return t.open()
	})
}

// has expects the branch's effect to be there so many times.
func (t *trial) has(b participant.Branch, want int, when string) {
	t.step(func() error {
		got, err := t.s.Effects(b)
		if err != nil {
			return &harnessError{fmt.Errorf("in Effects: %w", err)}
		}
		if got != want {
			return fmt.Errorf("%s, the effect is there %d times, not %d", when, got, want)
		}
		return nil
	})
}
