package house_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// local is the name by which the file knows the package; empty where it does not
// import it.
func (s *source) local(importPath string) string {
	for _, spec := range s.syntax.Imports {
		if p, _ := strconv.Unquote(spec.Path.Value); p != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

// selected is the name that the node takes from the package known as local;
// empty where the node takes none.
func selected(node ast.Node, local string) string {
	selector, ok := node.(*ast.SelectorExpr)
	if !ok || local == "" {
		return ""
	}
	if x, ok := selector.X.(*ast.Ident); !ok || x.Name != local {
		return ""
	}
	return selector.Sel.Name
}

// noSleep: a test waits for what it wants to see, not for time to pass. Inside a
// synctest bubble time is virtual, and sleeping is exact; a helper in a file that
// uses bubbles is trusted to be called from one.
func noSleep(s *source, report reporter) {
	if !s.test() {
		return
	}
	clock, bubbles := s.local("time"), s.local("testing/synctest")
	for _, decl := range s.syntax.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && bubbles != "" && !runByGoTest(f) {
			continue
		}
		ast.Inspect(decl, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok && selected(call.Fun, bubbles) == "Test" {
				return false
			}
			if selected(node, clock) == "Sleep" {
				report(node, "a test sleeps: wait for a signal, poll a condition, or use testing/synctest")
			}
			return true
		})
	}
}

// runByGoTest tells whether go test calls the function.
func runByGoTest(f *ast.FuncDecl) bool {
	return f.Recv == nil && slices.ContainsFunc([]string{"Test", "Benchmark", "Fuzz", "Example"}, func(prefix string) bool {
		rest, ok := strings.CutPrefix(f.Name.Name, prefix)
		first, _ := utf8.DecodeRuneInString(rest)
		return ok && !unicode.IsLower(first)
	})
}

// loud is what a library must not do to the program that it is part of.
var loud = map[string]*regexp.Regexp{
	"fmt": regexp.MustCompile(`^Print`),
	"log": regexp.MustCompile(`^(Print|Fatal|Panic)`),
	"os":  regexp.MustCompile(`^Exit$`),
}

// quiet: a library returns errors and logs to the logger it is given; it neither
// prints nor ends the program.
func quiet(s *source, report reporter) {
	if !s.library() || slices.Contains(strings.Split(s.dir(), "/"), "crashtest") {
		return // what runs a test in a process of its own must end that
	}
	for pkg, names := range loud {
		local := s.local(pkg)
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			if name := selected(node, local); names.MatchString(name) {
				report(node, "a library calls %s.%s: return an error, or log to the logger it is given", pkg, name)
			}
			return true
		})
	}
	ast.Inspect(s.syntax, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
				report(node, "a library calls %s: return an error, or log to the logger it is given", f.Name)
			}
		}
		return true
	})
}

// formatted: gofmt has nothing to change.
func formatted(s *source, report reporter) {
	if want, err := format.Source(s.text); err != nil || !bytes.Equal(want, s.text) {
		report(s.syntax, "not formatted; run: gofmt -w %s", s.path)
	}
}

// short: a file is one idea, and a function fits on a screen.
func short(s *source, report reporter) { size(s, 500, 80, report) }

// shorter is what to aim for.
func shorter(s *source, report reporter) { size(s, 300, 60, report) }

// size reports a file and functions of more lines than given.
func size(s *source, file, function int, report reporter) {
	if s.generated() {
		return
	}
	if n := bytes.Count(s.text, []byte("\n")); n > file {
		report(s.syntax, "the file has %d lines, more than %d", n, file)
	}
	for _, decl := range s.syntax.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := s.line(f.End()) - s.line(f.Pos()) + 1; n > function {
			report(f, "%s has %d lines, more than %d", f.Name.Name, n, function)
		}
	}
}

func (s *source) line(pos token.Pos) int { return s.lines.Position(pos).Line }

// forbidden is what no file says. It is put together here so that this file does
// not say it either.
var forbidden = []struct {
	text *regexp.Regexp
	why  string
}{
	{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`), "do it, or write it down as an open point in docs/"},
	{regexp.MustCompile(`(^|[^\w./-])/(work|home|root|Users|tmp)/`), "the path is that of one machine"},
}

// clean: nothing in the tree is unfinished, or true on one machine only.
func clean(name string, text []byte) []string {
	if bytes.IndexByte(text, 0) >= 0 {
		return nil // not text
	}
	var all []string
	number := 0
	for line := range bytes.Lines(text) {
		number++
		for _, f := range forbidden {
			if found := f.text.Find(line); found != nil {
				all = append(all, fmt.Sprintf("%s:%d: %q: %s", name, number, found, f.why))
			}
		}
	}
	return all
}

// untidy reads the answer of go mod tidy -diff.
func untidy(stdout, stderr string, err error) (finding string, offline bool) {
	noNetwork := regexp.MustCompile(`dial tcp|no such host|proxyconnect|module lookup disabled|connection refused`)
	switch {
	case err == nil:
		return "", false
	case stdout != "":
		diff, _, _ := strings.Cut(stdout, "diff current/go.sum") // long, and nothing for people
		return "go.mod or go.sum is not tidy; run: go mod tidy\n" + diff, false
	case noNetwork.MatchString(stderr):
		return "", true
	default:
		return fmt.Sprintf("go mod tidy: %v\n%s", err, stderr), false
	}
}
