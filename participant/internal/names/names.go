// Package names says what can be the name of a participant, as package participant
// has it.
package names

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Max is how many bytes a name has at most.
const Max = 128

// Fits tells whether a participant can have the name: 1 to Max bytes of UTF-8
// without control characters.
func Fits(s string) bool {
	return s != "" && len(s) <= Max && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
