package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
)

var ctx = context.Background()

func open(t *testing.T, path string, o *filestore.Options) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newKey() participant.Key {
	return participant.Key{Coordinator: "c", Transaction: uuid.Must(uuid.NewV7()), Participant: "p"}
}

func save(t *testing.T, s *filestore.Store, k participant.Key, state participant.State) {
	t.Helper()
	if err := s.Save(ctx, k, state); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, s *filestore.Store, k participant.Key, want participant.State) {
	t.Helper()
	got, err := s.Load(ctx, k)
	if err != nil || got != want {
		t.Errorf("%v: %v, %v, want %v", k, got, err, want)
	}
}

func TestSurvivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path, nil)
	a, b, c := newKey(), newKey(), newKey()
	b.Coordinator = "not \xff UTF-8"
	c.Coordinator, c.Participant = "", ""
	save(t, s, a, participant.Prepared)
	save(t, s, b, participant.Begun)
	save(t, s, b, participant.Committed)
	save(t, s, c, participant.RolledBack)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path, nil)
		expect(t, s, a, participant.Prepared)
		expect(t, s, b, participant.Committed)
		expect(t, s, c, participant.RolledBack)
		expect(t, s, newKey(), participant.Unknown)
	}
}

func TestHorizonSurvivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	o := &filestore.Options{Limit: 2}
	s := open(t, path, o)
	open1, older, old := newKey(), newKey(), newKey()
	save(t, s, open1, participant.Prepared)
	save(t, s, old, participant.Committed)
	for range 2 {
		save(t, s, newKey(), participant.Committed)
	}
	for range 3 { // once as it was, once from what was added, once from a snapshot
		expect(t, s, old, participant.Forgotten)
		expect(t, s, older, participant.Forgotten)
		expect(t, s, open1, participant.Prepared)
		expect(t, s, newKey(), participant.Unknown)
		s.Close()
		s = open(t, path, o)
	}
}

func TestErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path, nil)
	if _, err := filestore.Open(path, nil); !errors.Is(err, filestore.ErrLocked) {
		t.Errorf("second Open: %v", err)
	}
	s.Close()
	if _, err := s.Load(ctx, newKey()); !errors.Is(err, filestore.ErrClosed) {
		t.Errorf("Load after Close: %v", err)
	}
	if err := s.Save(ctx, newKey(), participant.Begun); !errors.Is(err, filestore.ErrClosed) {
		t.Errorf("Save after Close: %v", err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("not a store ", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := filestore.Open(path, nil); !errors.Is(err, filestore.ErrFormat) {
		t.Errorf("another file: %v", err)
	}
	full := &filestore.Options{Create: func(string) (filestore.File, error) { return nil, os.ErrPermission }}
	if _, err := filestore.Open(path+"2", full); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a file that cannot be created: %v", err)
	}
}

// TestKill saves states of many branches from many goroutines, and is killed.
func TestKill(t *testing.T) {
	order := []participant.State{participant.Begun, participant.Prepared, participant.Committed}
	work := func(dir string, ack func(string)) error {
		s, err := filestore.Open(filepath.Join(dir, "store"), nil)
		if err != nil {
			return err
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for {
					k := newKey()
					for _, state := range order {
						if s.Save(ctx, k, state) != nil {
							return
						}
						ack(fmt.Sprint(k.Transaction, " ", uint8(state)))
					}
				}
			})
		}
		all.Wait()
		return errors.New("a Save failed")
	}
	verify := func(dir string, acked []string) {
		s, err := filestore.Open(filepath.Join(dir, "store"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		least := map[string]participant.State{}
		for _, line := range acked {
			var id string
			var state participant.State
			if _, err := fmt.Sscan(line, &id, &state); err != nil {
				t.Fatal(err)
			}
			least[id] = max(least[id], state)
		}
		for id, want := range least {
			k := participant.Key{Coordinator: "c", Transaction: uuid.MustParse(id), Participant: "p"}
			if got, err := s.Load(ctx, k); err != nil || got < want {
				t.Fatalf("%s: %v, %v; %v was acknowledged", id, got, err, want)
			}
		}
	}
	crashtest.Run(t, 4, work, verify)
}
