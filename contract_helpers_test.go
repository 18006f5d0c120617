package dtc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	stdslog "log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secret is in every payload, and must be in no log line.
const secret = "s3cr3t"

var background = context.Background()

// rig is a coordinator under test, with all that it tells.
type rig struct {
	*dtc.Coordinator
	t      *testing.T
	log    *lines
	events *events
}

// start opens a coordinator and closes it at the end of the test. Then nothing is
// live, and no payload stands in the log.
func start(t *testing.T, config dtc.Config) *rig {
	t.Helper()
	if config.Name == "" && config.Journal != nil {
		config.Name = "shop"
	}
	r, err := tryStart(t, config)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryStart(t *testing.T, config dtc.Config) (*rig, error) {
	r := &rig{t: t, log: &lines{}, events: &events{also: config.OnEvent}}
	config.OnEvent = r.events.add
	if config.Logger == nil {
		config.Logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	c, err := dtc.Open(quietSystem(), config)
	if err != nil {
		return nil, err
	}
	r.Coordinator = c
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, errDisk) {
			t.Errorf("Close: %v", err)
		}
		if n := c.Stats().Live; n != 0 {
			t.Errorf("after Close %d transactions are live", n)
		}
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("a payload is in the log:\n%s", r.log)
		}
	})
	return r, nil
}

// quietSystem is an actor system that logs nothing itself. Nobody shuts it down:
// a closed coordinator leaves nothing of its own in it.
func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.NewTextHandler(io.Discard, nil))
	}))
}

// begin begins a transaction with these participants.
func (r *rig) begin(ps ...participant.Participant) uuid.UUID {
	r.t.Helper()
	id, err := r.Begin(background, nil)
	if err != nil {
		r.t.Fatalf("Begin: %v", err)
	}
	r.enlist(id, ps...)
	return id
}

func (r *rig) enlist(id uuid.UUID, ps ...participant.Participant) {
	r.t.Helper()
	for _, p := range ps {
		if err := r.Enlist(background, id, p, []byte(secret)); err != nil {
			r.t.Fatalf("Enlist %s: %v", p.Name(), err)
		}
	}
}

// execute is Execute with payloads.
func (r *rig) execute(ps ...participant.Participant) error {
	return r.Execute(background, nil, enlistments(ps...)...)
}

func enlistments(ps ...participant.Participant) (list []dtc.Enlistment) {
	for _, p := range ps {
		list = append(list, dtc.Enlistment{Participant: p, Payload: []byte(secret)})
	}
	return list
}

// outcome fails the test unless the transaction stands so.
func (r *rig) outcome(id uuid.UUID, want dtc.Outcome) {
	r.t.Helper()
	if got, err := r.Outcome(background, id); got != want {
		r.t.Errorf("Outcome: %v (%v), want %v", got, err, want)
	}
}

// live fails the test unless so many transactions are live.
func (r *rig) live(want int) {
	r.t.Helper()
	if got := r.Stats().Live; got != want {
		r.t.Errorf("%d transactions are live, want %d", got, want)
	}
}

// forced returns how many records were forced since before.
func (r *rig) forced(before uint64) int { return int(r.Stats().Forced - before) }

// is fails the test unless err is all of these.
func is(t *testing.T, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("got error %q, want one that is %q", err, target)
		}
	}
}

// isNot fails the test if err is one of these.
func isNot(t *testing.T, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if errors.Is(err, target) {
			t.Errorf("got error %q, which must not be %q", err, target)
		}
	}
}

// as finds an error of type T, and ends the test if there is none.
func as[T error](t *testing.T, err error) T {
	t.Helper()
	var found T
	if !errors.As(err, &found) {
		t.Fatalf("got error %q (%T), want one of type %T", err, err, found)
	}
	return found
}

// all finds every error of type T in the tree of err.
func all[T error](err error) (found []T) {
	if err == nil {
		return nil
	}
	if e, ok := err.(T); ok {
		found = append(found, e)
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		found = append(found, all[T](e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, each := range e.Unwrap() {
			found = append(found, all[T](each)...)
		}
	}
	return found
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("got error %q, want none", err)
	}
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// with returns the lines that contain all of these.
func (l *lines) with(parts ...string) (found []string) {
next:
	for line := range strings.Lines(l.String()) {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

// events keeps what a coordinator tells.
type events struct {
	mu   sync.Mutex
	list []dtc.Event
	also func(dtc.Event)
}

func (e *events) add(event dtc.Event) {
	e.mu.Lock()
	e.list = append(e.list, event)
	e.mu.Unlock()
	if e.also != nil {
		e.also(event)
	}
}

// of returns the events of one kind.
func (e *events) of(kind dtc.EventKind) (found []dtc.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.list {
		if event.Kind == kind {
			found = append(found, event)
		}
	}
	return found
}

// errDisk is what a faulty journal says.
var errDisk = errors.New("disk on fire")

// faulty is a journal whose appends can be made to fail, to wait or to panic.
// Like a disk that failed, it stays failed. It has a writer even where the
// journal within needs none.
type faulty struct {
	journal.Journal
	mu     sync.Mutex
	before func(journal.Batch) error // an error is answered, and nothing written
	after  func(journal.Batch) error // an error is answered, but it is written
	failed error
	forced int
}

func (f *faulty) Append(b journal.Batch) error {
	f.mu.Lock()
	before, after, failed := f.before, f.after, f.failed
	if b.Force {
		f.forced++
	}
	f.mu.Unlock()
	if failed != nil {
		return failed
	}
	err := check(before, b)
	if err == nil {
		if err = f.Journal.Append(b); err == nil {
			err = check(after, b)
		}
	}
	if err != nil {
		f.mu.Lock()
		f.failed = err
		f.mu.Unlock()
	}
	return err
}

// heal lets the journal forget that it failed, which none should.
func (f *faulty) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = nil
}

func check(f func(journal.Batch) error, b journal.Batch) error {
	if f == nil {
		return nil
	}
	return f(b)
}

// on has something happen before, or after, the next batches are written.
func (f *faulty) on(before, after func(journal.Batch) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

// puts is a fault of every batch with a record of this kind.
func puts(kind journal.Kind, fault func() error) func(journal.Batch) error {
	return func(b journal.Batch) error {
		for _, w := range b.Writes {
			if w.Put != nil && w.Put.Kind == kind {
				return fault()
			}
		}
		return nil
	}
}

func burns() error { return errDisk }

// disk is a journal's directory that outlives coordinators, in memory.
type disk struct {
	t  *testing.T
	fs *vfs.MemFS
}

func newDisk(t *testing.T) *disk { return &disk{t, vfs.NewCrashableMem()} }

// journal opens the journal on the disk.
func (d *disk) journal() journal.Journal {
	d.t.Helper()
	j, err := pebble.Open("journal", &pebble.Options{FS: d.fs})
	if err != nil {
		d.t.Fatal(err)
	}
	return j
}

// crash returns the disk as it is found after the power failed at this moment.
func (d *disk) crash() *disk {
	return &disk{d.t, d.fs.CrashClone(vfs.CrashCloneCfg{})}
}

// eachJournal runs a test in virtual time with each of the journals.
func eachJournal(t *testing.T, test func(t *testing.T, j journal.Journal)) {
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, journal.Memory()) })
	})
	t.Run("pebble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, newDisk(t).journal()) })
	})
}
