package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Branch is the work of one transaction before it is prepared. Its methods may be
// called by many goroutines. A call that fails has changed nothing, and the branch
// can go on, with one exception: a file that [Branch.Create] has begun and that
// could not be written has the branch refused.
//
// When the branch is decided otherwise its methods fail: with
// participant.ErrRolledBack, [ErrPrepared], [ErrClosed] or a [*NoWorkError].
type Branch struct {
	tree  *Tree
	id    uuid.UUID
	begun time.Time
	owner *owner

	mu      sync.Mutex
	over    error // why there are no more changes; nil while there can be
	broken  error // why the branch cannot be prepared: a file was not written
	stage   string
	next    int   // the next name in stage
	size    int64 // of all that is staged
	steps   map[string]step
	expects []expect
	shared  map[string]struct{} // stay as they are until the branch is decided
	writers map[*writer]struct{}
}

func (t *Tree) newBranch(id uuid.UUID) *Branch {
	return &Branch{
		tree:    t,
		id:      id,
		begun:   time.Now(),
		owner:   newOwner(id),
		steps:   make(map[string]step),
		shared:  make(map[string]struct{}),
		writers: make(map[*writer]struct{}),
	}
}

// do makes a change. Where another branch is in the way that has outlived its
// time, that one is given up.
func (b *Branch) do(f func() error) error {
	leave, err := b.tree.enter()
	if err != nil {
		return err
	}
	defer leave()
	err = b.locked(f)
	if conflict := (*ConflictError)(nil); errors.As(err, &conflict) && b.tree.sweep() {
		err = b.locked(f)
	}
	return err
}

func (b *Branch) locked(f func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over != nil {
		return b.over
	}
	return f()
}

// room says whether the branch may take so many paths more.
func (b *Branch) room(more int) error {
	if n := len(b.steps) + len(b.expects) + len(b.shared) + len(b.writers) + more; n > b.tree.o.MaxFiles {
		return &LimitError{Option: "MaxFiles", Limit: int64(b.tree.o.MaxFiles), Value: int64(n)}
	}
	return nil
}

// claim takes locks for so many paths more.
func (b *Branch) claim(paths int, claims []claim) error {
	if err := b.room(paths); err != nil {
		return err
	}
	return b.tree.locks.take(b.owner, claims)
}

// stageName is the path of a new staged file. The first makes the directory.
func (b *Branch) stageName() (string, error) {
	if b.stage == "" {
		stage, err := b.tree.newStage(b.id)
		if err != nil {
			return "", err
		}
		b.stage = stage
	}
	name := strconv.Itoa(b.next)
	b.next++
	return name, nil
}

// newStage makes a directory for a branch. Two coordinators may have given the
// same id.
func (t *Tree) newStage(id uuid.UUID) (string, error) {
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s.%d", id, n)
		err := t.disk.call("mkdir", staging+"/"+name, func() error { return t.disk.root.Mkdir(staging+"/"+name, 0o700) })
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}

func (b *Branch) staged(s step) string { return path.Join(staging, b.stage, s.Staged) }

// put makes the step the path's, in place of any earlier one.
func (b *Branch) put(s step) {
	old := b.steps[s.Path]
	b.steps[s.Path] = s
	if old.Staged != "" {
		b.size -= old.size
		_ = b.tree.disk.remove(b.staged(old)) // else it goes with the directory
	}
}

// WriteFile has the file contain data when the branch commits: one that is there
// is replaced, and perm, less the umask, is the new file's. The directory must
// exist, or be made by [Branch.MkdirAll].
//
// It refuses with a [*PathError], [*KindError], [*ConflictError], [*LimitError] or
// an error that wraps fs.ErrNotExist, or with what the file system says.
func (b *Branch) WriteFile(name string, data []byte, perm fs.FileMode) error {
	w, err := b.create(name, perm)
	if err != nil {
		return err
	}
	if _, err := w.write(data); err != nil {
		w.abandon()
		return err
	}
	return w.keep()
}

// Create is WriteFile for content that comes in parts, or is large. The content is
// the branch's when Close has returned nil. A branch is not prepared while a file
// is not closed, or when writing or closing one has failed.
func (b *Branch) Create(name string, perm fs.FileMode) (io.WriteCloser, error) {
	w, err := b.create(name, perm)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Remove has a file, a symbolic link or an empty directory gone when the branch
// commits. A directory is empty when the branch has removed what is in it. It
// refuses as [Branch.WriteFile] does.
func (b *Branch) Remove(name string) error {
	if err := checkPath(name); err != nil {
		return err
	}
	return b.do(func() error {
		if err := b.parents(name, b.inside); err != nil {
			return err
		}
		s := step{Path: name, Do: remove}
		switch is, err := b.inside(name); {
		case err != nil:
			return err
		case is == nothing:
			return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
		case is == special:
			return &KindError{Path: name, Is: is, Want: fileOrLink}
		case is == aDirectory:
			if err := b.empty(name); err != nil {
				return err
			}
			s.Do = removeDir
		}
		if err := b.claim(1, change(name)); err != nil {
			return err
		}
		b.put(s)
		return nil
	})
}

// Rename has a file or symbolic link at another path when the branch commits; what
// is there is replaced. It needs a file system with hard links, and where the
// system protects these (fs.protected_hardlinks), a file that this process may
// write. Directories are not renamed. It refuses as [Branch.WriteFile] does.
func (b *Branch) Rename(from, to string) error {
	if err := errors.Join(checkPath(from), checkPath(to)); err != nil {
		return err
	}
	return b.do(func() error {
		if err := b.parents(from, b.inside); err != nil {
			return err
		}
		is, err := b.inside(from)
		switch {
		case err != nil:
			return err
		case is == nothing:
			return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
		case is != aFile && is != aLink:
			return &KindError{Path: from, Is: is, Want: fileOrLink}
		case from == to:
			return nil
		}
		if err := b.target(to); err != nil {
			return err
		}
		if err := b.claim(2, append(change(from), change(to)...)); err != nil {
			return err
		}
		return b.move(is, from, to)
	})
}

// move gives what is staged another path. What is not staged is, as a link to it.
func (b *Branch) move(is, from, to string) error {
	s, changed := b.steps[from]
	if !changed {
		name, err := b.stageName()
		if err != nil {
			return err
		}
		s = step{Do: putFile, Staged: name}
		if is == aLink {
			s.Do = putLink
		}
		if err := b.tree.disk.link(from, b.staged(s)); err != nil {
			return err
		}
	}
	s.Path = to
	b.steps[from] = step{Path: from, Do: remove}
	b.put(s)
	return nil
}

// Symlink has a symbolic link at the path when the branch commits, in place of any
// file or link that is there. The target is relative to the link's directory, does
// not lead out of the tree, and need not exist. It refuses as [Branch.WriteFile]
// does.
func (b *Branch) Symlink(target, name string) error {
	if err := errors.Join(checkPath(name), checkTarget(target, name)); err != nil {
		return err
	}
	return b.do(func() error {
		if err := b.target(name); err != nil {
			return err
		}
		if err := b.claim(1, change(name)); err != nil {
			return err
		}
		staged, err := b.stageName()
		if err != nil {
			return err
		}
		s := step{Path: name, Do: putLink, Staged: staged}
		if err := b.tree.disk.symlink(target, b.staged(s)); err != nil {
			return err
		}
		b.put(s)
		return nil
	})
}
