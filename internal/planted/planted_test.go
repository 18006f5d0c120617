package planted

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/internal/proof"
)

var plant = flag.Bool("plant", false, "plant the bugs, and run the tests that are to find them")

// bug is a mistake somebody could make.
type bug struct {
	name  string
	edits []edit
	by    check
}

// edit replaces words of a file that occur in it exactly once.
type edit struct{ file, old, new string }

// check is the tests that are to find a bug.
type check struct {
	name string // what kind of test it is
	pkg  string
	run  string // which of its tests
	with []string
}

// The module's root, seen from here.
const root = "../.."

// bugs are all there are. Each file of this package adds its own.
var bugs []bug

// TestFit fails where an edit does not fit the source any more.
func TestFit(t *testing.T) {
	names := make(map[string]bool)
	for _, b := range bugs {
		if names[b.name] {
			t.Errorf("two bugs are called %q", b.name)
		}
		names[b.name] = true
		if _, err := b.apply(); err != nil {
			t.Errorf("%s: %v", b.name, err)
		}
	}
}

// apply returns the files with the bug in them.
func (b bug) apply() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, e := range b.edits {
		text, ok := files[e.file]
		if !ok {
			var err error
			if text, err = os.ReadFile(filepath.Join(root, e.file)); err != nil {
				return nil, err
			}
		}
		if n := bytes.Count(text, []byte(e.old)); n != 1 {
			return nil, fmt.Errorf("%s: found %d times, not once:\n%s", e.file, n, e.old)
		}
		files[e.file] = bytes.Replace(text, []byte(e.old), []byte(e.new), 1)
	}
	return files, nil
}

// overlay writes the files, and what tells the compiler to take them.
func (b bug) overlay(dir string) (string, error) {
	files, err := b.apply()
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for i, name := range slices.Sorted(maps.Keys(files)) {
		original, err := filepath.Abs(filepath.Join(root, name))
		if err != nil {
			return "", err
		}
		replace[original] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(replace[original], files[name], 0o644); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, text, 0o644)
}

// found is a line of the table.
type found struct {
	Bug  string `json:"bug"`
	By   string `json:"found by"`
	Says string `json:"which says"`
}

// TestPlanted plants each bug, and fails when the tests pass all the same.
func TestPlanted(t *testing.T) {
	if !*plant && !proof.Wanted() {
		t.Skip("takes minutes: say -plant")
	}
	var mu sync.Mutex
	var table []found
	ahead := make(chan struct{}, runtime.GOMAXPROCS(0))
	t.Run("each", func(t *testing.T) {
		for _, b := range bugs {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				ahead <- struct{}{}
				defer func() { <-ahead }()
				says := b.find(t)
				mu.Lock()
				defer mu.Unlock()
				table = append(table, found{b.name, b.by.name, says})
			})
		}
	})
	slices.SortFunc(table, func(a, b found) int { return strings.Compare(a.Bug, b.Bug) })
	proof.Note(t, "planted", table)
}

// tooLong is how long the tests may take with a bug in the code: one that has them
// hang is found as well.
const tooLong = 90 * time.Second

// find runs the tests with the bug in the code, and returns what they say.
func (b bug) find(t *testing.T) string {
	overlay, err := b.overlay(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*tooLong)
	defer cancel()
	args := []string{"test", "-overlay", overlay, "-vet=off", "-count=1", "-failfast",
		"-timeout", tooLong.String(), "-run", b.by.run, b.by.pkg}
	args = append(args, b.by.with...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	// A figure of a build with a bug in it is none.
	cmd.Env = append(os.Environ(), proof.DirVariable+"=")
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	switch {
	case err == nil:
		t.Errorf("survives: %s", strings.Join(cmd.Args, " "))
		return ""
	case !errors.As(err, &failed), bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		t.Fatalf("%v:\n%s", err, out)
	}
	return said(string(out))
}

var place = regexp.MustCompile(`(?m)^\s+\w+_test\.go:\d+:\s+(\S.*)$`)

// said is the first thing that a failing test said.
func said(out string) string {
	line := "it did not end by itself"
	if m := place.FindStringSubmatch(out); m != nil {
		line = m[1]
	} else if _, after, ok := strings.Cut(out, "panic: "); ok {
		line, _, _ = strings.Cut("panic: "+after, "\n")
	}
	const most = 160
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + " …"
	}
	return line
}
