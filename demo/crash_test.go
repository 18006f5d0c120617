package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestCrash: the process is killed in mid-flight, several times, while services
// fail, and no order is lost or doubled.
func TestCrash(t *testing.T) {
	kills := 2
	if testing.Short() {
		kills = 1
	}
	o, err := parseFlags([]string{"-n", number(500), "-stock", fewItems(t), "-chaos", "-crash"}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	out := &output{}
	dir := t.TempDir()
	code, err := supervise(o, dir, kills, nil, make(chan struct{}), out, out)
	text := out.text.String()
	if err != nil || code != exitOK {
		t.Fatalf("exit status %d, %v\n%s", code, err, text)
	}
	wants(t, text, "audit passed")
	if n := strings.Count(text, "killed; starting again"); n != kills {
		t.Errorf("killed %d times, want %d\n%s", n, kills, text)
	}
	wants(t, text, fmt.Sprintf("--- killed %d of %d times\n", kills, kills))
	again := demo(t, exitOK, "-n", number(500), "-stock", o.stock, "-dir", dir)
	wants(t, again, " 0 of them still to be done", "audit passed")
}

// TestCrash_TooFewOrders: whoever asked for kills is told that there were none.
func TestCrash_TooFewOrders(t *testing.T) {
	o := options{number: 0, workers: 1, seed: 1, stock: fewItems(t)}
	out := &output{}
	code, err := supervise(o, t.TempDir(), 1, nil, make(chan struct{}), out, out)
	if err != nil || code != exitOK {
		t.Fatalf("exit status %d, %v\n%s", code, err, &out.text)
	}
	wants(t, out.text.String(), "audit passed", "--- killed 0 of 1 times; there was nothing left to do")
}

// TestCrash_Interrupted: the process that is to be killed stops when its
// supervisor is interrupted, and is not started again.
func TestCrash_Interrupted(t *testing.T) {
	stop := make(chan struct{})
	close(stop)
	o := options{number: 100, workers: 1, seed: 1, stock: fewItems(t)}
	out := &output{}
	code, err := supervise(o, t.TempDir(), 0, nil, stop, out, out)
	if err != nil || code != exitOK {
		t.Fatalf("exit status %d, %v\n%s", code, err, &out.text)
	}
	wants(t, out.text.String(), "interrupted", "audit passed")
}
