package supervisor

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/participant"
)

// MaxRegistered is how many participants, by name, one coordinator knows at
// most. Each has an actor of its own.
const MaxRegistered = 10_000

// Registration errors.
var (
	// ErrTooManyNames: there are MaxRegistered participants already.
	ErrTooManyNames = errors.New("too many participants registered")
	// ErrKind: a participant of this name is of another kind.
	ErrKind = errors.New("a participant never changes its kind")
	// ErrNameless: a Recoverer lists its branches by its coordinator's name, and
	// this one has none.
	ErrNameless = errors.New("Config.Name is required with a participant.Recoverer")
)

// Registry finds participants' gateways by name. It may be used from
// everywhere; only the supervisor adds to it.
type Registry struct {
	mu     sync.RWMutex
	byName map[string]*actors.Gateway
}

// Gateway returns the gateway of a participant; nil if it is not registered.
func (r *Registry) Gateway(name string) *actors.Gateway {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byName[name]
}

// Gateways returns the gateways, in the order of their names.
func (r *Registry) Gateways() []*actors.Gateway {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]*actors.Gateway, 0, len(r.byName))
	for _, g := range r.byName {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *actors.Gateway) int { return strings.Compare(a.Branch.Name, b.Branch.Name) })
	return all
}

func (r *Registry) enter(g *actors.Gateway) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName == nil {
		r.byName = make(map[string]*actors.Gateway)
	}
	r.byName[g.Branch.Name] = g
}

func (r *Registry) size() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.byName)
}

// Match finds the gateway for p, which must be of the same kind as the value
// that is registered under its name, and takes its place; nil if there is none.
func (r *Registry) Match(p participant.Participant) (*actors.Gateway, error) {
	g := r.Gateway(p.Name())
	if g == nil || same(g.Participant(), p) {
		return g, nil
	}
	if got := actors.Describe(p); got != g.Branch {
		return nil, fmt.Errorf("%w: %q was registered as %s, not %s",
			ErrKind, p.Name(), kind(g.Participant()), kind(p))
	}
	g.Replace(p)
	return g, nil
}

// same tells whether two participants are one pointer.
func same(a, b participant.Participant) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	return va.Kind() == reflect.Pointer && va.Type() == vb.Type() && va.Pointer() == vb.Pointer()
}

// kind says in words what a participant can do.
func kind(p participant.Participant) string {
	b := actors.Describe(p)
	words := "one-phase"
	if b.TwoPhase {
		words = "two-phase"
	}
	if b.Recoverable {
		words += ", recoverer"
	}
	if b.Delegable {
		words += ", one-phase committer"
	}
	return words
}
