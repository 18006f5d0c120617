package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	for name, c := range map[string]struct{ in, out string }{
		"figures":   {`{"runs_made": 1234567, "lost": 0}`, "* runs made: 1,234,567\n* lost: 0\n"},
		"table":     {`[{"a": 1, "b": "x|y"}, {"a": 2}]`, "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n| 2 |  |\n"},
		"cases":     {`{"one": {"n": 1}, "two": {"n": 2}}`, "| case | n |\n| --- | --- |\n| one | 1 |\n| two | 2 |\n"},
		"lists":     {`{"n": 1, "all": [{"x": 1}]}`, "* n: 1\n\nall:\n\n| x |\n| --- |\n| 1 |\n"},
		"deep":      {`[{"n": 1, "all": [{"x": 1}]}]`, "* n: 1\n\nall:\n\n| x |\n| --- |\n| 1 |\n"},
		"no line":   {`[]`, "None.\n"},
		"fractions": {`{"share": 99.25}`, "* share: 99.25\n"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := parse([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := render(v); got != c.out {
				t.Errorf("got\n%s\nwant\n%s", got, c.out)
			}
		})
	}
}

func TestCoverage(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "coverage.out")
	text := "mode: set\n" +
		module + "/protocol/a.go:1.1,2.2 3 0\n" +
		module + "/protocol/a.go:1.1,2.2 3 1\n" + // the same block, by another binary
		module + "/protocol/a.go:3.1,4.2 1 0\n" +
		module + "/b.go:1.1,2.2 2 5\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := coverage(profile)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| dtc | 2 | 100.0 % |", "| protocol | 4 | 75.0 % |"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
}

// A proof whose figures are missing is not left out unseen.
func TestPageWantsAllFigures(t *testing.T) {
	var out strings.Builder
	if err := page(&out, t.TempDir(), ""); err == nil {
		t.Error("made a page of nothing")
	}
}
