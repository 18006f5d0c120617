package names_test

import (
	"strings"
	"testing"

	"github.com/seed-d36415c0/dtc/participant/internal/names"
)

func TestFits(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "a": true, "Zürich/1 ☃": true, "a\n": false, "a\x7f": false, "a\u0085": false, "a\xff": false,
		strings.Repeat("x", names.Max): true, strings.Repeat("x", names.Max+1): false,
	} {
		if got := names.Fits(s); got != want {
			t.Errorf("%q: %t", s, got)
		}
	}
}
