package bench

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// callers is how many goroutines ask at a time.
	callers = 100
	// rounds is how often the floor and ours take turns.
	rounds = 7
	// turn is how long each turn takes.
	turn = 500 * time.Millisecond
	// sampled: the time of every so many calls is taken.
	sampled = 8
)

// sample is what one turn, or the median of several, came to.
type sample struct {
	perSecond     float64
	p50, p99      time.Duration
	allocs, bytes float64 // per call
}

// measure has the callers call do again and again for the time of one turn.
func measure(tb testing.TB, length time.Duration, do func() error) sample {
	var calls atomic.Int64
	var over atomic.Bool
	latencies := make([][]time.Duration, callers)
	for i := range latencies {
		latencies[i] = make([]time.Duration, 0, 1024)
	}
	var before, after runtime.MemStats
	var all sync.WaitGroup
	runtime.ReadMemStats(&before)
	start := time.Now()
	timer := time.AfterFunc(length, func() { over.Store(true) })
	defer timer.Stop()
	for i := range callers {
		all.Go(func() {
			n := 0
			defer func() { calls.Add(int64(n)) }()
			for ; !over.Load(); n++ {
				begin := time.Time{}
				if n%sampled == 0 {
					begin = time.Now()
				}
				if err := do(); err != nil {
					tb.Error(err)
					return
				}
				if n%sampled == 0 {
					latencies[i] = append(latencies[i], time.Since(begin))
				}
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	n := float64(calls.Load())
	sorted := slices.Concat(latencies...)
	slices.Sort(sorted)
	s := sample{
		perSecond: n / took.Seconds(),
		allocs:    float64(after.Mallocs-before.Mallocs) / n,
		bytes:     float64(after.TotalAlloc-before.TotalAlloc) / n,
	}
	if len(sorted) > 0 {
		s.p50, s.p99 = sorted[len(sorted)/2], sorted[len(sorted)*99/100]
	}
	return s
}

// comparison is the medians of both, and how many times the floor ours reached
// in each round, from the worst to the best.
type comparison struct {
	floor, ours sample
	ratios      []float64
}

func (c comparison) ratio() float64 { return c.ratios[len(c.ratios)/2] }

// compare lets the floor and ours take turns, after one short turn each that
// does not count.
func compare(tb testing.TB, floor, ours func() error) comparison {
	measure(tb, turn/5, floor)
	measure(tb, turn/5, ours)
	var c comparison
	var floors, oursAll []sample
	for range rounds {
		f, o := measure(tb, turn, floor), measure(tb, turn, ours)
		floors, oursAll = append(floors, f), append(oursAll, o)
		c.ratios = append(c.ratios, o.perSecond/f.perSecond)
	}
	slices.Sort(c.ratios)
	c.floor, c.ours = median(floors), median(oursAll)
	return c
}

// median takes the median of each figure.
func median(all []sample) sample {
	return sample{
		perSecond: middle(all, func(s sample) float64 { return s.perSecond }),
		p50:       middle(all, func(s sample) time.Duration { return s.p50 }),
		p99:       middle(all, func(s sample) time.Duration { return s.p99 }),
		allocs:    middle(all, func(s sample) float64 { return s.allocs }),
		bytes:     middle(all, func(s sample) float64 { return s.bytes }),
	}
}

func middle[T float64 | time.Duration](all []sample, figure func(sample) T) T {
	var figures []T
	for _, s := range all {
		figures = append(figures, figure(s))
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}

// report adds the comparison's figures to a benchmark. The time that the
// benchmark itself took means nothing.
func (c comparison) report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(c.ratio(), "x_floor")
	b.ReportMetric(c.floor.perSecond, "floor/s")
	b.ReportMetric(c.ours.perSecond, "tx/s")
	b.ReportMetric(float64(c.ours.p50.Microseconds()), "p50_us")
	b.ReportMetric(float64(c.ours.p99.Microseconds()), "p99_us")
	b.ReportMetric(c.ours.allocs, "allocs/tx")
	b.ReportMetric(c.ours.bytes, "B/tx")
}
