package bench

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// callers is how many goroutines ask at a time, where nothing else is said.
const callers = 100

// load is how something is measured.
type load struct {
	callers int           // how many goroutines ask at a time
	rounds  int           // how often those that are compared take turns
	turn    time.Duration // how long each turn takes
	sampled int           // the time of every so many calls is taken
}

// quickCalls is the load for calls that take microseconds.
var quickCalls = load{callers: callers, rounds: 7, turn: 500 * time.Millisecond, sampled: 8}

// sample is what one turn, or the median of several, came to.
type sample struct {
	perSecond     float64
	p50, p99      time.Duration
	allocs, bytes float64       // per call
	cpu           time.Duration // of this process, per call
}

// measure has the callers call do again and again for the time of one turn.
func (l load) measure(tb testing.TB, do func() error) sample {
	var calls atomic.Int64
	var over atomic.Bool
	latencies := make([][]time.Duration, l.callers)
	for i := range latencies {
		latencies[i] = make([]time.Duration, 0, 1024)
	}
	var before, after runtime.MemStats
	var all sync.WaitGroup
	runtime.ReadMemStats(&before)
	busy := processorTime()
	start := time.Now()
	timer := time.AfterFunc(l.turn, func() { over.Store(true) })
	defer timer.Stop()
	for i := range l.callers {
		all.Go(func() {
			n := 0
			defer func() { calls.Add(int64(n)) }()
			for ; !over.Load(); n++ {
				begin := time.Time{}
				if n%l.sampled == 0 {
					begin = time.Now()
				}
				if err := do(); err != nil {
					tb.Error(err)
					return
				}
				if n%l.sampled == 0 {
					latencies[i] = append(latencies[i], time.Since(begin))
				}
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	busy = processorTime() - busy
	runtime.ReadMemStats(&after)
	n := float64(calls.Load())
	sorted := slices.Concat(latencies...)
	slices.Sort(sorted)
	s := sample{
		perSecond: n / took.Seconds(),
		allocs:    float64(after.Mallocs-before.Mallocs) / n,
		bytes:     float64(after.TotalAlloc-before.TotalAlloc) / n,
		cpu:       time.Duration(float64(busy) / n),
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

// race lets contenders take turns, after one short turn each that does not count.
// It returns the samples of each, by round.
func (l load) race(tb testing.TB, contenders ...func() error) [][]sample {
	short := l
	short.turn /= 5
	for _, do := range contenders {
		short.measure(tb, do)
	}
	all := make([][]sample, len(contenders))
	for range l.rounds {
		for i, do := range contenders {
			all[i] = append(all[i], l.measure(tb, do))
		}
	}
	return all
}

// compare has ours take turns with its floor.
func (l load) compare(tb testing.TB, floor, ours func() error) comparison {
	all := l.race(tb, floor, ours)
	return against(all[0], all[1])
}

// against compares the samples of ours with those of the floor, round by round.
func against(floor, ours []sample) comparison {
	var c comparison
	for i := range floor {
		c.ratios = append(c.ratios, ours[i].perSecond/floor[i].perSecond)
	}
	slices.Sort(c.ratios)
	c.floor, c.ours = median(floor), median(ours)
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
		cpu:       middle(all, func(s sample) time.Duration { return s.cpu }),
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
	b.ReportMetric(float64(c.ours.cpu.Nanoseconds())/1000, "cpu_us/tx")
	b.ReportMetric(float64(c.floor.cpu.Nanoseconds())/1000, "floor_cpu_us")
}
