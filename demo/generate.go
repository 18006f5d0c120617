package main

import (
	"fmt"
	"math/rand/v2"
)

// What the generator's world has, unless a stock file says otherwise.
const (
	worldItems     = 10_000
	worldStock     = 10_000 // of each item
	worldCustomers = 3_000
)

// generator makes orders in the manner of TPC-C's new-order transaction: a few
// items and customers are much more wanted than the others, an order has several
// lines, and one in a hundred must fail because its last item does not exist. The
// same seed and items make the same orders.
type generator struct {
	rng            *rand.Rand
	items          []string
	missing        string
	item, customer skew
	seed           uint64
	number         int
}

func newGenerator(seed uint64, items []string) *generator {
	rng := rand.New(rand.NewPCG(seed, 0))
	g := &generator{rng: rng, items: items, seed: seed, missing: "no-such-item"}
	known := make(map[string]bool, len(items))
	for _, item := range items {
		known[item] = true
	}
	for known[g.missing] {
		g.missing += "!"
	}
	g.item, g.customer = newSkew(rng, len(items)), newSkew(rng, worldCustomers)
	return g
}

// worldItem is the name of an item of the generator's world.
func worldItem(i int) string { return fmt.Sprintf("item-%05d", i+1) }

// next makes one order: 5 to 15 lines of 1 to 10 pieces at 0.10 to 9.99.
func (g *generator) next() order {
	g.number++
	o := order{
		Name:     fmt.Sprintf("g%d-%06d", g.seed, g.number),
		Customer: fmt.Sprintf("customer-%04d", g.customer.draw(g.rng)+1),
		Lines:    make([]line, 5+g.rng.IntN(11)),
	}
	for i := range o.Lines {
		item := g.missing
		if len(g.items) > 0 {
			item = g.items[g.item.draw(g.rng)]
		}
		o.Lines[i] = line{Item: item, Quantity: 1 + g.rng.Int64N(10), Price: 10 + g.rng.Int64N(990)}
	}
	if g.rng.IntN(100) == 0 {
		o.Lines[len(o.Lines)-1].Item = g.missing
	}
	return o
}

// skew draws from 0 to n-1 as TPC-C's NURand does: the bits of a small random
// number are laid over those of a large one, so that numbers with many low bits
// set come often; c turns the result round.
type skew struct{ n, a, c int }

// newSkew takes A in TPC-C's proportion: 8191 for 100,000 items.
func newSkew(rng *rand.Rand, n int) skew {
	a := 0
	for 2*(a+1) <= n/8 {
		a = 2*a + 1
	}
	return skew{n: n, a: a, c: rng.IntN(a + 1)}
}

func (s skew) draw(rng *rand.Rand) int {
	return ((rng.IntN(s.a+1) | rng.IntN(s.n)) + s.c) % s.n
}
