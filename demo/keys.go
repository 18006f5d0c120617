package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// keys are the fields of a JSON object that mean something, with those of the
// objects within.
type keys map[string]keys

var orderKeys = keys{"order": nil, "customer": nil, "lines": {"item": nil, "quantity": nil, "price": nil}}

// check reads one value from d, which is known to be JSON, and refuses what
// encoding/json would take without a word: a field that is there twice, of which
// it takes the last, and one that is written in other letters.
func (k keys) check(d *json.Decoder) error {
	if k == nil {
		return d.Decode(new(json.RawMessage))
	}
	open, err := d.Token()
	if err != nil {
		return err
	}
	switch open {
	case json.Delim('['):
		for d.More() {
			if err := k.check(d); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		if err := k.checkObject(d); err != nil {
			return err
		}
	default:
		return nil // null
	}
	_, err = d.Token() // its end
	return err
}

func (k keys) checkObject(d *json.Decoder) error {
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key := fmt.Sprint(token)
		within, known := k[key]
		for _, name := range slices.Sorted(maps.Keys(k)) {
			if !known && strings.EqualFold(name, key) {
				return fmt.Errorf("field %q must be written %q", key, name)
			}
		}
		if known && seen[key] {
			return fmt.Errorf("field %q is there twice", key)
		}
		seen[key] = true
		if err := within.check(d); err != nil {
			return err
		}
	}
	return nil
}
