package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// Limits of what a ledger takes.
const (
	// MaxAmount is the greatest balance, and the greatest delta in either
	// direction: every JSON reader keeps such numbers exact.
	MaxAmount = 1 << 53
	// MaxEntries is how many entries a branch has at most.
	MaxEntries = 256
	// MaxName is how many bytes the name of an account has at most.
	MaxName = 128
)

// Entry adds Delta to an account, or takes it away where it is negative.
type Entry struct {
	Account string `json:"account"`
	Delta   int64  `json:"delta"`
}

// Payload is what a branch of a ledger is to do.
type Payload struct {
	// Entries are at most [MaxEntries]; several may name the same account, and
	// are taken together.
	Entries []Entry `json:"entries"`
	// Memo is the application's own; the ledger keeps it with the prepared
	// branch.
	Memo string `json:"memo,omitempty"`
}

// Encode returns the payload as it is enlisted.
func (p Payload) Encode() []byte {
	if p.Entries == nil {
		p.Entries = []Entry{}
	}
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return data
}

// Decode reads a payload as a ledger does: strictly, with the entries of each
// account summed up. What is no payload is refused with [*PayloadError].
func Decode(data []byte) (Payload, error) {
	var p Payload
	if len(data) == 0 {
		return p, &PayloadError{Reason: "there is none"}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, &PayloadError{Reason: err.Error()}
	}
	if _, err := d.Token(); err != io.EOF {
		return p, &PayloadError{Reason: "something follows the document"}
	}
	if p.Entries == nil {
		return p, &PayloadError{Reason: `no "entries"; an empty list is a read-only vote`}
	}
	if len(p.Entries) > MaxEntries {
		return p, &PayloadError{Reason: fmt.Sprintf("%d entries, the limit is %d", len(p.Entries), MaxEntries)}
	}
	for _, e := range p.Entries {
		if e.Delta > MaxAmount || e.Delta < -MaxAmount {
			return p, &PayloadError{Reason: fmt.Sprintf("delta %d of account %q, the limit is %d", e.Delta, e.Account, int64(MaxAmount))}
		}
	}
	p.Entries = perAccount(p.Entries)
	return p, nil
}

// perAccount sums up entries, one for each account, in the order in which the
// accounts first come. The limits keep every sum within an int64.
func perAccount(entries []Entry) []Entry {
	sums := make([]Entry, 0, len(entries))
	place := make(map[string]int, len(entries))
	for _, e := range entries {
		i, ok := place[e.Account]
		if !ok {
			i = len(sums)
			place[e.Account] = i
			sums = append(sums, Entry{Account: e.Account})
		}
		sums[i].Delta += e.Delta
	}
	return sums
}

// checkAccount says whether Seed may create the account.
func checkAccount(name string, a Account) error {
	reason := ""
	switch {
	case name == "" || len(name) > MaxName:
		reason = fmt.Sprintf("the name has %d bytes, it must have 1 to %d", len(name), MaxName)
	case !utf8.ValidString(name) || bytes.ContainsFunc([]byte(name), unicode.IsControl):
		reason = "the name must be UTF-8 without control characters"
	case a.Balance > MaxAmount || a.Floor < -MaxAmount:
		reason = fmt.Sprintf("balance %d, floor %d: the limit is %d either way", a.Balance, a.Floor, int64(MaxAmount))
	case a.Balance < a.Floor:
		reason = fmt.Sprintf("balance %d is below floor %d", a.Balance, a.Floor)
	default:
		return nil
	}
	return &AccountError{Account: name, Reason: reason}
}
