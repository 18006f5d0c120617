package participant

import (
	"context"
	"sync"
)

// keyLocks lets one caller at a time work on a branch. It holds an entry only
// for branches that are being worked on.
type keyLocks struct {
	mu   sync.Mutex
	held map[Key]*keyLock
}

type keyLock struct {
	token chan struct{} // full while somebody has the lock
	users int           // who have it or wait for it
}

// lock waits for the key until the context ends.
func (l *keyLocks) lock(ctx context.Context, k Key) (unlock func(), err error) {
	entry := l.enter(k)
	select {
	case entry.token <- struct{}{}:
		return func() {
			<-entry.token
			l.leave(k, entry)
		}, nil
	case <-ctx.Done():
		l.leave(k, entry)
		return nil, ctx.Err()
	}
}

func (l *keyLocks) enter(k Key) *keyLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = make(map[Key]*keyLock)
	}
	entry := l.held[k]
	if entry == nil {
		entry = &keyLock{token: make(chan struct{}, 1)}
		l.held[k] = entry
	}
	entry.users++
	return entry
}

func (l *keyLocks) leave(k Key, entry *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry.users--
	if entry.users == 0 {
		delete(l.held, k)
	}
}
