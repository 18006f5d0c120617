package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// Limits of what is taken.
const (
	maxLines  = 100
	maxOrders = 1_000_000 // in one directory
)

// order is what a customer wants.
type order struct {
	Name     string `json:"order"`
	Customer string `json:"customer"`
	Lines    []line `json:"lines"`
}

// line is a number of pieces of one item. The price of a piece is in cents.
type line struct {
	Item     string `json:"item"`
	Quantity int64  `json:"quantity"`
	Price    int64  `json:"price"`
}

// total is what the order costs, in cents.
func (o order) total() int64 {
	var sum int64
	for _, l := range o.Lines {
		sum += l.Quantity * l.Price
	}
	return sum
}

func (o order) equal(p order) bool {
	a, _ := json.Marshal(o)
	b, _ := json.Marshal(p)
	return bytes.Equal(a, b)
}

// written is an order as somebody has written it.
type written struct {
	Name     text `json:"order"`
	Customer text `json:"customer"`
	Lines    []struct {
		Item     text   `json:"item"`
		Quantity *int64 `json:"quantity"`
		Price    *int64 `json:"price"`
	} `json:"lines"`
}

// text is a JSON string, or a number, as which many write an order's name.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(data []byte) error {
	var number json.Number
	if json.Unmarshal(data, (*string)(t)) == nil {
		return nil
	}
	if err := json.Unmarshal(data, &number); err != nil {
		return fmt.Errorf("%.40s is neither text nor a number", data)
	}
	*t = text(number)
	return nil
}

// parseOrder reads one line of an orders file.
func parseOrder(data []byte) (order, error) {
	var w written
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&w); err != nil {
		return order{}, jsonError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return order{}, errors.New("something follows the order on its line")
	}
	if err := orderKeys.check(json.NewDecoder(bytes.NewReader(data))); err != nil {
		return order{}, err
	}
	o := order{Name: string(w.Name), Customer: string(w.Customer)}
	for i, l := range w.Lines {
		switch {
		case l.Quantity == nil:
			return order{}, fmt.Errorf("line %d of the order has no quantity", i+1)
		case l.Price == nil:
			return order{}, fmt.Errorf("line %d of the order has no price", i+1)
		}
		o.Lines = append(o.Lines, line{Item: string(l.Item), Quantity: *l.Quantity, Price: *l.Price})
	}
	return o, o.check()
}

// jsonError says what is wrong with a document, in the words of this program.
func jsonError(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field == "":
		return fmt.Errorf("want a JSON object, found %s", wrong.Value)
	case errors.As(err, &wrong):
		want := fmt.Sprintf("a whole number of at most %d", int64(ledger.MaxAmount))
		if wrong.Type.Kind().String() != "int64" {
			want = "a list of objects"
		}
		return fmt.Errorf("%q is %s, want %s", wrong.Field, wrong.Value, want)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("not JSON: the line ends in the middle of the order")
	}
	return fmt.Errorf("not JSON: %w", err)
}

// check says why an order cannot be taken. An order that is merely refused, for
// want of stock or money, can be.
func (o order) check() error {
	if err := checkName("order", o.Name); err != nil {
		return err
	}
	if err := checkName("customer", o.Customer); err != nil {
		return err
	}
	switch {
	case len(o.Lines) == 0:
		return fmt.Errorf("order %q has no lines", o.Name)
	case len(o.Lines) > maxLines:
		return fmt.Errorf("order %q has %d lines, the limit is %d", o.Name, len(o.Lines), maxLines)
	}
	var total int64
	for i, l := range o.Lines {
		if err := l.check(); err != nil {
			return fmt.Errorf("line %d of order %q: %w", i+1, o.Name, err)
		}
		if l.Price > 0 && l.Quantity > (ledger.MaxAmount-total)/l.Price {
			return fmt.Errorf("order %q costs more than %d cents, which is the limit", o.Name, int64(ledger.MaxAmount))
		}
		total += l.Quantity * l.Price
	}
	return nil
}

func (l line) check() error {
	if err := checkName("item", l.Item); err != nil {
		return err
	}
	switch {
	case l.Quantity < 1:
		return fmt.Errorf("quantity %d is less than 1", l.Quantity)
	case l.Quantity > ledger.MaxAmount:
		return fmt.Errorf("quantity %d is more than %d", l.Quantity, int64(ledger.MaxAmount))
	case l.Price < 0:
		return fmt.Errorf("price %d is negative", l.Price)
	}
	return nil
}

// readOrders reads an orders file, and hands every good order to take, which may
// find something wrong with it yet.
func readOrders(file string, r io.Reader, take func(order) error, bad func(badLine)) error {
	seen := make(map[string]int)
	return eachLine(file, r, func(n int, data []byte) error {
		o, err := parseOrder(data)
		if err != nil {
			return err
		}
		if first, ok := seen[o.Name]; ok {
			return fmt.Errorf("order %q is on line %d already", o.Name, first)
		}
		seen[o.Name] = n
		return take(o)
	}, bad)
}
