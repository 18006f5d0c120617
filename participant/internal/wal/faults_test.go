package wal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// faulty is a real file whose calls can be made to fail. It notes what was
// synced.
type faulty struct {
	File
	disk   *faultyDisk
	path   string
	unsure []byte // written, not synced
}

type faultyDisk struct {
	mu     sync.Mutex
	synced map[string][]byte // by path, what survives a power loss
	calls  []string
	fail   func(call string) error
	before func(call string)
}

func (d *faultyDisk) create(path string) (File, error) {
	if err := d.call("create"); err != nil {
		return nil, err
	}
	f, err := createFile(path)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.synced == nil {
		d.synced = map[string][]byte{}
	}
	d.synced[path] = nil
	return &faulty{File: f, disk: d, path: path}, err
}

func (d *faultyDisk) call(name string) error {
	d.mu.Lock()
	d.calls = append(d.calls, name)
	fail, before := d.fail, d.before
	d.mu.Unlock()
	if before != nil {
		before(name)
	}
	if fail != nil {
		return fail(name)
	}
	return nil
}

func (f *faulty) Write(data []byte) (int, error) {
	if err := f.disk.call("write"); err != nil {
		n, _ := f.File.Write(data[:len(data)/2])
		return n, err
	}
	f.unsure = append(f.unsure, data...)
	return f.File.Write(data)
}

func (f *faulty) Sync() error {
	if err := f.disk.call("sync"); err != nil {
		return err
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.synced[f.path] = append(f.disk.synced[f.path], f.unsure...)
	f.unsure = nil
	return f.File.Sync()
}

var errDisk = errors.New("input/output error")

// TestFailure lets each kind of call fail, in an ordinary write and when the
// file is replaced.
func TestFailure(t *testing.T) {
	for _, call := range []string{"write", "sync", "create"} {
		for _, slack := range []int64{1, 1 << 20} {
			if call == "create" && slack > 1 {
				continue // nothing is created
			}
			t.Run(call, func(t *testing.T) { testFailure(t, call, slack) })
		}
	}
}

func testFailure(t *testing.T, call string, slack int64) {
	path := filepath.Join(t.TempDir(), "log")
	disk := new(faultyDisk)
	l, w := open(t, path, Options{Create: disk.create, Slack: slack})
	mustPut(t, l, w, "kept")
	kept := slices.Clone(*w)
	disk.fail = func(c string) error {
		if c == call {
			return errDisk
		}
		return nil
	}
	if slack == 1 {
		l.base = 0 // so the file is outgrown
	}
	if err := put(l, w, "lost"); !errors.Is(err, ErrFailed) || !errors.Is(err, errDisk) {
		t.Fatalf("the failing call: %v", err)
	}
	disk.fail, disk.calls = nil, nil
	err := l.Do(func(func([]byte)) error {
		t.Error("a failed log called its function")
		return nil
	})
	if !errors.Is(err, ErrFailed) || len(disk.calls) > 0 {
		t.Errorf("after the failure: %v, and calls %q", err, disk.calls)
	}
	if err := l.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("Close: %v", err)
	}
	_, got := open(t, path, Options{})
	if !slices.Equal(*got, kept) && !slices.Equal(*got, append(kept, "lost")) {
		t.Errorf("after opening again: %q", *got)
	}
}

// TestDurableBeforeTheFailure: a caller that wakes up late is told what became of
// its own records.
func TestDurableBeforeTheFailure(t *testing.T) {
	l, w := open(t, filepath.Join(t.TempDir(), "log"), Options{})
	mustPut(t, l, w, "one", "two")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = ErrFailed
	l.added++
	if err := l.await(2); err != nil {
		t.Errorf("what is durable: %v", err)
	}
	if err := l.await(3); !errors.Is(err, ErrFailed) {
		t.Errorf("what is not: %v", err)
	}
}

func TestOpenFails(t *testing.T) {
	data, _ := threeFrames(t)
	for _, call := range []string{"create", "write", "sync"} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		disk := &faultyDisk{fail: func(c string) error {
			if c == call {
				return errDisk
			}
			return nil
		}}
		if _, err := Open(path, new(words), Options{Format: testFormat, Create: disk.create}); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", call, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) {
			t.Errorf("%s: the file was touched (%v)", call, err)
		}
		open(t, path, Options{}) // and its lock was released
	}
}

// TestUnreadableFile: what cannot be read is not taken for a new file.
func TestUnreadableFile(t *testing.T) {
	disk := new(faultyDisk)
	if _, err := Open(t.TempDir(), new(words), Options{Format: testFormat, Create: disk.create}); err == nil || len(disk.calls) > 0 {
		t.Errorf("got %v, and calls %q", err, disk.calls)
	}
}

// TestPowerLoss checks after each answer that what was answered is in the part
// of the files that was synced.
func TestPowerLoss(t *testing.T) {
	for _, slack := range []int64{1, 200, 1 << 20} {
		path := filepath.Join(t.TempDir(), "log")
		disk := new(faultyDisk)
		l, w := open(t, path, Options{Create: disk.create, Slack: slack})
		for i := range 40 {
			mustPut(t, l, w, string(rune('a'+i%26)))
			got, err := reread(t, disk.synced[path+".new"]) // the name it was created under
			if err != nil || !slices.Equal(got, *w) {
				t.Fatalf("slack %d, after %d words: %q, %v", slack, i+1, got, err)
			}
		}
	}
}

// TestOneSyncForMany holds a sync back until nine more callers wait.
func TestOneSyncForMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	disk := new(faultyDisk)
	l, w := open(t, path, Options{Create: disk.create})

	syncing, others := make(chan struct{}), make(chan struct{})
	var once sync.Once
	disk.before = func(call string) {
		if call == "sync" {
			once.Do(func() { close(syncing); <-others })
		}
	}
	disk.calls = nil
	var all sync.WaitGroup
	all.Go(func() { mustPut(t, l, w, "first") })
	<-syncing
	var added sync.WaitGroup
	added.Add(9)
	for range 9 {
		all.Go(func() {
			err := l.Do(func(add func([]byte)) error {
				add([]byte("other"))
				added.Done()
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	added.Wait()
	close(others)
	all.Wait()
	if want := []string{"write", "sync", "write", "sync"}; !slices.Equal(disk.calls, want) {
		t.Errorf("ten callers made the calls %q", disk.calls)
	}
}
