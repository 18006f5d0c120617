package files

import (
	"path"
	"sync"

	"github.com/google/uuid"
)

// locks says which branch may do what at which path. A change takes the path for
// itself and shares everything above it; an expectation shares the path too. So
// a directory cannot be removed while somebody works below it, and the other way
// round. Nobody waits for a lock: who cannot have it is refused.
type locks struct {
	mu    sync.Mutex
	paths map[string]*lock
}

// lock is one path's: taken by one owner, or shared by some, of whom the taker
// may be one.
type lock struct {
	taken  *owner
	shared map[*owner]struct{}
}

// owner is a branch as the locks know it.
type owner struct {
	transaction uuid.UUID
	held        map[string]struct{}
	gone        bool // has released everything, and gets nothing more
}

func newOwner(id uuid.UUID) *owner {
	return &owner{transaction: id, held: make(map[string]struct{})}
}

// claim is a wish for a lock.
type claim struct {
	path  string
	alone bool
}

// change claims a path, and what is above it.
func change(name string) []claim { return append(above(name), claim{name, true}) }

// share claims that a path stays as it is, with what is above it.
func share(name string) []claim { return append(above(name), claim{name, false}) }

func above(name string) (all []claim) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		all = append(all, claim{dir, false})
	}
	return all
}

// take gives the owner all claims, or none. One that is gone gets none, and is
// not told: whoever ended it says why.
func (l *locks) take(o *owner, claims []claim) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.gone {
		return nil
	}
	for _, c := range claims {
		if other := l.paths[c.path].against(o, c.alone); other != nil {
			return &ConflictError{Path: c.path, Transaction: other.transaction}
		}
	}
	for _, c := range claims {
		l.give(o, c)
	}
	return nil
}

// against is an owner who keeps o from having the lock.
func (k *lock) against(o *owner, alone bool) *owner {
	if k == nil {
		return nil
	}
	if k.taken != nil && k.taken != o {
		return k.taken
	}
	if alone {
		for other := range k.shared {
			if other != o {
				return other
			}
		}
	}
	return nil
}

func (l *locks) give(o *owner, c claim) {
	k := l.paths[c.path]
	if k == nil {
		k = new(lock)
		l.paths[c.path] = k
	}
	if c.alone {
		k.taken = o
	} else {
		if k.shared == nil {
			k.shared = make(map[*owner]struct{})
		}
		k.shared[o] = struct{}{}
	}
	o.held[c.path] = struct{}{}
}

// release gives back all that the owner has, for good.
func (l *locks) release(o *owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range o.held {
		k := l.paths[name]
		delete(k.shared, o)
		if k.taken == o {
			k.taken = nil
		}
		if k.taken == nil && len(k.shared) == 0 {
			delete(l.paths, name)
		}
	}
	o.held, o.gone = nil, true
}
