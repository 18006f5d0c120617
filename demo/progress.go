package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// figures count what becomes of orders. They may be used by many goroutines.
type figures struct {
	mu         sync.Mutex
	begun      time.Time
	total      int
	inFlight   int
	committed  int
	rolledBack map[cause]int
	earlier    int // answered before this process began
}

func newFigures(b *book) *figures {
	f := &figures{begun: time.Now(), total: len(b.orders), rolledBack: make(map[cause]int)}
	for _, e := range b.orders {
		if e.answer != nil {
			f.count(e.answer)
			f.earlier++
		}
	}
	return f
}

// count counts an answer.
func (f *figures) count(a *answer) {
	if a.Cause == "" {
		f.committed++
	} else {
		f.rolledBack[a.Cause]++
	}
}

func (f *figures) start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight++
}

func (f *figures) end(a *answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight--
	if a != nil {
		f.count(a)
	}
}

// snapshot is the figures at one moment.
type snapshot struct {
	took                       time.Duration
	total, inFlight, committed int
	answered, earlier          int
	perSecond                  float64 // since the process began
	rolledBack                 map[cause]int
}

func (f *figures) snapshot() snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := snapshot{
		took: time.Since(f.begun), total: f.total, inFlight: f.inFlight, committed: f.committed,
		rolledBack: maps.Clone(f.rolledBack), earlier: f.earlier,
	}
	s.answered = s.committed + s.allRolledBack()
	s.perSecond = float64(s.answered-f.earlier) / max(s.took.Seconds(), 0.001)
	return s
}

func (s snapshot) allRolledBack() (n int) {
	for _, count := range s.rolledBack {
		n += count
	}
	return n
}

// causes lists why orders were rolled back, the most frequent first.
func (s snapshot) causes() []cause {
	list := slices.Sorted(maps.Keys(s.rolledBack))
	slices.SortStableFunc(list, func(a, b cause) int { return s.rolledBack[b] - s.rolledBack[a] })
	return list
}

// lines is what progress looks like: two lines that fit a terminal.
func (s snapshot) lines(perSecond float64) (string, string) {
	first := fmt.Sprintf("%s of %s orders, %s orders/s, %s in flight, %s committed",
		grouped(s.answered), grouped(s.total), grouped(int(perSecond)), grouped(s.inFlight), grouped(s.committed))
	second := grouped(s.allRolledBack()) + " rolled back"
	separator := ": "
	for _, c := range s.causes() {
		second += fmt.Sprintf("%s%s %s", separator, c, grouped(s.rolledBack[c]))
		separator = ", "
	}
	return first, second
}

// grouped writes a number with commas between thousands.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// watch shows the figures on the screen until stop is called: often on a
// terminal, else once a second.
func (f *figures) watch(s *screen) (stop func()) {
	every := time.Second
	if s.live {
		every = 150 * time.Millisecond
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		last := f.snapshot()
		speed := last.perSecond
		for {
			select {
			case <-tick.C:
				now := f.snapshot()
				latest := float64(now.answered-last.answered) / (now.took - last.took).Seconds()
				speed += (latest - speed) * min(1, max(0.3, 1.0/now.took.Seconds()))
				s.show(now.lines(speed))
				last = now
			case <-done:
				s.clear()
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
