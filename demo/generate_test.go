package main

import (
	"slices"
	"testing"
)

func world() []string {
	items := make([]string, worldItems)
	for i := range items {
		items[i] = worldItem(i)
	}
	return items
}

// TestGenerator: several lines per order, one order in a hundred that must fail,
// and a few items that are wanted much more than the others.
func TestGenerator(t *testing.T) {
	const n = 20_000
	g := newGenerator(7, world())
	lines, failing, wanted := 0, 0, map[string]int{}
	for range n {
		o := g.next()
		if err := o.check(); err != nil {
			t.Fatal(err)
		}
		if len(o.Lines) < 5 || len(o.Lines) > 15 {
			t.Fatalf("%d lines", len(o.Lines))
		}
		for i, l := range o.Lines {
			switch {
			case l.Item != g.missing:
				wanted[l.Item]++
				lines++
			case i == len(o.Lines)-1:
				failing++
			default:
				t.Fatal("an item is missing before the last line")
			}
		}
	}
	if failing < n/125 || failing > n/80 {
		t.Errorf("%d of %d orders must fail, want about 1 %%", failing, n)
	}
	var counts []int
	for _, count := range wanted {
		counts = append(counts, count)
	}
	slices.Sort(counts)
	top := 0
	for _, count := range counts[len(counts)-worldItems/100:] {
		top += count
	}
	if share := float64(top) / float64(lines); share < 0.1 || share > 0.5 {
		t.Errorf("one item in a hundred has %.0f %% of the lines", 100*share)
	}
	if len(wanted) < worldItems/2 {
		t.Errorf("only %d items are wanted", len(wanted))
	}
}

func TestGenerator_Repeats(t *testing.T) {
	a, b, c := newGenerator(1, world()), newGenerator(1, world()), newGenerator(2, world())
	first := a.next()
	if !first.equal(b.next()) {
		t.Error("the same seed makes another order")
	}
	if first.equal(c.next()) {
		t.Error("another seed makes the same order")
	}
}

// TestGenerator_OtherItems: a stock file may have few items, or none, or one of
// the name of what is to be missing.
func TestGenerator_OtherItems(t *testing.T) {
	for _, items := range [][]string{nil, {"no-such-item"}, {"a", "b"}} {
		g := newGenerator(1, items)
		for range 1000 {
			o := g.next()
			if err := o.check(); err != nil {
				t.Fatal(err)
			}
			for _, l := range o.Lines {
				if l.Item != g.missing && !slices.Contains(items, l.Item) {
					t.Fatalf("item %q", l.Item)
				}
			}
		}
		if slices.Contains(items, g.missing) {
			t.Errorf("%q is there", g.missing)
		}
	}
}

// TestSkew: A is TPC-C's where the range is.
func TestSkew(t *testing.T) {
	g := newGenerator(1, nil)
	for n, a := range map[int]int{0: 0, 1: 0, 16: 1, 10_000: 1023, 100_000: 8191} {
		s := newSkew(g.rng, n)
		if s.a != a {
			t.Errorf("A is %d for %d, want %d", s.a, n, a)
		}
		for range 100 {
			if n == 0 {
				break
			}
			if i := s.draw(g.rng); i < 0 || i >= n {
				t.Fatalf("drew %d of %d", i, n)
			}
		}
	}
}
