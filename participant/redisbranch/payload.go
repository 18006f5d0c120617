package redisbranch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxWords is how many keys and arguments a [Call] has at most, taken together.
const MaxWords = 1000

// Call is what a branch's steps work on: their KEYS and ARGV.
type Call struct {
	// Keys are all the keys that a step touches. In a cluster each has the
	// participant's hash tag.
	Keys []string `json:"keys,omitempty"`
	// Args are what the step is to do with them.
	Args []string `json:"args,omitempty"`
}

// Encode returns the call as it is enlisted: a JSON document. It refuses words
// that are not UTF-8, which JSON would change, and too many of them, with a
// [*PayloadError].
func (c Call) Encode() ([]byte, error) {
	for _, word := range slices.Concat(c.Keys, c.Args) {
		if !utf8.ValidString(word) {
			return nil, &PayloadError{"a key or argument is not UTF-8: encode it"}
		}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

func (c Call) check() error {
	if n := len(c.Keys) + len(c.Args); n > MaxWords {
		return &PayloadError{fmt.Sprintf("%d keys and arguments, the limit is %d", n, MaxWords)}
	}
	return nil
}

// decode reads a payload strictly. Without one, the steps get no keys and no
// arguments.
func decode(payload []byte) (Call, error) {
	var c Call
	if len(payload) == 0 {
		return c, nil
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, &PayloadError{"it is not the encoding of a Call"} // what JSON found may quote it
	}
	if _, err := d.Token(); err != io.EOF {
		return c, &PayloadError{"something follows the document"}
	}
	return c, c.check()
}

// hashTag is the part of a key that decides its slot in a cluster; empty where it
// has none in braces.
func hashTag(key string) string {
	_, rest, ok := strings.Cut(key, "{")
	tag, _, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return ""
	}
	return tag
}
