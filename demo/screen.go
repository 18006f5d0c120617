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
		fmt.Fprintln(s.out, first)
		return
	}
	s.erase()
	fmt.Fprintf(s.out, "%s\n%s\r", fitting(first), fitting(second))
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
		fmt.Fprint(s.out, "\r\x1b[K\x1b[1A\r\x1b[K")
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
	fmt.Fprintln(s.beside(s.out), strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
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
