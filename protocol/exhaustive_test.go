package protocol

import (
	"fmt"
	"strings"
	"testing"
)

// Kinds of branches.
var (
	twoPhase    = Branch{TwoPhase: true}
	recoverable = Branch{TwoPhase: true, Recoverable: true}
	onePhase    = Branch{}
	delegable   = Branch{TwoPhase: true, Delegable: true}
)

// with builds a setting out of kinds of branches.
func with(name string, kinds ...Branch) setting {
	s := setting{name: name}
	for i, b := range kinds {
		b.Name = letter(i)
		s.branches = append(s.branches, b)
	}
	return s
}

func (s setting) durably() setting { s.durable = true; s.name += ", durable"; return s }
func (s setting) last() setting    { s.posted = true; s.name += ", the last one posted"; return s }

// settings, the small ones first.
var settings = []setting{
	with("one two-phase", twoPhase),
	with("one recoverable", recoverable),
	with("one one-phase", onePhase),
	with("one delegable", delegable),
	with("one delegable", delegable).durably(),
	with("one two-phase", twoPhase).last(),
	with("one recoverable", recoverable).last(),
	with("two one-phase", onePhase, onePhase),
	with("two-phase and one-phase", twoPhase, onePhase),
	with("recoverable and one-phase", recoverable, onePhase),
	with("two two-phase", twoPhase, twoPhase),
	with("two-phase and recoverable", twoPhase, recoverable),
	with("two recoverable", recoverable, recoverable),
	with("one-phase and two-phase", onePhase, twoPhase).last(),
	with("one-phase and recoverable", onePhase, recoverable).last(),
	with("two-phase and one-phase", twoPhase, onePhase).durably(),
	with("delegable and two-phase", delegable, twoPhase).last(),
	with("recoverable and two-phase", recoverable, twoPhase).last(),
	with("two recoverable", recoverable, recoverable).durably(),
}

// TestEveryInterleaving goes through every world that one transaction can come
// to: whatever its participants answer, however often messages are lost,
// doubled, delayed or overtaken, the process crashes, the transaction's actor
// panics or the journal fails, in any order and at any moment. In each it
// checks the guarantees, and that when nothing fails any more, the transaction
// comes to an end that all branches share.
func TestEveryInterleaving(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			k, err := search(s, mistake{})
			if err != nil {
				t.Fatal(err)
			}
			if !k.ends[OutcomeCommitted] || !k.ends[OutcomeRolledBack] {
				t.Errorf("the search saw only these ends: %v", k.ends)
			}
			t.Logf("%d worlds", len(k.worlds))
		})
	}
}

// walk is a breadth-first search, so that a path that breaks a promise is a
// shortest one.
type walk struct {
	model
	seen   map[world]int32
	heard  map[memory]bool // the transactions that have been told what means nothing
	worlds []world
	from   []int32          // the world from which each was first reached …
	by     []choice         // … and how
	ends   map[Outcome]bool // what the application knows when nothing is left to happen
	healed []int32          // the world that each comes to when nothing fails
}

const nowhere = -1

// search goes through all worlds, up to the first broken promise: it returns
// that with the path that leads to it.
func search(s setting, planted mistake) (*walk, error) {
	k := &walk{
		model: model{setting: s, mistake: planted},
		seen:  map[world]int32{}, heard: map[memory]bool{}, ends: map[Outcome]bool{},
	}
	k.reach(k.begin(), nowhere, choice{})
	var cs []choice
	for i := int32(0); int(i) < len(k.worlds) && k.wrong == nil; i++ {
		w := k.worlds[i]
		cs = k.choices(&w, cs[:0])
		for _, c := range cs {
			k.reach(k.apply(w, c), i, c)
			if k.wrong != nil {
				return k, k.path(i, &c)
			}
		}
		if w.up && !k.heard[w.tx] {
			k.heard[w.tx] = true
			k.checkNoise(&w)
		}
		c, ok := k.heal(&w)
		if !ok {
			k.checkRest(&w)
			k.ends[w.known] = true
			k.healed = append(k.healed, nowhere)
		} else {
			k.healed = append(k.healed, k.reach(k.apply(w, c), i, c))
		}
		if k.wrong != nil {
			return k, k.path(i, nil)
		}
	}
	return k, k.checkHealing()
}

// reach notes a world, unless it is known.
func (k *walk) reach(w world, from int32, by choice) int32 {
	i, known := k.seen[w]
	if !known {
		i = int32(len(k.worlds))
		k.seen[w] = i
		k.worlds, k.from, k.by = append(k.worlds, w), append(k.from, from), append(k.by, by)
	}
	return i
}

// checkHealing: from every world the way on ends when nothing fails any more.
func (k *walk) checkHealing() error {
	const unknown, underway, ends = 0, 1, 2
	mark := make([]uint8, len(k.worlds))
	for i := range k.worlds {
		var way []int32
		j := int32(i)
		for j != nowhere && mark[j] == unknown {
			mark[j] = underway
			way = append(way, j)
			j = k.healed[j]
		}
		if j != nowhere && mark[j] == underway {
			k.broken("it goes round in circles, although nothing fails any more")
			return k.path(j, nil)
		}
		for _, j := range way {
			mark[j] = ends
		}
	}
	return nil
}

// path describes how the world came about in which a promise is broken.
func (k *walk) path(i int32, last *choice) error {
	var steps []string
	end := k.worlds[i]
	for ; k.from[i] != nowhere; i = k.from[i] {
		steps = append([]string{k.by[i].String()}, steps...)
	}
	if last != nil {
		steps = append(steps, last.String())
	}
	return fmt.Errorf("%w\nafter:\n  %s\nthe world before that:\n%v", k.wrong, strings.Join(steps, "\n  "), end)
}
