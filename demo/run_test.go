package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestMain: a process that supervise has started is the demo itself.
func TestMain(m *testing.M) {
	if thisLife() != nil {
		main()
	}
	os.Exit(m.Run())
}

// output is what a run says, in the order in which it says it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	// seen is called with everything that has been said so far.
	seen func(text string)
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.text.Write(p)
	if o.seen != nil {
		o.seen(o.text.String())
	}
	return n, err
}

// demo runs the program in this process and wants an exit status.
func demo(t *testing.T, want int, args ...string) string {
	t.Helper()
	out := &output{}
	if code := run(args, nil, make(chan struct{}), out, out); code != want {
		t.Fatalf("%q: exit status %d, want %d\n%s", args, code, want, &out.text)
	}
	return out.text.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// fewItems is a stock file: the generator's own world takes time to open.
func fewItems(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "%s,100000\n", worldItem(i))
	}
	return write(t, "few.csv", text.String())
}

// number is how many orders a test runs.
func number(long int) string {
	if testing.Short() {
		long /= 5
	}
	return strconv.Itoa(long)
}

// TestChaos: whatever befalls the services' calls, the audit finds nothing.
func TestChaos(t *testing.T) {
	wants(t, demo(t, exitOK, "-chaos", "-n", number(500), "-stock", fewItems(t), "-dir", t.TempDir()), "audit passed", "refused")
}

// TestOrdersOfAFile: every reason for which an order of one's own is rolled back,
// and bad lines beside.
func TestOrdersOfAFile(t *testing.T) {
	stock := write(t, "stock.csv", "item,quantity\napple,10\npear,1\nkiwi,minus\n")
	orders := write(t, "orders.jsonl", `{"order":"good","customer":"a","lines":[{"item":"apple","quantity":2,"price":150}]}
{"order":"unknown","customer":"a","lines":[{"item":"kiwi","quantity":1,"price":1}]}
{"order":"scarce","customer":"a","lines":[{"item":"pear","quantity":1,"price":1},{"item":"pear","quantity":1,"price":1}]}
{"order":"huge","customer":"b","lines":[{"item":"pear","quantity":9000000000000,"price":1}]}
{"order":"poor","customer":"b","lines":[{"item":"apple","quantity":1,"price":1001}]}
{"order":"good","customer":"b","lines":[{"item":"apple","quantity":1,"price":1}]}
nonsense
`)
	dir := filepath.Join(t.TempDir(), "new", "shop")
	args := []string{"-orders", orders, "-stock", stock, "-credit", "1000", "-dir", dir, "-workers", "1"}
	wants(t, demo(t, exitOK, args...),
		"1 committed, 4 rolled back", "2 out of stock", "1 no such item", "1 out of credit", "audit passed",
		"stock.csv:4: ", "orders.jsonl:6: ", "orders.jsonl:7: ")
	wants(t, demo(t, exitOK, args...), "5 orders, 0 of them", "1 committed, 4 rolled back", "audit passed")

	other := write(t, "other.jsonl", `{"order":"good","customer":"z","lines":[{"item":"apple","quantity":1,"price":1}]}
{"order":"new","customer":"b","lines":[{"item":"apple","quantity":8,"price":1}]}`)
	wants(t, demo(t, exitOK, "-orders", other, "-dir", dir), "other.jsonl:1: ", "taken in an earlier run", "2 committed, 4 rolled back")
}

func TestUsage(t *testing.T) {
	file := write(t, "file", "")
	for _, args := range [][]string{
		{"-nonsense"}, {"argument"}, {"-n", "-1"}, {"-n", "1000001"}, {"-workers", "0"}, {"-credit", "-1"}, {"-v", "loud"},
		{"-orders", file + "missing"}, {"-orders", t.TempDir()}, {"-stock", file + "missing"}, {"-stock", t.TempDir()}, {"-dir", file},
	} {
		demo(t, exitUsage, args...)
	}
	wants(t, demo(t, exitOK, "-h"), "Examples", "-chaos", `{"order":`, "Semicolons or tabs", "item and quantity", "Exit status")
	wants(t, demo(t, exitOK, "-orders", file), "0 orders", "audit passed")
}

// full is a device that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestCannotWrite: a run whose findings nobody could read has not succeeded.
func TestCannotWrite(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"-n", "1", "-stock", fewItems(t), "-dir", t.TempDir()}} {
		said := &output{}
		if code := run(args, nil, make(chan struct{}), full{}, said); code != exitFailed {
			t.Errorf("%q: exit status %d, want %d", args, code, exitFailed)
		}
		wants(t, said.text.String(), "no space left")
	}
}

// TestInterrupt: what is under way is finished and audited, and the same command
// goes on.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-n", "1000", "-dir", dir, "-stock", fewItems(t), "-workers"}
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for answered := false; !answered && t.Context().Err() == nil; runtime.Gosched() {
			info, err := os.Stat(filepath.Join(dir, "answers.jsonl"))
			answered = err == nil && info.Size() > 0
		}
	}()
	out := &output{}
	if code := run(append(args, "2"), nil, stop, out, out); code != exitOK {
		t.Fatalf("exit status %d\n%s", code, &out.text)
	}
	wants(t, out.text.String(), "interrupted", "orders are still to be done", "audit passed")
	again := demo(t, exitOK, append(args, "100")...)
	wants(t, again, "1,000 orders, ", "audit passed")
	if strings.Contains(again, "1,000 of them") || strings.Contains(again, "orders are still to be done") {
		t.Error("it did not go on:\n" + again)
	}
}

// TestLocked: two processes cannot work in one directory.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	demo(t, exitOK, "-n", "1", "-stock", fewItems(t), "-dir", dir)
	b, err := openBackends(dir, siteOf(options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	wants(t, demo(t, exitFailed, "-n", "1", "-dir", dir), "another process")
}
