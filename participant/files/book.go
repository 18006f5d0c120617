package files

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path"
	"slices"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// book is what the log's records add up to: every prepared branch, with what it
// is to do, and the latest finished ones. Every change goes through apply, on the
// first day as when the log is read back.
type book struct {
	prepared map[participant.Key]*prepared
	// states has every prepared branch and the latest finished ones. A branch whose
	// commit was decided is prepared until it is finished.
	states participant.MemoryStore
	// begun has the same without the coordinator's name: a branch is begun without.
	begun participant.MemoryStore
}

// prepared is a branch that can go either way, or whose commit is decided and
// not known to be finished.
type prepared struct {
	manifest
	decided bool
	owner   *owner // of its locks
}

// actions in the order in which they are done.
var actions = []action{makeDir, place, remove, removeDir}

// manifest is what a branch is to do when it commits. Doing it twice, or from the
// beginning after a crash, comes to the same.
type manifest struct {
	// Stage is the branch's directory in staging; empty where nothing is staged.
	Stage string `json:"stage,omitempty"`
	// Steps has at most one for each path, in the order in which they are done.
	Steps []step `json:"steps"`
	// Locks are held until the branch is decided.
	Locks claims `json:"locks"`
}

// step says what becomes of one path.
type step struct {
	Path string `json:"path"`
	Do   action `json:"do"`
	// Staged is the name in Stage of what is renamed to Path.
	Staged string      `json:"staged,omitempty"`
	Perm   fs.FileMode `json:"perm,omitempty"` // of a directory

	size int64  // of what is staged
	from string // where what is staged was before, if anywhere
}

// action is the kind of a step.
type action string

const (
	place     action = "place"  // rename what is staged into place
	makeDir   action = "mkdir"  // make a directory, if there is none
	remove    action = "remove" // remove a file or link, if there is one
	removeDir action = "rmdir"  // remove a directory, if there is one and it is empty
)

// inOrder makes directories from the top down, first, and removes them from the
// bottom up, last.
func inOrder(a, b step) int {
	if a.Do != b.Do {
		return cmp.Compare(slices.Index(actions, a.Do), slices.Index(actions, b.Do))
	}
	if a.Do == removeDir {
		a, b = b, a
	}
	return cmp.Compare(a.Path, b.Path)
}

// check finds what no tree has written.
func (m *manifest) check() error {
	if m.Stage != "" && (path.Base(m.Stage) != m.Stage || !fs.ValidPath(m.Stage)) {
		return fmt.Errorf("stage %q", m.Stage)
	}
	for _, s := range m.Steps {
		if !slices.Contains(actions, s.Do) {
			return fmt.Errorf("step %q", s.Do)
		}
		if m.Locks[s.Path] == 0 {
			return fmt.Errorf("step without a lock at %q", s.Path)
		}
		if s.Do == place && (m.Stage == "" || path.Base(s.Staged) != s.Staged || !fs.ValidPath(s.Staged)) {
			return fmt.Errorf("staged %q", s.Staged)
		}
	}
	for name, mode := range m.Locks {
		if mode == 0 || mode > allModes {
			return fmt.Errorf("lock %d", mode)
		}
		if err := checkPath(name); err != nil {
			return err
		}
	}
	return nil
}

// operation is the kind of a record.
type operation string

const (
	opPrepare  operation = "prepare"  // the branch is able to do Manifest
	opDecide   operation = "decide"   // the prepared branch is to be committed, come what may
	opCommit   operation = "commit"   // the branch is committed, and all is done
	opRollback operation = "rollback" // the branch has no effect
	opForget   operation = "forget"   // raises the horizon to Transaction
)

// record is one change of the book.
type record struct {
	Op operation `json:"op"`
	// Coordinator is bytes because JSON would change a name that is not UTF-8.
	Coordinator []byte    `json:"coordinator,omitempty"`
	Transaction uuid.UUID `json:"transaction"`
	Manifest    *manifest `json:"manifest,omitempty"`
	Decided     bool      `json:"decided,omitempty"` // of what is prepared
}

func newBook(limit int) *book {
	return &book{
		prepared: make(map[participant.Key]*prepared),
		states:   participant.MemoryStore{Limit: limit},
		begun:    participant.MemoryStore{Limit: limit},
	}
}

// apply makes the change that a record stands for. The record was checked before
// it was made; one that does not fit shows that the log is not ours.
func (b *book) apply(r record) error {
	k := participant.Key{Coordinator: string(r.Coordinator), Transaction: r.Transaction}
	p := b.prepared[k]
	switch r.Op {
	case opForget:
		b.states.Forget(r.Transaction)
		b.begun.Forget(r.Transaction)
		return nil
	case opPrepare:
		if r.Manifest == nil || p != nil {
			return fmt.Errorf("files: transaction %s cannot be prepared", r.Transaction)
		}
		if err := r.Manifest.check(); err != nil {
			return err
		}
		b.prepared[k] = &prepared{manifest: *r.Manifest, decided: r.Decided}
		return b.enter(k, participant.Prepared)
	case opDecide:
		if p == nil {
			return fmt.Errorf("files: transaction %s is decided and not prepared", r.Transaction)
		}
		p.decided = true
		return nil
	case opCommit:
		delete(b.prepared, k)
		return b.enter(k, participant.Committed)
	case opRollback:
		delete(b.prepared, k)
		return b.enter(k, participant.RolledBack)
	default:
		return fmt.Errorf("files: unknown record %q", r.Op)
	}
}

func (b *book) enter(k participant.Key, s participant.State) error {
	ctx := context.Background()
	return errors.Join(b.states.Save(ctx, k, s), b.begun.Save(ctx, participant.Key{Transaction: k.Transaction}, s))
}

// state is what is known of a branch.
func (b *book) state(k participant.Key) (participant.State, error) {
	return b.states.Load(context.Background(), k)
}

// any is what is known of a transaction's branch, whoever its coordinator is.
func (b *book) any(id uuid.UUID) (participant.State, error) {
	return b.begun.Load(context.Background(), participant.Key{Transaction: id})
}

// all goes through the prepared branches, the oldest transaction first.
func (b *book) all() iter.Seq2[participant.Key, *prepared] {
	keys := slices.SortedFunc(maps.Keys(b.prepared), func(a, b participant.Key) int {
		return cmp.Or(bytes.Compare(a.Transaction[:], b.Transaction[:]), cmp.Compare(a.Coordinator, b.Coordinator))
	})
	return func(yield func(participant.Key, *prepared) bool) {
		for _, k := range keys {
			if p := b.prepared[k]; p != nil && !yield(k, p) {
				return
			}
		}
	}
}

// decided goes through the branches whose commit is to be finished.
func (b *book) decided() iter.Seq2[participant.Key, *prepared] {
	return func(yield func(participant.Key, *prepared) bool) {
		for k, p := range b.all() {
			if p.decided && !yield(k, p) {
				return
			}
		}
	}
}

// Replay and Snapshot make the book the state of a log.
func (b *book) Replay(data []byte) error {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	return b.apply(r)
}

func (b *book) Snapshot(add func([]byte)) {
	add(encode(record{Op: opForget, Transaction: b.states.Horizon()}))
	for k, s := range b.states.All() {
		r := record{Coordinator: []byte(k.Coordinator), Transaction: k.Transaction}
		switch s {
		case participant.Prepared:
			p := b.prepared[k]
			r.Op, r.Manifest, r.Decided = opPrepare, &p.manifest, p.decided
		case participant.Committed:
			r.Op = opCommit
		case participant.RolledBack:
			r.Op = opRollback
		default:
			continue // a read-only vote is not kept
		}
		add(encode(r))
	}
}

func encode(r record) []byte {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings, bytes and numbers always encode
	}
	return data
}
