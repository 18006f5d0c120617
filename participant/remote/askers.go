package remote

import (
	"crypto/rand"
	"sync"
)

// maxAskers is how many names are given out. Those who ask are the gateways of a
// coordinator, one for each participant; more are futures and the like, whose
// names are of no use after one answer.
const maxAskers = 1 << 16

// askers gives actors that ask something names by which a peer can answer them.
// The names are random: nobody but the peer that was asked knows one, and none is
// known after a restart. When there are too many, all are forgotten, as if their
// answers had been lost. The zero value is ready to use.
type askers struct {
	mu    sync.Mutex
	names map[asker]string
	ids   map[string]string
}

// asker is an actor of this process as one peer knows it.
type asker struct{ id, peer string }

// name returns the name of the actor for the peer.
func (a *askers) name(id, peer string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if name, ok := a.names[asker{id, peer}]; ok {
		return name
	}
	if a.names == nil || len(a.names) >= maxAskers {
		a.names, a.ids = make(map[asker]string), make(map[string]string)
	}
	name := "dtc/asker/" + rand.Text()
	a.names[asker{id, peer}], a.ids[name] = name, id
	return name
}

// find returns the actor of that name.
func (a *askers) find(name string) (id string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, ok = a.ids[name]
	return id, ok
}
