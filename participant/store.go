package participant

import "context"

// Store remembers what became of branches, for [Idempotent]. The calls for one
// branch come one at a time, those for different branches concurrently.
//
// [MemoryStore] forgets with the process; package filestore keeps it on disk.
// A store of your own in the participant's own database can be a [Transactor].
type Store interface {
	// Load returns what was saved last for the branch: [Unknown] if nothing was,
	// [Forgotten] if something may have been and has been dropped since.
	Load(context.Context, Key) (State, error)

	// Save keeps the state in place of the branch's earlier one. It returns nil
	// only when the state will last as long as the store promises. It may drop
	// branches that are [State.Settled], the oldest ids first. Unknown and
	// Forgotten are never saved.
	Save(context.Context, Key, State) error
}

// Transactor is a [Store] that shares a transaction with the participant's
// effect. With it, and only with it, a branch takes effect once across crashes.
type Transactor interface {
	Store

	// Transact calls f. What the participant does and what Save writes with the
	// context that f is given happens together: all of it if Transact returns
	// nil, none of it if f fails or panics. An error of f is returned, and may be
	// wrapped.
	Transact(ctx context.Context, f func(context.Context) error) error
}
