package house_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The rules of the house, over every file of the module. house_rules_test.go and
// imports_test.go hold the rules, house_planted_test.go proves that each of them
// can fail.

// goRules are checked on every Go file.
var goRules = []struct {
	name  string
	check rule
}{
	{"imports", arrows},
	{"sleep", noSleep},
	{"quiet", quiet},
	{"documented", documented},
	{"formatted", formatted},
	{"short", short},
}

func TestHouse_GoFiles(t *testing.T) {
	sources := goFiles(t)
	for _, r := range goRules {
		t.Run(r.name, func(t *testing.T) {
			for _, s := range sources {
				for _, finding := range s.findings(r.check) {
					t.Error(finding)
				}
			}
		})
	}
	for _, s := range sources {
		for _, finding := range s.findings(shorter) {
			t.Log("advice:", finding)
		}
	}
}

func TestHouse_Packages(t *testing.T) {
	for _, finding := range unexplained(goFiles(t)) {
		t.Error(finding)
	}
}

func TestHouse_EveryFile(t *testing.T) {
	err := walk(".", func(name string) error {
		text, err := os.ReadFile(name)
		for _, finding := range clean(name, text) {
			t.Error(finding)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestHouse_Vet(t *testing.T) {
	passes(t, "go", "vet", "./...")
}

func TestHouse_Staticcheck(t *testing.T) {
	passes(t, "go", "tool", "staticcheck", "./...")
}

func TestHouse_Tidy(t *testing.T) {
	if testing.Short() {
		t.Skip("go mod tidy takes its time; run without -short")
	}
	stdout, stderr, err := run("go", "mod", "tidy", "-diff")
	finding, offline := untidy(stdout, stderr, err)
	if offline {
		t.Skip("go mod tidy needs modules that are not here, and there is no network")
	}
	if finding != "" {
		t.Error(finding)
	}
}

// passes fails the test when the command finds something.
func passes(t *testing.T, command ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip(strings.Join(command, " "), "takes its time; run without -short")
	}
	if stdout, stderr, err := run(command...); err != nil {
		t.Errorf("%s: %v\n%s%s", strings.Join(command, " "), err, stdout, stderr)
	}
}

// run returns what the command said.
func run(command ...string) (stdout, stderr string, err error) {
	var out, diagnostics bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err = cmd.Run()
	return out.String(), diagnostics.String(), err
}

// rule reports what is wrong with a Go file.
type rule func(s *source, report reporter)

type reporter func(at ast.Node, format string, args ...any)

// source is one Go file of the module.
type source struct {
	path   string // from the module root, with slashes
	text   []byte
	lines  *token.FileSet
	syntax *ast.File
}

func parse(name string, text []byte) (*source, error) {
	lines := token.NewFileSet()
	syntax, err := parser.ParseFile(lines, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return &source{path: filepath.ToSlash(name), text: text, lines: lines, syntax: syntax}, err
}

// findings are what the rule reports, each with its place.
func (s *source) findings(check rule) []string {
	var all []string
	check(s, func(at ast.Node, format string, args ...any) {
		place := fmt.Sprintf("%s:%d: ", s.path, s.lines.Position(at.Pos()).Line)
		all = append(all, place+fmt.Sprintf(format, args...))
	})
	return all
}

// dir is the package's folder; "." for the module root.
func (s *source) dir() string { return path.Dir(s.path) }

func (s *source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// library tells whether other packages can import the file.
func (s *source) library() bool { return !s.test() && s.syntax.Name.Name != "main" }

func (s *source) generated() bool { return ast.IsGenerated(s.syntax) }

// goFiles reads the module's Go files.
func goFiles(t *testing.T) []*source {
	t.Helper()
	var all []*source
	err := walk(".", func(name string) error {
		if filepath.Ext(name) != ".go" || slices.Contains(strings.Split(filepath.ToSlash(name), "/"), "testdata") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		s, err := parse(name, text)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// walk visits the module's files. It leaves out what git keeps for itself, what
// .gitignore names, and modules within the module.
func walk(root string, visit func(name string) error) error {
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed while we walk
			return nil
		case err != nil:
			return err
		case entry.IsDir() && name != root && (entry.Name() == ".git" || entry.Name() == "bin" || exists(filepath.Join(name, "go.mod"))):
			return filepath.SkipDir
		case entry.Type().IsRegular() && !ignored(name):
			return visit(name)
		}
		return nil
	})
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func ignored(name string) bool {
	return slices.Contains([]string{".test", ".prof", ".out"}, filepath.Ext(name))
}
