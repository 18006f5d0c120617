package chaos

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d36415c0/dtc/internal/proof"
)

var one = flag.String("chaos.round", "", "the one round to play, as a failure prints it; empty plays many")

// round is what happens in one world: it is all in this, to be played again.
type round struct {
	journal string
	seed    uint64
	aims    []aim
}

// A round in words: journal/seed, and /place/n/how for each strike.
func (r round) String() string {
	s := fmt.Sprintf("%s/%d", r.journal, r.seed)
	for _, a := range r.aims {
		s += fmt.Sprintf("/%s/%d/%s", a.place, a.n, a.how)
	}
	return s
}

func parse(s string) (r round, err error) {
	parts := strings.Split(s, "/")
	r.journal = parts[0]
	if _, err = fmt.Sscan(parts[1], &r.seed); err != nil {
		return r, err
	}
	for rest := parts[2:]; len(rest) >= 3; rest = rest[3:] {
		a := aim{place: rest[0], how: rest[2]}
		if _, err = fmt.Sscan(rest[1], &a.n); err != nil {
			return r, err
		}
		r.aims = append(r.aims, a)
	}
	return r, nil
}

// figures are what many rounds counted.
type figures struct {
	Rounds       int            `json:"rounds"`
	Strikes      map[string]int `json:"strikes by what was hit"`
	Nonsense     int            `json:"messages of nonsense sent to the coordinator"`
	Transactions int            `json:"transactions"`
	Harmed       int            `json:"transactions harmed by a strike"`
	Failures     int            `json:"rounds in which the journal failed by it"`
	Wrong        int            `json:"transactions with a wrong outcome or none"`
}

// Whatever code of a user's panics, or ends its goroutine, and whenever: the
// transaction that it hits may be rolled back or be slow, all others are as they
// would have been, every outcome is single and true, nobody waits for ever, no
// slot is lost and nothing is left over.
//
// A round is random, and the schedule of its goroutines is too: to play one
// again, give it a few times.
func TestChaos(t *testing.T) {
	if *one != "" {
		r, err := parse(*one)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", r.play(t))
		return
	}
	all := figures{Strikes: map[string]int{}}
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	times, kinds := 1, []string{"memory", "lasting"}
	if proof.Wanted() {
		times, kinds = 12, []string{"memory", "lasting", "pebble"}
	}
	for _, kind := range kinds {
		calm := round{journal: kind, seed: rng.Uint64()}.play(t)
		for _, place := range slices.Sorted(maps.Keys(calm.places)) {
			for range times {
				how := []string{panics, exits}[rng.IntN(2)]
				if strings.HasPrefix(place, "actor.") {
					how = panics // the library's own mailbox, which a user's actor has, does not survive the other
				}
				r := round{journal: kind, seed: rng.Uint64()}
				r.aims = append(r.aims, aim{place, 1 + rng.IntN(calm.places[place]), how})
				if then := aftermath[rng.IntN(len(aftermath))]; rng.IntN(3) == 0 {
					r.aims = append(r.aims, aim{then, 1 + rng.IntN(2), how})
				}
				all.add(r, r.play(t))
			}
		}
	}
	proof.Note(t, "chaos", all)
}

// aftermath is places that are passed because of a strike, to strike again.
var aftermath = []string{
	"event: actor panicked", "event: journal failed", "event: transaction parked", "journal.Record", "journal.Append",
}

func (f *figures) add(r round, c counted) {
	f.Rounds++
	f.Transactions += c.transactions
	f.Nonsense += c.nonsense
	if c.reopened {
		f.Failures++
	} else {
		f.Harmed += c.harmed
	}
	for _, a := range r.aims[:c.hits] {
		who, _, _ := strings.Cut(strings.Replace(a.place, ": ", ".", 1), ".")
		f.Strikes[map[string]string{
			"event": "event listeners", "log": "loggers", "journal": "journals",
			"participant": "participants", "actor": "actors of participants",
		}[who]+" by "+a.how]++
	}
}

// counted is what was counted in a round.
type counted struct {
	transactions, harmed, hits, nonsense int
	reopened                             bool // as the journal had failed
	places                               map[string]int
}

// play strikes while transactions run, and checks what comes of them.
func (r round) play(t *testing.T) (c counted) {
	synctest.Test(t, func(t *testing.T) {
		// The library's throttle of dead letters, and participants that hang, end by
		// themselves.
		defer time.Sleep(late)
		rng := rand.New(rand.NewPCG(r.seed, 1))
		s := newStrike(r.aims...)
		w := begin(t, r.journal, fmt.Sprintf("go test ./internal/chaos -run 'TestChaos$' -count=5 -chaos.round=%q", r), s)
		w.start()
		w.work(rng, 80)
		w.settle()
		for w.journalFailed() { // again, where it is struck again
			c.reopened = true
			w.stop()
			if r.journal == "memory" {
				c.hits = s.over()
				return // and with it what was to be remembered
			}
			w.start()
			w.settle()
		}
		s.hold(true)
		c.transactions, c.harmed, c.places = len(w.tales), w.audit(), s.seen
		w.checkSlots()
		s.hold(false)
		w.stop()
		c.hits, c.nonsense = s.over(), w.spokesman.calls
		if c.harmed > c.hits && !c.reopened {
			w.errorf("%d strikes harmed %d transactions", c.hits, c.harmed)
		}
		if r.journal != "memory" {
			w.start()
			w.audit()
			w.stop()
		}
	})
	return c
}
