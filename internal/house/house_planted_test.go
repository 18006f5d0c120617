package house_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// planted are files that break a rule, and close relatives that do not.
var planted = []struct {
	rule, path, text string
	want             string // part of the one finding; empty where there is none
}{
	{"imports", "protocol/x.go", `import "time"`, `protocol/x.go:2: imports time, but the protocol is pure`},
	{"imports", "protocol/x.go", `import "github.com/google/uuid"`, "but the protocol is pure"},
	{"imports", "protocol/x.go", `import "fmt"; import "math/bits"`, ""},
	{"imports", "protocol/x_test.go", `import "time"`, ""},
	{"imports", "journal/x.go", `import "github.com/seed-d36415c0/dtc/messages"`, "a journal knows no actor"},
	{"imports", "journal/x.go", `import "github.com/asynkron/protoactor-go/actor"`, "a journal knows no actor"},
	{"imports", "journal/x.go", `import "time"; import "github.com/google/uuid"`, ""},
	{"imports", "journal/pebble/x.go", `import "github.com/cockroachdb/pebble/v2/vfs"; import "github.com/seed-d36415c0/dtc/journal"`, ""},
	{"imports", "journal/pebble/x.go", `import "go.etcd.io/bbolt"`, "a journal knows no actor"},
	{"imports", "journal/etcd/x.go", `import "go.etcd.io/etcd/client/v3"`, ""},
	{"imports", "journal/etcd/x.go", `import "github.com/seed-d36415c0/dtc/participant"`, "a journal knows no actor"},
	{"imports", "participant/x.go", `import "github.com/asynkron/protoactor-go/actor"; var x *actor.PID`, ""},
	{"imports", "participant/x.go", `import "github.com/asynkron/protoactor-go/actor"; var x actor.Context`, "uses actor.Context"},
	{"imports", "messages/x.go", `import a "github.com/asynkron/protoactor-go/actor"; var x a.Context`, "uses actor.Context"},
	{"imports", "messages/x.go", `import . "github.com/asynkron/protoactor-go/actor"`, `as "."`},
	{"imports", "messages/x.go", `import "github.com/asynkron/protoactor-go/remote"`, "imports github.com/asynkron/protoactor-go/remote"},
	{"imports", "participant/sql/x.go", `import "github.com/jackc/pgx/v5"; import "github.com/seed-d36415c0/dtc/participant"`, ""},
	{"imports", "participant/sql/x.go", `import "github.com/seed-d36415c0/dtc/supervisor"`, "participants know no coordinator"},
	{"imports", "participant/sql/x.go", `import "github.com/seed-d36415c0/dtc"`, "participants know no coordinator"},
	{"imports", "actors/x.go", `import "github.com/seed-d36415c0/dtc/protocol"`, ""},
	{"imports", "actors/x.go", `import "github.com/seed-d36415c0/dtc/supervisor"`, "below the supervisor"},
	{"imports", "supervisor/x.go", `import "github.com/seed-d36415c0/dtc/actors"`, ""},
	{"imports", "supervisor/x.go", `import "github.com/seed-d36415c0/dtc"`, "below the façade"},
	{"imports", "x.go", `import "github.com/seed-d36415c0/dtc/supervisor"`, ""},
	{"imports", "x.go", `import "github.com/seed-d36415c0/dtc/journal/pebble"`, "no journal but the one in memory"},
	{"imports", "x.go", `import "github.com/seed-d36415c0/dtc/demo"`, "below the commands"},
	{"imports", "demo/x.go", `import "github.com/seed-d36415c0/dtc"; import "github.com/seed-d36415c0/dtc/demo/shop"`, ""},
	{"imports", "demo/x.go", `import "github.com/asynkron/protoactor-go/actor"`, ""},
	{"imports", "demo/x.go", `import "github.com/seed-d36415c0/dtc/actors"`, "what any user can do"},
	{"imports", "cmd/dtc/x.go", `import "github.com/seed-d36415c0/dtc/console"`, ""},
	{"imports", "cmd/dtc/x.go", `import "github.com/seed-d36415c0/dtc/bench"`, "through the façade"},
	{"imports", "console/x.go", `import "github.com/seed-d36415c0/dtc/supervisor"`, "through the façade"},
	{"imports", "bench/x.go", `import "github.com/seed-d36415c0/dtc/protocol"`, ""},
	{"imports", "bench/x.go", `import "github.com/seed-d36415c0/dtc/demo"`, "nothing that stands on it"},
	{"imports", "util/x.go", ``, "package util has no place in the layout"},

	{"sleep", "x_test.go", `import "time"; func TestX() { time.Sleep(1) }`, "x_test.go:2: a test sleeps"},
	{"sleep", "x_test.go", `import clock "time"; func helper() { f(clock.Sleep) }`, "a test sleeps"},
	{"sleep", "x_test.go", `import "time"; import "testing/synctest"; func TestX() { time.Sleep(1) }`, "a test sleeps"},
	{"sleep", "x_test.go", `import "time"; import "testing/synctest"; func TestX() { synctest.Test(t, func() { time.Sleep(1) }) }`, ""},
	{"sleep", "x_test.go", `import "time"; import "testing/synctest"; func helper() { time.Sleep(1) }`, ""},
	{"sleep", "x.go", `import "time"; func F() { time.Sleep(1) }`, ""},

	{"quiet", "x.go", `import "fmt"; func F() { fmt.Println() }`, "a library calls fmt.Println"},
	{"quiet", "x.go", `import "log"; func F() { log.Fatalf("") }`, "a library calls log.Fatalf"},
	{"quiet", "x.go", `import "os"; func F() { os.Exit(1) }`, "a library calls os.Exit"},
	{"quiet", "x.go", `func F() { println() }`, "a library calls println"},
	{"quiet", "x.go", `import "fmt"; func F() { fmt.Sprint(); fmt.Fprintln(w) }`, ""},
	{"quiet", "x_test.go", `import "fmt"; func F() { fmt.Println() }`, ""},

	{"documented", "x.go", `func F() {}`, "F has no comment"},
	{"documented", "x.go", "// This is F.\nfunc F() {}", "begins with another word"},
	{"documented", "x.go", "// For is not F.\nfunc F() {}", "begins with another word"},
	{"documented", "x.go", "// F is.\nfunc F() {}", ""},
	{"documented", "x.go", `func f() {}`, ""},
	{"documented", "x_test.go", `func F() {}`, ""},
	{"documented", "x.go", `func (T) M() {}`, "M has no comment"},
	{"documented", "x.go", `func (t *T[A, B]) M() {}`, "M has no comment"},
	{"documented", "x.go", `func (t) M() {}`, ""},
	{"documented", "x.go", `func (T) String() string { return "" }`, ""},
	{"documented", "x.go", `type T int`, "T has no comment"},
	{"documented", "x.go", "type (\n\tT int\n)", "T has no comment"},
	{"documented", "x.go", "// A T is.\ntype T struct{ F int }", ""},
	{"documented", "x.go", "// XConfig is.\ntype XConfig struct{ F int }", "XConfig.F has no comment"},
	{"documented", "x.go", "// XError says F.\ntype XError struct{ F int }", ""},
	{"documented", "x.go", "// I is.\ntype I interface { M(); N() // N does.\n}", "I.M has no comment"},
	{"documented", "x.go", "// I is.\ntype I interface{ M() }", ""},
	{"documented", "x.go", `var V int`, "V has no comment"},
	{"documented", "x.go", "const (\n\tC = 1\n)", "C has no comment, and neither has its group"},
	{"documented", "x.go", "// Of X.\nconst (\n\tC = 1\n)", ""},
	{"documented", "x.go", "const (\n\tC = 1 // of X\n)", ""},

	{"formatted", "x.go", "var  x int\n", "not formatted; run: gofmt -w x.go"},
	{"formatted", "x.go", "\nvar x int\n", ""},

	{"short", "x.go", "func f() {" + strings.Repeat("\n", 80) + "}", "f has 81 lines, more than 80"},
	{"short", "x.go", "func f() {" + strings.Repeat("\n", 79) + "}", ""},
	{"short", "x.go", strings.Repeat("\n", 500), "the file has 501 lines, more than 500"},
	{"short", "x.go", strings.Repeat("\n", 499), ""},
}

func TestHouse_Planted(t *testing.T) {
	for _, p := range planted {
		got := check(t, p.rule, p.path, "package x\n"+p.text)
		switch {
		case p.want == "" && len(got) != 0:
			t.Errorf("%s: %s: %.80q: nothing is wrong, found %q", p.rule, p.path, p.text, got)
		case p.want != "" && (len(got) != 1 || !strings.Contains(got[0], p.want)):
			t.Errorf("%s: %s: %.80q: found %q, want %q", p.rule, p.path, p.text, got, p.want)
		}
	}
}

// Rules for libraries leave commands alone, and rules for people leave machines
// alone.
func TestHouse_PlantedWhereNoRuleIs(t *testing.T) {
	const generated = "// Code generated by hand. DO NOT EDIT.\n\npackage x\n"
	for _, p := range []struct{ rule, path, text string }{
		{"quiet", "cmd/x/main.go", "package main\nimport \"os\"; func main() { os.Exit(1) }"},
		{"documented", "cmd/x/main.go", "package main\nfunc F() {}"},
		{"documented", "x.go", generated + "func F() {}"},
		{"short", "x.go", generated + strings.Repeat("\n", 999)},
	} {
		if got := check(t, p.rule, p.path, p.text); len(got) != 0 {
			t.Errorf("%s: %s: nothing is wrong, found %q", p.rule, p.path, got)
		}
	}
}

// Every rule has been seen to fail.
func TestHouse_PlantedForEveryRule(t *testing.T) {
	for _, r := range goRules {
		fails := false
		for _, p := range planted {
			fails = fails || p.rule == r.name && p.want != ""
		}
		if !fails {
			t.Errorf("nothing is planted that breaks %q", r.name)
		}
	}
}

// check returns what the named rule finds in the text.
func check(t *testing.T, rule, name, text string) []string {
	t.Helper()
	s, err := parse(name, []byte(text))
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	for _, r := range goRules {
		if r.name == rule {
			return s.findings(r.check)
		}
	}
	t.Fatalf("no rule %q", rule)
	return nil
}

func TestHouse_PlantedPackage(t *testing.T) {
	for text, want := range map[string]int{
		"package x":                         1,
		"// About x.\npackage x":            1,
		"// Package y is.\npackage x":       1,
		"// Package x is.\npackage x":       0,
		"package main":                      1,
		"// Command x does.\npackage main":  0,
		"// Package x is.\n\npackage x":     1,
		"// Package xy is.\n//\npackage xy": 0,
	} {
		s, err := parse("x/x.go", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := unexplained([]*source{s}); len(got) != want {
			t.Errorf("%q: found %q, want %d", text, got, want)
		}
	}
}

func TestHouse_PlantedText(t *testing.T) {
	for text, want := range map[string]int{
		"// TO" + "DO: later":                1,
		"context.TO" + "DO()":                1,
		"see FIX" + "ME and TO" + "DO":       1,
		"a\nopen /ro" + "ot/x\n/ho" + "me/y": 2,
		`dir = "/wo` + `rk/main"`:            1,
		"https://example.com/home/x":         0,
		"./work/x and journal/tmp/y":         0,
		"TODOS are fine":                     0,
		"binary \x00 /ro" + "ot/x":           0,
	} {
		if got := clean("x.md", []byte(text)); len(got) != want {
			t.Errorf("%q: found %q, want %d", text, got, want)
		}
	}
}

func TestHouse_PlantedTidy(t *testing.T) {
	failed := errors.New("exit status 1")
	for _, c := range []struct {
		stdout, stderr string
		err            error
		finding        string
		offline        bool
	}{
		{"", "go: downloading x", nil, "", false},
		{"diff current/go.mod tidy/go.mod", "", failed, "run: go mod tidy", false},
		{"", "dial tcp: lookup example.com: no such host", failed, "", true},
		{"", "go: errors parsing go.mod", failed, "errors parsing go.mod", false},
	} {
		finding, offline := untidy(c.stdout, c.stderr, c.err)
		if offline != c.offline || (finding == "") != (c.finding == "") || !strings.Contains(finding, c.finding) {
			t.Errorf("%q %q: found %q, offline %v", c.stdout, c.stderr, finding, offline)
		}
	}
}

// The two checkers that are programs find what they are there for.
func TestHouse_PlantedTools(t *testing.T) {
	if testing.Short() {
		t.Skip("the checkers take their time; run without -short")
	}
	file := filepath.Join(t.TempDir(), "x.go")
	text := "package x\n\nimport \"fmt\"\n\nvar _ = fmt.Sprintf(\"%d\", \"no number\")\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"go", "vet"}, {"go", "tool", "staticcheck"}} {
		stdout, stderr, err := run(slices.Concat(command, []string{file})...)
		if err == nil || !strings.Contains(stdout+stderr, "x.go:5") {
			t.Errorf("%s: found nothing: %v\n%s%s", strings.Join(command, " "), err, stdout, stderr)
		}
	}
}

func TestHouse_Walk(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a.go", "b/c.md", ".git/config", "bin/dtc", "x.test", "other/go.mod", "other/d.go", ".ci/run"} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err := walk(root, func(name string) error {
		relative, err := filepath.Rel(root, name)
		got = append(got, filepath.ToSlash(relative))
		return err
	})
	if want := []string{".ci/run", "a.go", "b/c.md"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
