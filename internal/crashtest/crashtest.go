// Package crashtest ends a process that works on files with kill -9 at a moment
// that nobody chose, and lets a test look at what is left.
package crashtest

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
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
		pipe := os.NewFile(3, "acknowledgements")
		err := work(dir, func(line string) {
			if _, err := pipe.WriteString(line + "\n"); err != nil {
				os.Exit(1) // the parent is gone
			}
		})
		fmt.Fprintln(os.Stderr, "the child ended by itself:", err)
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
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), dirVariable+"="+dir)
	child.ExtraFiles = []*os.File{write}
	var said strings.Builder
	child.Stdout, child.Stderr = &said, &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()

	var lines []string
	for in := bufio.NewReader(read); ; {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break // a line that was cut off was not acknowledged
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
		if len(lines) == enough {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || len(lines) < enough {
		t.Fatalf("the child was not killed but ended (%v) after %d lines:\n%s", err, len(lines), &said)
	}
	return lines
}
