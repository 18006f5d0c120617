package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/outbox"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// board is a publisher that keeps every message that it is given, twice where it
// is given twice. Packages jetstream and kafka test with brokers.
type board struct {
	mu     sync.Mutex
	posted []string // id and subject
	fails  func(subject string) error
}

func (*board) Check(_ context.Context, _ string, m outbox.Message) error {
	if m.Subject == "closed" {
		return errors.New("closed")
	}
	return nil
}

func (p *board) Publish(_ context.Context, id string, m outbox.Message) error {
	if p.fails != nil {
		if err := p.fails(m.Subject); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posted = append(p.posted, id+" "+m.Subject)
	return nil
}

func (p *board) count(id uuid.UUID) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.posted {
		if strings.HasPrefix(line, id.String()) {
			n++
		}
	}
	return n
}

// What an outbox promises it keeps within the process with any store, and across
// restarts with one that lasts.
func TestConformance(t *testing.T) {
	payload := func(subject string) func() []byte {
		return func() []byte { return encode(t, outbox.Message{Subject: subject}) }
	}
	boards := map[string]*board{}
	harness := func(store func(dir string) (participant.Store, func() error, error)) participanttest.Harness {
		return participanttest.Harness{Open: func(dir string) (*participanttest.Service, error) {
			if boards[dir] == nil {
				boards[dir] = new(board) // the broker outlives the process
			}
			s, closed, err := store(dir)
			if err != nil {
				return nil, err
			}
			p, err := outbox.New("events", boards[dir], &outbox.Options{Store: s})
			return &participanttest.Service{
				Participant: p,
				Payload:     payload("open"),
				Refused:     payload("closed"),
				Effects:     func(b participant.Branch) (int, error) { return boards[dir].count(b.Transaction), nil },
				Close:       closed,
			}, err
		}}
	}
	t.Run("memory", func(t *testing.T) {
		participanttest.Run(t, harness(func(string) (participant.Store, func() error, error) { return nil, nil, nil }))
	})
	t.Run("file", func(t *testing.T) {
		h := harness(func(dir string) (participant.Store, func() error, error) {
			s, err := filestore.Open(filepath.Join(dir, "events"), nil)
			if err != nil {
				return nil, nil, err
			}
			return s, s.Close, nil
		})
		h.Durable = true
		participanttest.Run(t, h)
	})
}

// The messages of a branch are published in order; after a failure from the one
// that failed on.
func TestCommit_InOrderAndAgain(t *testing.T) {
	p := new(board)
	o, err := outbox.New("events", p, nil)
	ok(t, err)
	b := newBranch(encode(t, outbox.Message{Subject: "a"}, outbox.Message{Subject: "b"}, outbox.Message{Subject: "c"}))
	down := errors.New("down")
	p.fails = func(subject string) error {
		if subject == "b" {
			return down
		}
		return nil
	}
	ok(t, o.Prepare(t.Context(), b))
	var publish *outbox.PublishError
	if err := o.Commit(t.Context(), b); !errors.Is(err, down) || !errors.As(err, &publish) || publish.Number != 1 || publish.Subject != "b" {
		t.Errorf("Commit answered %v", err)
	}
	if err := o.Rollback(t.Context(), b); !errors.Is(err, participant.ErrCommitted) {
		t.Errorf("Rollback of what is published in part answered %v", err)
	}
	p.fails = nil
	ok(t, o.Commit(t.Context(), b))
	ok(t, o.Commit(t.Context(), b))
	id := b.Transaction.String() + "/the+till%2F1/events/"
	if want := []string{id + "0 a", id + "1 b", id + "2 c"}; !slices.Equal(p.posted, want) {
		t.Errorf("published %q, not %q", p.posted, want)
	}
	if err := o.Rollback(t.Context(), b); !errors.Is(err, participant.ErrCommitted) {
		t.Errorf("Rollback answered %v", err)
	}
}

// After a restart the coordinator tells Commit of a branch that this process knows
// nothing of.
func TestCommit_OfWhatIsNotRemembered(t *testing.T) {
	p := new(board)
	store := &participant.MemoryStore{}
	o, err := outbox.New("events", p, &outbox.Options{Store: store})
	ok(t, err)
	b := newBranch(encode(t, outbox.Message{Subject: "a"}))
	ok(t, o.Commit(t.Context(), b))
	older := newBranch(b.Payload)
	store.Forget(uuid.Must(uuid.NewV7()))
	ok(t, o.Commit(t.Context(), older))
	if p.count(b.Transaction) != 1 || p.count(older.Transaction) != 1 {
		t.Errorf("published %q", p.posted)
	}
	var forgotten *participant.ForgottenError
	if err := o.Prepare(t.Context(), newer(older)); !errors.As(err, &forgotten) {
		t.Errorf("Prepare answered %v", err)
	}
	ok(t, o.Rollback(t.Context(), newer(older)))
}

// newer is a branch of another transaction that began in the same moment.
func newer(b participant.Branch) participant.Branch {
	b.Transaction[15]++
	return b
}

// unwell is a store that fails.
type unwell struct {
	participant.MemoryStore
	load, save error
}

func (u *unwell) Load(ctx context.Context, k participant.Key) (participant.State, error) {
	s, err := u.MemoryStore.Load(ctx, k)
	return s, errors.Join(err, u.load)
}

func (u *unwell) Save(ctx context.Context, k participant.Key, s participant.State) error {
	if u.save != nil {
		return u.save
	}
	return u.MemoryStore.Save(ctx, k, s)
}

func TestStoreThatFails(t *testing.T) {
	p, store := new(board), &unwell{load: errors.New("unreadable")}
	o, err := outbox.New("events", p, &outbox.Options{Store: store})
	ok(t, err)
	b := newBranch(encode(t, outbox.Message{Subject: "a"}))
	for _, call := range []func(context.Context, participant.Branch) error{o.Prepare, o.Commit, o.Rollback} {
		if err := call(t.Context(), b); !errors.Is(err, store.load) {
			t.Errorf("answered %v", err)
		}
	}
	store.load, store.save = nil, errors.New("full")
	ok(t, o.Prepare(t.Context(), b))
	if err := o.Commit(t.Context(), b); !errors.Is(err, store.save) {
		t.Errorf("Commit answered %v", err)
	}
	if err := o.Rollback(t.Context(), newBranch(b.Payload)); !errors.Is(err, store.save) {
		t.Errorf("Rollback answered %v", err)
	}
	store.save = nil
	ok(t, o.Commit(t.Context(), b))
	if n := p.count(b.Transaction); n != 1 {
		t.Errorf("published %d times", n)
	}
}

func TestReadOnly(t *testing.T) {
	o, err := outbox.New("events", new(board), nil)
	ok(t, err)
	if err := o.Prepare(t.Context(), newBranch(encode(t))); !errors.Is(err, participant.ErrReadOnly) {
		t.Errorf("Prepare answered %v", err)
	}
}

func TestRefuses(t *testing.T) {
	o, err := outbox.New("events", new(board), nil)
	ok(t, err)
	for _, bad := range []string{"", "{", "{}", "null", `{"messages":null}`, `{"messages":[],"x":1}`, `{"messages":[]} {}`,
		`{"messages":[{"subject":"a","data":"!"}]}`, `{"messages":[` + strings.Repeat(`{"subject":"a"},`, 64) + `{"subject":"a"}]}`} {
		err := o.Prepare(t.Context(), newBranch([]byte(bad)))
		if !errors.As(err, new(*outbox.PayloadError)) {
			t.Errorf("payload %.40q: %v", bad, err)
		}
		if err := o.Rollback(t.Context(), newBranch([]byte(bad))); err != nil {
			t.Errorf("Rollback of payload %.40q: %v", bad, err)
		}
	}
	for name, m := range map[string]outbox.Message{
		"no subject":     {},
		"long subject":   {Subject: strings.Repeat("x", 256)},
		"space":          {Subject: "a b"},
		"line":           {Subject: "a\nb"},
		"not UTF-8":      {Subject: "\xff"},
		"empty name":     {Subject: "a", Header: map[string]string{"": "x"}},
		"colon":          {Subject: "a", Header: map[string]string{"a:b": "x"}},
		"line in value":  {Subject: "a", Header: map[string]string{"a": "secret\r\nNats-Msg-Id: x"}},
		"space in value": {Subject: "a", Header: map[string]string{"a": " secret"}},
		"bytes in value": {Subject: "a", Header: map[string]string{"a": "secret\xff"}},
	} {
		_, err := outbox.Encode(outbox.Message{Subject: "fine"}, m)
		var bad *outbox.MessageError
		if !errors.As(err, &bad) || bad.Number != 1 || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := outbox.Encode(make([]outbox.Message, outbox.MaxMessages+1)...); !errors.As(err, new(*outbox.PayloadError)) {
		t.Errorf("too many messages: %v", err)
	}
	for name, p := range map[string]outbox.Publisher{"": new(board), "a\n": new(board), strings.Repeat("x", 129): new(board), "none": nil} {
		if _, err := outbox.New(name, p, nil); !errors.As(err, new(*outbox.OptionError)) {
			t.Errorf("New(%q, %v): %v", name, p, err)
		}
	}
}

func encode(t testing.TB, messages ...outbox.Message) []byte {
	t.Helper()
	data, err := outbox.Encode(messages...)
	ok(t, err)
	return data
}

func newBranch(payload []byte) participant.Branch {
	return participant.Branch{
		Coordinator: "the till/1", Transaction: uuid.Must(uuid.NewV7()), Participant: "events", Payload: payload,
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Calls of one branch that come at once, from a caller that does not keep to the
// protocol, take turns: the messages are published once, and the branch does not
// end both ways.
func TestCallsOfABranchAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(board)
		o, err := outbox.New("events", p, nil)
		ok(t, err)
		b := newBranch(encode(t, outbox.Message{Subject: "a"}))
		proceed := make(chan struct{})
		p.fails = func(string) error {
			<-proceed
			return nil
		}
		for range 2 {
			go func() {
				if err := o.Commit(t.Context(), b); err != nil {
					t.Errorf("Commit answered %v", err)
				}
			}()
		}
		synctest.Wait()
		go func() {
			if err := o.Rollback(t.Context(), b); !errors.Is(err, participant.ErrCommitted) {
				t.Errorf("Rollback answered %v", err)
			}
		}()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := o.Rollback(short, b); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Rollback answered %v while Commit was under way", err)
		}
		close(proceed)
		synctest.Wait()
		if n := p.count(b.Transaction); n != 1 {
			t.Errorf("published %d times", n)
		}
	})
}
