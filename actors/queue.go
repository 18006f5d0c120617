package actors

import "slices"

// maxSpare is for how many items an empty queue keeps room.
const maxSpare = 4096

// queue is a first-in first-out queue that reuses its memory when it is empty.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) len() int { return len(q.items) - q.head }

// drop takes out what goes.
func (q *queue[T]) drop(goes func(T) bool) {
	kept := slices.DeleteFunc(q.items[q.head:], goes)
	q.items = q.items[:q.head+len(kept)]
}

func (q *queue[T]) push(v T) { q.items = append(q.items, v) }

func (q *queue[T]) pop() T {
	var none T
	v := q.items[q.head]
	q.items[q.head] = none
	q.head++
	switch {
	case q.head == len(q.items) && cap(q.items) > maxSpare:
		q.items, q.head = nil, 0
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head >= 64 && q.head*2 >= len(q.items):
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	return v
}

// Waiting is a queue of those who wait for something that is scarce. Those who
// have gone are dropped when it has doubled, so that it stays about as long as
// there are some who still wait. The zero value is empty.
type Waiting[T any] struct {
	queue queue[T]
	limit int // how long it may get before it is looked through
}

// Len is how many wait, those who have gone unnoticed among them.
func (w *Waiting[T]) Len() int { return w.queue.len() }

// Add has one more wait, behind the others. It asks gone of each when the queue
// has doubled, and forgets those for whom it answers true.
func (w *Waiting[T]) Add(v T, gone func(T) bool) {
	if w.Len() >= w.limit {
		w.queue.drop(gone)
		w.limit = 2*w.Len() + 64
	}
	w.queue.push(v)
}

// First is who has waited longest. There must be one.
func (w *Waiting[T]) First() T { return w.queue.items[w.queue.head] }

// Next takes who has waited longest out of the queue. There must be one.
func (w *Waiting[T]) Next() T { return w.queue.pop() }
