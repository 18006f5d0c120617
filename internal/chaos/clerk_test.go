package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

var errRefused = errors.New("refused")

// clerk is a participant that keeps its promises, and notes when the coordinator
// breaks one of its own. The strike may hit each of its methods, before it has
// done its work and after. The types below make kinds of participants of it.
type clerk struct {
	name   string
	kind   string // of places to strike
	strike *strike

	mu       sync.Mutex
	branches map[uuid.UUID]*branch
	wrongs   []string
}

// branch is what a clerk knows of its part in one transaction.
type branch struct {
	prepared, committed, rolledBack bool
	effects                         int  // commits that were not undone
	moody                           bool // what the payload wishes has been done
}

func newClerk(name string, s *strike) *clerk {
	return &clerk{name: name, kind: "participant.", strike: s, branches: map[uuid.UUID]*branch{}}
}

func (c *clerk) Name() string {
	c.strike.at("participant.Name")
	return c.name
}

// serve does one call: work is what an obedient clerk does, under its lock.
func (c *clerk) serve(op string, b participant.Branch, work func(*branch) error) error {
	c.strike.at(c.kind + op)
	if err := c.mood(op, b); err != nil {
		return err
	}
	err := func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		return work(c.branch(b.Transaction))
	}()
	c.strike.at(c.kind + op + " done")
	return err
}

// branch returns what is known of a branch. The caller holds the lock.
func (c *clerk) branch(id uuid.UUID) *branch {
	b := c.branches[id]
	if b == nil {
		b = &branch{}
		c.branches[id] = b
	}
	return b
}

// What a payload can ask of a clerk for the first call of the operation whose name
// follows; it obeys otherwise.
const (
	refuses = "refuses "
	hangs   = "hangs "
	reads   = "reads "
	breaks  = "panics in "
)

// mood does, once, what the payload asks for.
func (c *clerk) mood(op string, b participant.Branch) error {
	wish, found := strings.CutSuffix(string(b.Payload), op)
	if !found {
		return nil
	}
	c.mu.Lock()
	known := c.branch(b.Transaction)
	done := known.moody
	known.moody = true
	c.mu.Unlock()
	switch {
	case wish == reads: // whenever it is asked
		return participant.ErrReadOnly
	case done:
	case wish == refuses:
		return errRefused
	case wish == breaks:
		panic(errRefused)
	case wish == hangs:
		<-time.After(late)
	}
	return nil
}

// wrong notes what the coordinator must not do. The caller holds the lock.
func (c *clerk) wrong(b participant.Branch, format string, args ...any) {
	c.wrongs = append(c.wrongs, fmt.Sprintf("%s, transaction %s: %s", c.name, b.Transaction, fmt.Sprintf(format, args...)))
}

// state returns what became of a branch.
func (c *clerk) state(id uuid.UUID) branch {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.branches[id]; b != nil {
		return *b
	}
	return branch{}
}

func (c *clerk) prepare(b participant.Branch) error {
	return c.serve("Prepare", b, func(s *branch) error {
		if s.rolledBack {
			return participant.ErrRolledBack
		}
		s.prepared = true
		return nil
	})
}

// commitPrepared is the Commit of a two-phase branch.
func (c *clerk) commitPrepared(b participant.Branch) error {
	return c.serve("Commit", b, func(s *branch) error {
		switch {
		case s.rolledBack:
			c.wrong(b, "committed after it was rolled back")
			return participant.ErrRolledBack
		case s.committed:
			return nil
		case !s.prepared:
			c.wrong(b, "committed, but never prepared")
		}
		s.committed = true
		s.effects++
		return nil
	})
}

// commitWork is the Commit of a one-phase branch, and CommitOnePhase of a
// two-phase one.
func (c *clerk) commitWork(op string, b participant.Branch) error {
	return c.serve(op, b, func(s *branch) error {
		switch {
		case s.rolledBack:
			return participant.ErrRolledBack
		case s.committed:
			return nil
		}
		s.committed = true
		s.effects++
		return nil
	})
}

// rollback undoes a branch; one that may not be undone any more is a wrong.
func (c *clerk) rollback(b participant.Branch, compensates bool) error {
	return c.serve("Rollback", b, func(s *branch) error {
		if s.committed && !s.rolledBack {
			if !compensates {
				c.wrong(b, "rolled back after it was committed")
			}
			s.effects--
		}
		s.rolledBack = true
		return nil
	})
}

// oneStep is a one-phase participant.
type oneStep struct{ *clerk }

func (p oneStep) Commit(_ context.Context, b participant.Branch) error {
	return p.commitWork("Commit", b)
}
func (p oneStep) Rollback(_ context.Context, b participant.Branch) error { return p.rollback(b, true) }

// twoStep is a two-phase participant.
type twoStep struct{ *clerk }

func (p twoStep) Prepare(_ context.Context, b participant.Branch) error { return p.prepare(b) }
func (p twoStep) Commit(_ context.Context, b participant.Branch) error  { return p.commitPrepared(b) }
func (p twoStep) Rollback(_ context.Context, b participant.Branch) error {
	return p.rollback(b, false)
}

// quick is a two-phase participant that is called in its gateway's mailbox.
type quick struct{ twoStep }

func (quick) NonBlocking() {}

// lister is a two-phase participant that can list its own unfinished branches.
type lister struct{ twoStep }

func (p lister) InDoubt(context.Context, string) ([]uuid.UUID, error) {
	p.strike.at("participant.InDoubt")
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []uuid.UUID
	for id, b := range p.branches {
		if b.prepared && !b.committed && !b.rolledBack {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// delegate can be left to decide alone.
type delegate struct{ twoStep }

func (p delegate) CommitOnePhase(_ context.Context, b participant.Branch) error {
	return p.commitWork("CommitOnePhase", b)
}

func (p delegate) Committed(_ context.Context, b participant.Branch) (committed bool, err error) {
	err = p.serve("Committed", b, func(s *branch) error {
		if !s.committed {
			s.rolledBack = true
		}
		committed = s.committed
		return nil
	})
	return committed, err
}

// wrapped is a participant within another.
type wrapped struct{ twoStep }

func (p wrapped) Unwrap() participant.Participant {
	p.strike.at("participant.Unwrap")
	return p.twoStep
}

// late is how long a clerk hangs: beyond the time for a call, but not for ever.
const late = 7 * time.Second
