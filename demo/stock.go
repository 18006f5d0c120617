package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// columns says where a stock file has what, and how many columns there are.
type columns struct{ item, quantity, number int }

// readStock reads a stock file: CSV, an item and its quantity on each line. A
// first line that names the columns may order them otherwise, among others.
func readStock(file string, r io.Reader, bad func(badLine)) (map[string]int64, error) {
	stock, seen := make(map[string]int64), make(map[string]int)
	at := columns{0, 1, 2}
	first := true
	err := eachLine(file, r, func(n int, data []byte) error {
		fields, err := splitCSV(string(data))
		if err != nil {
			return err
		}
		top := first
		first = false
		if top && at.rename(fields) {
			return nil
		}
		item, quantity, err := at.parse(fields)
		switch {
		case err != nil && top && !slices.ContainsFunc(fields, isNumber):
			return fmt.Errorf("%w (if this line names the columns: the names must be item and quantity)", err)
		case err != nil:
			return err
		}
		if line, ok := seen[item]; ok {
			return fmt.Errorf("item %q is on line %d already", item, line)
		}
		stock[item], seen[item] = quantity, n
		return nil
	}, bad)
	return stock, err
}

// splitCSV splits one line, at semicolons or tabs where it has no comma.
func splitCSV(text string) ([]string, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.TrimLeadingSpace = true
	for _, separator := range ",;\t" {
		if strings.ContainsRune(text, separator) {
			r.Comma = separator
			break
		}
	}
	fields, err := r.Read()
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		return nil, fmt.Errorf("not CSV: %w", wrong.Err)
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields, err
}

func isNumber(field string) bool {
	_, err := strconv.ParseInt(field, 10, 64)
	return err == nil
}

// rename takes the columns' places from a line that names them both.
func (c *columns) rename(fields []string) bool {
	place := func(name string) int {
		return slices.IndexFunc(fields, func(f string) bool { return strings.EqualFold(f, name) })
	}
	item, quantity := place("item"), place("quantity")
	if item < 0 || quantity < 0 {
		return false
	}
	*c = columns{item, quantity, len(fields)}
	return true
}

func (c columns) parse(fields []string) (item string, quantity int64, err error) {
	if len(fields) <= max(c.item, c.quantity) {
		return "", 0, fmt.Errorf("the line ends before column %d; want an item and its quantity", max(c.item, c.quantity)+1)
	}
	for _, more := range fields[min(c.number, len(fields)):] {
		if more != "" {
			return "", 0, fmt.Errorf("the line has %d columns, want %d; a number has no comma in it", len(fields), c.number)
		}
	}
	item = fields[c.item]
	if err := checkName("item", item); err != nil {
		return "", 0, err
	}
	quantity, err = strconv.ParseInt(fields[c.quantity], 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || quantity > ledger.MaxAmount:
		return "", 0, fmt.Errorf("quantity %.40s of item %q is out of range: the limit is %d", fields[c.quantity], item, int64(ledger.MaxAmount))
	case err != nil:
		return "", 0, fmt.Errorf("quantity %.40q of item %q is not a whole number", fields[c.quantity], item)
	case quantity < 0:
		return "", 0, fmt.Errorf("quantity %d of item %q is negative", quantity, item)
	}
	return item, quantity, nil
}
