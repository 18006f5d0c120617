package messages

import (
	"context"
	"sync"
	"sync/atomic"
)

// Reply is where one answer goes to one waiting caller.
//
// A request that has not been taken up can be withdrawn by its caller: exactly
// one of [Reply.Claim] and the withdrawal in [Reply.Wait] succeeds.
type Reply[T any] struct {
	answer chan T
	state  atomic.Uint32
}

const (
	open uint32 = iota
	claimed
	withdrawn
)

// Claim takes the request up. False means that its caller has gone, and that
// nothing must happen.
func (r *Reply[T]) Claim() bool { return r.state.CompareAndSwap(open, claimed) }

// Withdrawn tells whether the caller has gone.
func (r *Reply[T]) Withdrawn() bool { return r.state.Load() == withdrawn }

// Send answers. Exactly one answer is sent to a Reply.
func (r *Reply[T]) Send(v T) { r.answer <- v }

// Replies makes and reuses the Reply of one kind of answer. The zero value is
// ready to use. Channels must not outlive a testing/synctest bubble, so every
// coordinator has its own.
type Replies[T any] struct{ pool sync.Pool }

// Get returns a Reply.
func (p *Replies[T]) Get() *Reply[T] {
	if r, ok := p.pool.Get().(*Reply[T]); ok {
		r.state.Store(open)
		return r
	}
	return &Reply[T]{answer: make(chan T, 1)}
}

// Wait returns the answer, or ctx's error when that comes first. Taken is false
// if the request was withdrawn before anybody took it up.
func (p *Replies[T]) Wait(ctx context.Context, r *Reply[T]) (v T, taken bool, err error) {
	select {
	case v = <-r.answer:
		p.pool.Put(r)
		return v, true, nil
	case <-ctx.Done():
	}
	taken = !r.state.CompareAndSwap(open, withdrawn)
	return v, taken, ctx.Err()
}

// Receive returns the answer to a request that was taken up, and will be
// answered at once.
func (p *Replies[T]) Receive(r *Reply[T]) T {
	v := <-r.answer
	p.pool.Put(r)
	return v
}

// Discard gives back a Reply that nobody else has seen.
func (p *Replies[T]) Discard(r *Reply[T]) { p.pool.Put(r) }
