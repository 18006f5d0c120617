// Package crashtest ends a process that works on files with kill -9 at a moment
// that nobody chose, and lets a test look at what is left.
package crashtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// dirVariable tells a child process that it is one, and where to work.
const dirVariable = "DTC_CRASHTEST_DIR"

// Run starts the test binary as a child, lets it work until it has acknowledged
// some things, kills it and calls verify; and so on, in the same directory.
//
// In the child, work does its work in dir until it is killed and calls ack, from
// any goroutine, with one line for each thing that must not be lost from then
// on. In the parent, verify gets all lines acknowledged so far.
func Run(t *testing.T, rounds int, work func(dir string, ack func(line string)) error, verify func(dir string, acked []string)) {
	if dir := os.Getenv(dirVariable); dir != "" {
		fmt.Fprintln(os.Stderr, "the child ended by itself:", work(dir, Tell))
		os.Exit(1)
	}
	dir := t.TempDir()
	var acked []string
	for range rounds {
		acked = append(acked, round(t, dir, 50+rand.IntN(400))...)
		verify(dir, acked)
	}
}

// round runs one child, kills it after so many lines, and returns all its lines.
func round(t *testing.T, dir string, enough int) []string {
	t.Helper()
	child, err := Start(t.Name(), dirVariable+"="+dir)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range child.Lines() {
		lines = append(lines, line)
		if len(lines) == enough {
			if err := child.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(lines) < enough {
		t.Fatalf("the child was killed after %d lines, before %d", len(lines), enough)
	}
	return lines
}
