package files

import (
	"maps"
	"path"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// mode is a set of what a branch does with a path, until it is decided.
type mode uint8

const (
	use    mode = 1 << iota // needs the directory that is there, or will be
	create                  // makes a directory there, as others may at the same time
	keep                    // has it stay as it is
	change                  // has it for itself

	allModes = use | create | keep | change
)

// bars are the modes in which no other branch may have the path, too.
func (m mode) bars() (others mode) {
	if m&(use|create|keep) != 0 {
		others |= change
	}
	if m&create != 0 {
		others |= keep
	}
	if m&keep != 0 {
		others |= create
	}
	if m&change != 0 {
		others = allModes
	}
	return others
}

// claims are wishes for paths, or what was granted.
type claims map[string]mode

// claim claims a path, and the use of what is above it. So a directory is not
// removed while somebody works below it, and the other way round.
func claim(name string, m mode) claims { return claims{}.and(name, m) }

func (c claims) and(name string, m mode) claims {
	c[name] |= m
	for _, dir := range above(name) {
		c[dir] |= use
	}
	return c
}

// above are the directories that a path leads through, the topmost first.
func above(name string) (all []string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		all = append(all, dir)
	}
	slices.Reverse(all)
	return all
}

// locks says which branch has which path. Nobody waits for one: who cannot have it
// is refused.
type locks struct {
	mu    sync.Mutex
	paths map[string]map[*owner]struct{}
}

// owner is a branch as the locks know it.
type owner struct {
	transaction uuid.UUID
	held        claims
	gone        bool // has released everything, and gets nothing more
}

func newOwner(id uuid.UUID) *owner { return &owner{transaction: id, held: make(claims)} }

// take gives the owner all that is claimed, or nothing. One that is gone gets
// nothing, and is not told: whoever ended it says why.
func (l *locks) take(o *owner, c claims) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.gone {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if other := l.against(o, name, c[name]); other != nil {
			return &ConflictError{Path: name, Transaction: other.transaction}
		}
	}
	for name, m := range c {
		if l.paths[name] == nil {
			l.paths[name] = make(map[*owner]struct{})
		}
		l.paths[name][o] = struct{}{}
		o.held[name] |= m
	}
	return nil
}

// against is an owner who keeps o from having the path.
func (l *locks) against(o *owner, name string, m mode) *owner {
	if o.held[name]&m == m {
		return nil // and has kept others out since
	}
	barred := m.bars()
	if barred == change && len(l.paths[name]) > 1 {
		return nil // who has changes there is alone
	}
	for other := range l.paths[name] {
		if other != o && other.held[name]&barred != 0 {
			return other
		}
	}
	return nil
}

// granted is all that the owner has.
func (l *locks) granted(o *owner) claims {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(o.held)
}

// release gives back all that the owner has, for good.
func (l *locks) release(o *owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range o.held {
		if delete(l.paths[name], o); len(l.paths[name]) == 0 {
			delete(l.paths, name)
		}
	}
	o.held, o.gone = nil, true
}
