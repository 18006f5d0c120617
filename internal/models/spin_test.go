package models

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tools are what makes a checker of a model.
type tools struct{ spin, compiler string }

// findTools skips the test where a tool is missing.
func findTools(t *testing.T) tools {
	t.Helper()
	if testing.Short() {
		t.Skip("searching the models takes seconds; run without -short")
	}
	spin, err := exec.LookPath("spin")
	if err != nil {
		t.Skip("spin is not installed (the package of that name in Debian): the models are not searched")
	}
	compiler, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil {
		t.Skip("there is no C compiler, and spin needs one: the models are not searched")
	}
	return tools{spin, compiler}
}

// checker is the program that searches one model.
type checker struct{ file, program string }

// build makes one checker for a model and all of its mistakes: it takes the number
// of the mistake from its environment, as compiling it takes longer than many a
// search.
func (c tools) build(t *testing.T, file string) checker {
	t.Helper()
	dir := t.TempDir()
	model, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	given := `-Dgiven=({static int n=-1;if(n<0)n=atoi(getenv("MISTAKE"));n;})`
	command(t, dir, c.spin, "-DMISTAKE=c_expr{given}", "-a", model)
	command(t, dir, c.compiler, given, "-DNOREDUCE", "-DMEMLIM=1000", "-w", "-o", "pan", "pan.c")
	return checker{file, filepath.Join(dir, "pan")}
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// result is what a search says.
type result struct {
	output              string
	states, transitions int
	// broken is the promise that is not kept; empty where all are.
	broken string
	// complete: the search has left nothing out.
	complete bool
}

// run searches the model with a mistake; 0 is none.
func (c checker) run(t *testing.T, mistake int) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.program, "-a", "-m100000", "-w20")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "MISTAKE="+strconv.Itoa(mistake))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", c.file, err, out)
	}
	return parse(out)
}

// replay is how to see what a search has found.
func (c checker) replay(mistake int) string {
	return fmt.Sprintf("spin -DMISTAKE=%d -a %s && cc -DNOREDUCE -o pan pan.c && ./pan -a -m100000; spin -DMISTAKE=%d -t -p -g %[2]s",
		mistake, c.file, mistake)
}

var (
	violated    = regexp.MustCompile(`(?m)^pan:\d+: (?:assertion violated )?(.+?) \(at depth \d+\)`)
	states      = regexp.MustCompile(`(?m)^ *(\d+) states, stored`)
	transitions = regexp.MustCompile(`(?m)^ *(\d+) transitions`)
)

// parse reads the report of a search.
func parse(out []byte) result {
	r := result{output: string(out), states: number(states, out), transitions: number(transitions, out)}
	if m := violated.FindSubmatch(out); m != nil {
		r.broken = string(m[1])
	}
	r.complete = r.states > 0 && bytes.Contains(out, []byte("errors: 0")) && bytes.Contains(out, []byte("acceptance   cycles \t+"))
	for _, bad := range []string{"Search not completed", "max search depth too small", "out of memory", "MEMLIM", "truncat"} {
		r.complete = r.complete && !bytes.Contains(out, []byte(bad))
	}
	return r
}

// number is what the pattern finds.
func number(pattern *regexp.Regexp, out []byte) int {
	m := pattern.FindSubmatch(out)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}
