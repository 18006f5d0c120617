package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestScreen(t *testing.T) {
	var out bytes.Buffer
	plain := newScreen(&out)
	plain.show("one", "two")
	plain.show("three", "")
	plain.clear()
	if want := "one, two\nthree\n"; out.String() != want {
		t.Errorf("plain: %q, want %q", out.String(), want)
	}

	out.Reset()
	s := &screen{out: &out, live: true}
	s.show("one", strings.Repeat("é", 200))
	s.say("%s", "said\n")
	s.say("again")
	painted, said, _ := strings.Cut(out.String(), "\r\r")
	if second := strings.Split(painted, "\n")[1]; utf8.RuneCountInString(second) != width {
		t.Errorf("painted %q", painted)
	}
	if want := "\x1b[K\x1b[1A\r\x1b[Ksaid\nagain\n"; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
}

func TestProgress(t *testing.T) {
	f := newFigures(&book{orders: []*entry{{}, {answer: &answer{Outcome: "committed"}}, {answer: &answer{Cause: refused}}, {}}})
	f.start()
	f.start()
	f.end(&answer{Cause: outOfStock})
	first, second := f.snapshot().lines(1234.5)
	if want := "3 of 4 orders, 1,234 orders/s, 1 in flight, 1 committed"; first != want {
		t.Errorf("%q, want %q", first, want)
	}
	if want := "2 rolled back: out of stock 1, refused 1"; second != want {
		t.Errorf("%q, want %q", second, want)
	}
	if s := f.snapshot(); s.earlier != 2 {
		t.Errorf("%d were answered before, want 2", s.earlier)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", 1234567: "1,234,567", -123: "-123"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
