package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// words is a state: the words added, in order.
type words []string

func (w *words) Replay(record []byte) error {
	if string(record) == "bad" {
		return errors.New("bad word")
	}
	*w = append(*w, string(record))
	return nil
}

func (w *words) Snapshot(add func([]byte)) {
	for _, word := range *w {
		add([]byte(word))
	}
}

const testFormat = "words 1"

func open(t *testing.T, path string, o Options) (*Log, *words) {
	t.Helper()
	w := new(words)
	o.Format = testFormat
	l, err := Open(path, w, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, w
}

func put(l *Log, w *words, more ...string) error {
	return l.Do(func(add func([]byte)) error {
		for _, word := range more {
			*w = append(*w, word)
			add([]byte(word))
		}
		return nil
	})
}

func mustPut(t *testing.T, l *Log, w *words, more ...string) {
	t.Helper()
	if err := put(l, w, more...); err != nil {
		t.Fatal(err)
	}
}

// reread opens the bytes as a file of their own.
func reread(t *testing.T, data []byte) (words, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	w := new(words)
	l, err := Open(path, w, Options{Format: testFormat})
	if err == nil {
		err = l.Close()
	}
	return *w, err
}

// threeFrames makes a file with a snapshot and two writes, and says where the
// last one begins.
func threeFrames(t *testing.T) (data []byte, last int) {
	path := filepath.Join(t.TempDir(), "log")
	l, w := open(t, path, Options{})
	mustPut(t, l, w, "one", "two")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, l, w, "three", "four")
	data, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data, len(before)
}

func TestKeepsWhatWasAdded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for range 3 {
		l, w := open(t, path, Options{})
		mustPut(t, l, w, "one", "")
		mustPut(t, l, w)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, w := open(t, path, Options{})
	if want := []string{"one", "", "one", "", "one", ""}; !slices.Equal(*w, want) {
		t.Errorf("got %q, want %q", *w, want)
	}
}

func TestTornTail(t *testing.T) {
	data, last := threeFrames(t)
	for cut := last; cut < len(data); cut++ {
		tails := map[string][]byte{
			"cut":    data[:cut],
			"zeroed": append(slices.Clone(data[:cut]), make([]byte, len(data)-cut)...),
		}
		for how, torn := range tails {
			got, err := reread(t, torn)
			if err != nil {
				t.Fatalf("%s at %d of %d: %v", how, cut, len(data), err)
			}
			if !slices.Equal(got, words{"one", "two"}) {
				t.Fatalf("%s at %d of %d: got %q", how, cut, len(data), got)
			}
		}
	}
}

func TestFlippedBytes(t *testing.T) {
	data, last := threeFrames(t)
	for at := range data {
		flipped := slices.Clone(data)
		flipped[at] ^= 0x40
		got, err := reread(t, flipped)
		switch {
		case at >= last: // not to be told from a torn tail
			if err != nil || !slices.Equal(got, words{"one", "two"}) {
				t.Fatalf("flipped at %d, in the last frame: %q, %v", at, got, err)
			}
		case at < formatSize:
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("flipped at %d, in the format: %v", at, err)
			}
		case !errors.Is(err, ErrCorrupt):
			t.Fatalf("flipped at %d of %d, not in the last frame: %q, %v", at, len(data), got, err)
		}
	}
}

// TestFrameInAnotherPlace: a frame counts only where it was written.
func TestFrameInAnotherPlace(t *testing.T) {
	data, last := threeFrames(t)
	got, err := reread(t, append(data, data[last:]...))
	if err != nil || !slices.Equal(got, words{"one", "two", "three", "four"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestShortFile(t *testing.T) {
	data, _ := threeFrames(t)
	for cut := range headerSize + prefixSize {
		if _, err := reread(t, data[:cut]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", cut, err)
		}
	}
}

func TestRecordThatDoesNotFit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, w := open(t, path, Options{})
	mustPut(t, l, w, "bad")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reread(t, data); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestOtherFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, _ := open(t, path, Options{})
	l.Close()
	if _, err := Open(path, new(words), Options{Format: "numbers 1"}); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(path+"2", new(words), Options{Format: "a name of 17 byte"}); !errors.Is(err, ErrFormat) {
		t.Errorf("a format that is too long gave %v", err)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, w := open(t, path, Options{Slack: 1})
	if err := os.Symlink(path, path+"-link"); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		mustPut(t, l, w, fmt.Sprint(i)) // the file is replaced meanwhile
		for _, p := range []string{path, path + "-link"} {
			if _, err := Open(p, new(words), Options{Format: testFormat}); !errors.Is(err, ErrLocked) {
				t.Fatalf("second Open: %v", err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if err := put(l, w, "late"); !errors.Is(err, ErrClosed) {
		t.Errorf("Do after Close: %v", err)
	}
	open(t, path, Options{})
}

// TestStaysBounded replaces one word many times.
func TestStaysBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	const slack = 1000
	l, w := open(t, path, Options{Slack: slack})
	for i := range 500 {
		err := l.Do(func(add func([]byte)) error {
			word := fmt.Sprint("word", i)
			*w = words{word}
			add([]byte(word))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > slack+200 {
			t.Fatalf("%d bytes after %d words", info.Size(), i+1)
		}
	}
	l.Close()
	if _, w := open(t, path, Options{}); (*w)[0] != "word499" && !slices.Contains(*w, "word499") {
		t.Errorf("got %q", *w)
	}
}

// TestConcurrent adds from many goroutines while the file is replaced again and
// again.
func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, w := open(t, path, Options{Slack: 64})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 25 {
				if err := put(l, w, fmt.Sprint(g, "-", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	l.Close()
	_, got := open(t, path, Options{})
	if len(*got) != 200 {
		t.Errorf("%d words, not 200", len(*got))
	}
	for g := range 8 {
		mine := slices.DeleteFunc(slices.Clone(*got), func(s string) bool {
			return !strings.HasPrefix(s, fmt.Sprint(g, "-"))
		})
		for i, word := range mine {
			if word != fmt.Sprint(g, "-", i) {
				t.Fatalf("out of order: %q", mine)
			}
		}
	}
}
