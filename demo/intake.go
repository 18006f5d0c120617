package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
)

// defaultStock is how many there are of each item where no stock file says.
const defaultStock = 1_000

// inputError says that an input cannot be read at all.
type inputError struct{ err error }

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// intake enters in the book what the command line names: opening balances, and
// orders that are not in it yet. Lines that cannot be used go to bad.
func intake(b *book, o options, bad func(badLine)) error {
	stock, err := takeStock(o, bad)
	if err != nil {
		return err
	}
	var fresh []order
	if o.orders == "" {
		fresh = generate(b, o, slices.Sorted(maps.Keys(stock)))
	} else if fresh, err = ordersOf(b, o.orders, bad); err != nil {
		return err
	}
	payment := map[string]int64{merchant: 0}
	for _, order := range fresh {
		payment[customerPrefix+order.Customer] = o.credit
		for _, l := range order.Lines {
			if _, known := stock[l.Item]; !known && o.orders != "" && o.stock == "" {
				stock[l.Item] = defaultStock
			}
		}
	}
	for service, balances := range map[string]map[string]int64{
		"inventory": stock,
		"payment":   payment,
		"shipping":  {room: carrierRoom, parcels: 0},
	} {
		if err := b.open(service, balances); err != nil {
			return err
		}
	}
	return b.take(fresh)
}

// takeStock is the stock to open with: the file's, or the generator's world.
func takeStock(o options, bad func(badLine)) (map[string]int64, error) {
	stock := make(map[string]int64)
	switch {
	case o.stock != "":
		err := readInput("stock", o.stock, func(f *os.File) (err error) {
			stock, err = readStock(o.stock, f, bad)
			return err
		})
		return stock, err
	case o.orders == "":
		for i := range worldItems {
			stock[worldItem(i)] = worldStock
		}
	}
	return stock, nil
}

// ordersOf reads the orders of a file that are not in the book.
func ordersOf(b *book, file string, bad func(badLine)) ([]order, error) {
	var fresh []order
	err := readInput("orders", file, func(f *os.File) error {
		return readOrders(file, f, func(o order) error {
			switch known := b.byName[o.Name]; {
			case known != nil && known.order.equal(o):
				return nil
			case known != nil:
				return fmt.Errorf("order %q was taken in an earlier run, and was another one", o.Name)
			case len(b.orders)+len(fresh) >= maxOrders:
				return fmt.Errorf("order %q is one too many: the limit is %d in one data directory", o.Name, maxOrders)
			}
			fresh = append(fresh, o)
			return nil
		}, bad)
	})
	return fresh, err
}

func readInput(what, file string, read func(*os.File) error) error {
	f, err := os.Open(file)
	if err == nil {
		err = read(f)
		_ = f.Close() // it was only read
	}
	if err != nil {
		return &inputError{fmt.Errorf("cannot read %s: %w", what, err)}
	}
	return nil
}

// generate makes the orders that are not in the book.
func generate(b *book, o options, items []string) []order {
	var fresh []order
	g := newGenerator(o.seed, items)
	for range o.number {
		if order := g.next(); b.byName[order.Name] == nil && len(b.orders)+len(fresh) < maxOrders {
			fresh = append(fresh, order)
		}
	}
	return fresh
}
