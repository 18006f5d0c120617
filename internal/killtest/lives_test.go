package killtest_test

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
)

// Variables that tell a process what it is.
const (
	roleVariable = "DTC_KILLTEST_ROLE"
	dirVariable  = "DTC_KILLTEST_DIR"
	fromVariable = "DTC_KILLTEST_FROM" // the coordinator's first transfer
)

// isUp is what a process tells when it has opened its files and takes calls.
const isUp = "up"

// workers is how many transfers are under way at a time.
const workers = 8

// play is what a process does that is not the test itself. It does not return,
// but when it fails.
func play(role string) error {
	dir := os.Getenv(dirVariable)
	arm()
	broken := make(chan error)
	go func() { broken <- perform(role, dir) }()
	go crashtest.EndWithParent()
	return <-broken
}

func perform(role, dir string) error {
	switch role {
	case coordinatorName:
		c, err := openClearing(dir)
		if err != nil {
			return err
		}
		var from uint64
		if _, err := fmt.Sscan(os.Getenv(fromVariable), &from); err != nil {
			return err
		}
		crashtest.Tell(isUp)
		for i := range uint64(workers) {
			go c.work(from + i<<32)
		}
		select {}
	case notaryName:
		return serveNotary(dir)
	default:
		return serveBank(dir, role)
	}
}

// plan is one life of a process, drawn before it begins.
type plan struct {
	point string        // where it kills itself; empty for nowhere
	hit   int           // the how manieth time it comes there
	early bool          // its time runs from the start, not from when it is up
	after time.Duration // when it is killed if it still lives
	down  time.Duration // how long it stays dead
}

func (p plan) String() string { return fmt.Sprintf("%d %s", p.hit, p.point) }

// cast is all processes, and where they can be told to kill themselves.
func cast() map[string][]string {
	return map[string][]string{
		coordinatorName: coordinatorPoints(), notaryName: notaryPoints(),
		bankNames[0]: bankPoints(), bankNames[1]: bankPoints(),
	}
}

// draw draws a life that ends at the point, if any, and else at some moment.
func draw(r *rand.Rand, point string) plan {
	ms := func(from, to int) time.Duration {
		return time.Duration(from)*time.Millisecond + time.Duration(r.Int64N(int64(to-from)*1e6))
	}
	p := plan{point: point, hit: 1, early: r.IntN(3) == 0, after: ms(10, 300)}
	if point != "" {
		p.early, p.after = false, ms(300, 500)
		if r.IntN(2) == 0 { // else it is in recovery, where there is any
			p.hit += r.IntN(10)
		}
	}
	if r.IntN(3) > 0 {
		p.down = ms(1, 100)
	}
	return p
}

// killing kills in a directory.
type killing struct {
	dir  string
	book *notebook

	mu     sync.Mutex
	tally  tally
	left   int           // how many are to be killed in this round
	enough chan struct{} // closed when they have been
	broken error
}

// tally counts kills, by what chose the moment.
type tally struct {
	Coordinator  int            `json:"kills_of_the_coordinator"`
	Participants int            `json:"kills_of_participants"`
	Random       int            `json:"kills_at_random_moments"`
	AtPoints     int            `json:"kills_at_named_points"`
	AllAtOnce    int            `json:"kills_of_all_processes_at_once"`
	Points       map[string]int `json:"kills_by_point"`
}

// round has all processes live, die and live again side by side until so many
// have been killed, and then kills those that live.
func (k *killing) round(seed, number uint64, kills int) error {
	k.left, k.enough = kills, make(chan struct{})
	var all sync.WaitGroup
	for role, points := range cast() {
		name := fnv.New64a()
		_, _ = name.Write([]byte(role))
		r := rand.New(rand.NewPCG(seed, name.Sum64()))
		r.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		points = slices.Concat(points, points)[2*int(number)%len(points):] // each has its turn
		r = rand.New(rand.NewPCG(seed, number+name.Sum64()))
		all.Go(func() { k.lives(role, points, r) })
	}
	all.Wait()
	return k.broken
}

// lives are those of one process: every other ends at the next one of the points.
func (k *killing) lives(role string, points []string, r *rand.Rand) {
	for i := r.IntN(2); ; i++ {
		point := ""
		if i%2 == 1 {
			point = points[i/2%len(points)]
		}
		p := draw(r, point)
		if err := k.life(role, p, r.Uint64()); err != nil {
			k.fail(fmt.Errorf("%s, to be killed at its %d. %q: %w", role, p.hit, p.point, err))
			return
		}
		select {
		case <-k.enough:
			return
		case <-time.After(p.down):
		}
	}
}

// life starts a process and sees to its end.
func (k *killing) life(role string, p plan, from uint64) error {
	child, err := start(k.dir, role, fromVariable+"="+fmt.Sprint(from), pointVariable+"="+p.String())
	if err != nil {
		return err
	}
	up, died := make(chan struct{}), make(chan error, 1)
	go func() {
		for line := range child.Lines() {
			if line == isUp {
				close(up)
			} else {
				k.book.note(line)
			}
		}
		died <- child.Wait()
	}()
	if !p.early {
		select {
		case <-up:
		case err := <-died:
			k.killed(role, p.point)
			return err
		case <-k.enough:
			return errors.Join(child.Kill(), <-died)
		case <-time.After(time.Minute):
			return errors.Join(errors.New("not up after a minute"), child.Kill(), <-died)
		}
	}
	select {
	case err := <-died:
		k.killed(role, p.point)
		return err
	case <-k.enough:
	case <-time.After(p.after):
		k.killed(role, "")
	}
	return errors.Join(child.Kill(), <-died)
}

func start(dir, role string, env ...string) (*crashtest.Child, error) {
	return crashtest.Start("TestKill", append(env, roleVariable+"="+role, dirVariable+"="+dir)...)
}

// killed counts a kill, and ends the round with the last one.
func (k *killing) killed(role, point string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if role == coordinatorName {
		k.tally.Coordinator++
	} else {
		k.tally.Participants++
	}
	if point == "" {
		k.tally.Random++
	} else {
		k.tally.AtPoints++
		k.tally.Points[point]++
	}
	if k.left--; k.left == 0 {
		k.tally.AllAtOnce++
		close(k.enough)
	}
}

// fail ends the round early.
func (k *killing) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken = errors.Join(k.broken, err)
	if k.left > 0 {
		k.left = 0
		close(k.enough)
	}
}
