package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// width is what fits every terminal.
const width = 79

// screen is where progress is shown. On a terminal it is two lines at the bottom
// that are painted over; elsewhere it is one plain line each time.
type screen struct {
	mu      sync.Mutex
	out     io.Writer
	live    bool
	painted bool
	failed  error // the first write that failed
}

func newScreen(out io.Writer) *screen { return &screen{out: out, live: terminal(out)} }

// terminal tells whether out is a terminal that can be painted on.
func terminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// show shows progress in place of what was shown before.
func (s *screen) show(first, second string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		if second != "" {
			first += ", " + second
		}
		s.print(first + "\n")
		return
	}
	s.erase()
	s.print(fitting(first) + "\n" + fitting(second) + "\r")
	s.painted = true
}

func fitting(text string) string {
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return text
}

// erase leaves the cursor where progress began.
func (s *screen) erase() {
	if s.painted {
		s.print("\r\x1b[K\x1b[1A\r\x1b[K")
	}
	s.painted = false
}

// clear takes progress away.
func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
}

// say prints a line for good.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.print(strings.TrimRight(fmt.Sprintf(format, args...), "\n") + "\n")
}

// print remembers where something could not be written.
func (s *screen) print(text string) {
	if _, err := io.WriteString(s.out, text); err != nil && s.failed == nil {
		s.failed = fmt.Errorf("cannot write what there is to say: %w", err)
	}
}

// err tells whether somebody may not have seen what was shown.
func (s *screen) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// beside returns a writer to w that does not write into the progress.
func (s *screen) beside(w io.Writer) io.Writer { return beside{s, w} }

type beside struct {
	screen *screen
	to     io.Writer
}

func (b beside) Write(p []byte) (int, error) {
	b.screen.mu.Lock()
	defer b.screen.mu.Unlock()
	b.screen.erase()
	return b.to.Write(p)
}
