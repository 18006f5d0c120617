package simulator

// clock is virtual time, in milliseconds, and what is to happen when. What is
// due at the same instant happens in the order in which it was asked for.
type clock struct {
	now    int64
	asked  uint64
	events []event // a heap, the earliest on top
}

type event struct {
	at    int64
	asked uint64
	do    func()
}

func (e *event) before(f *event) bool {
	return e.at < f.at || e.at == f.at && e.asked < f.asked
}

// at has something happen at an instant, or now if that has passed.
func (c *clock) at(when int64, do func()) {
	c.asked++
	c.events = append(c.events, event{max(when, c.now), c.asked, do})
	h := c.events
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

// after has something happen some time from now.
func (c *clock) after(wait int64, do func()) { c.at(c.now+wait, do) }

// next lets the next thing happen; false if there is none.
func (c *clock) next() bool {
	if len(c.events) == 0 {
		return false
	}
	h := c.events
	top, last := h[0], len(h)-1
	h[0], h[last] = h[last], event{}
	c.events = h[:last]
	c.sink()
	c.now = top.at
	top.do()
	return true
}

// sink moves the first event to its place.
func (c *clock) sink() {
	h := c.events
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].before(&h[child]) {
			child++
		}
		if !h[child].before(&h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
