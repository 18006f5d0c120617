// Package filestore keeps what participant.Idempotent remembers on disk, in one
// file.
//
// Save returns when the state is on stable storage: it survives kill -9, and
// power loss as far as the disk keeps what it synced. Saves that are under way at
// the same moment share one sync. The file is append-only, with a checksum on
// every write, and is written anew when more than half of it is out of date, so
// it stays bounded by what is remembered: some 150 bytes for a branch, twice,
// and a megabyte. A file that somebody has cut cannot be told from one whose last
// write was torn by a power failure: it is read up to the cut.
//
// The file and the participant's effect are two things: a crash between them has
// the participant called once more. See participant.Idempotent.
package filestore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/internal/wal"
)

// Errors of a Store. They come wrapped with the path and what was found.
var (
	// ErrLocked: the file is open already, in this process or another.
	ErrLocked = wal.ErrLocked
	// ErrFormat: the file is no store's, or a newer version's.
	ErrFormat = wal.ErrFormat
	// ErrCorrupt: the file is damaged, and not only at its torn end.
	ErrCorrupt = wal.ErrCorrupt
	// ErrFailed: a write or sync failed, now or earlier. The store does no more
	// work; open it again.
	ErrFailed = wal.ErrFailed
	// ErrClosed: the store has been closed.
	ErrClosed = wal.ErrClosed
)

// Options of [Open]. The zero value is ready.
type Options struct {
	// Limit is how many settled branches are remembered; zero or less means
	// participant.DefaultLimit. See participant.MemoryStore.
	Limit int
	// Create makes an empty file for writing, in place of any that is there; nil
	// means in the file system. Tests put one that fails here.
	Create func(path string) (File, error)
}

// File is a file that the store writes. After an error the store makes no
// further call but Close.
type File = wal.File

const format = "dtc store 1"

// Store is a participant.Store in a file. It may be used by many goroutines.
type Store struct {
	log   *wal.Log
	index *participant.MemoryStore
}

var _ participant.Store = (*Store)(nil)

// Open opens the store at path, or creates it, and locks it until Close: a
// second Open fails with ErrLocked. The directory must exist; beside the file, a
// path.lock is left there. A nil Options means the zero one.
func Open(path string, o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	index := &participant.MemoryStore{Limit: o.Limit}
	log, err := wal.Open(path, states{index}, wal.Options{Format: format, Create: o.Create})
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	return &Store{log: log, index: index}, nil
}

// Load implements participant.Store. What it returns is on stable storage.
func (s *Store) Load(ctx context.Context, k participant.Key) (state participant.State, err error) {
	err = s.log.Do(func(func([]byte)) error {
		state, err = s.index.Load(ctx, k)
		return err
	})
	if err != nil {
		return participant.Unknown, fmt.Errorf("filestore: %w", err)
	}
	return state, nil
}

// Save implements participant.Store. It does not wait for the context: once
// begun, the write is finished.
func (s *Store) Save(ctx context.Context, k participant.Key, state participant.State) error {
	err := s.log.Do(func(add func([]byte)) error {
		add(encode(k, state))
		return s.index.Save(ctx, k, state)
	})
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return nil
}

// Close releases the file. A second Close is harmless.
func (s *Store) Close() error { return s.log.Close() }

// record is one entry of the file: a branch's state, or, without one, the
// horizon. The names are bytes because JSON would change any that are not UTF-8.
type record struct {
	Coordinator []byte            `json:"coordinator,omitempty"`
	Transaction uuid.UUID         `json:"transaction"`
	Participant []byte            `json:"participant,omitempty"`
	State       participant.State `json:"state,omitempty"`
}

func encode(k participant.Key, s participant.State) []byte {
	data, err := json.Marshal(record{
		Coordinator: []byte(k.Coordinator),
		Transaction: k.Transaction,
		Participant: []byte(k.Participant),
		State:       s,
	})
	if err != nil {
		panic(err) // bytes and numbers always encode
	}
	return data
}

// states is the index as the log sees it.
type states struct{ *participant.MemoryStore }

func (s states) Replay(data []byte) error {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	if r.State == participant.Unknown {
		s.Forget(r.Transaction)
		return nil
	}
	key := participant.Key{
		Coordinator: string(r.Coordinator),
		Transaction: r.Transaction,
		Participant: string(r.Participant),
	}
	return s.Save(context.Background(), key, r.State)
}

func (s states) Snapshot(add func([]byte)) {
	add(encode(participant.Key{Transaction: s.Horizon()}, participant.Unknown))
	for k, state := range s.All() {
		add(encode(k, state))
	}
}
