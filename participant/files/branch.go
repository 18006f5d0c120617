package files

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Branch is the work of one transaction before it is prepared. Its methods may be
// called by many goroutines. A call that fails has changed nothing, and the branch
// can go on.
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
	stage   string
	next    int   // the next name in stage
	size    int64 // of all that is staged
	steps   map[string]step
	expects []Expect
}

func (t *Tree) newBranch(id uuid.UUID) *Branch {
	return &Branch{tree: t, id: id, begun: time.Now(), owner: newOwner(id), steps: make(map[string]step)}
}

// do makes a change, or reads.
func (b *Branch) do(f func() error) error {
	leave, err := b.tree.enter()
	if err != nil {
		return err
	}
	defer leave()
	return b.patiently(func() error { return b.locked(f) })
}

// patiently tries once more where another branch is in the way that has outlived
// its time: that one is given up.
func (b *Branch) patiently(try func() error) error {
	err := try()
	if conflict := (*ConflictError)(nil); errors.As(err, &conflict) && b.tree.sweep() {
		return try()
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

// room says whether the branch may change these paths too; without any, whether it
// may expect something more.
func (b *Branch) room(names ...string) error {
	n := len(b.steps) + len(b.expects)
	for _, name := range names {
		if _, changed := b.steps[name]; !changed {
			n++
		}
	}
	if len(names) == 0 {
		n++
	}
	if n > b.tree.o.MaxFiles {
		return &LimitError{Option: "MaxFiles", Limit: int64(b.tree.o.MaxFiles), Value: int64(n)}
	}
	return nil
}

// claim takes the locks to change these paths.
func (b *Branch) claim(c claims, names ...string) error {
	if err := b.room(names...); err != nil {
		return err
	}
	return b.tree.locks.take(b.owner, c)
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
		if err := b.claim(claim(name, change), name); err != nil {
			return err
		}
		b.put(s)
		return nil
	})
}

// Rename has a file or symbolic link at another path when the branch commits; what
// is there is replaced. Where somebody else has put another file into its place,
// Prepare refuses with a [*ChangedError]. It needs a file system with hard links,
// and where the system protects these (fs.protected_hardlinks), a file that this
// process may write. Directories are not renamed. It refuses as [Branch.WriteFile]
// does.
func (b *Branch) Rename(from, to string) error {
	if err := errors.Join(checkPath(from), checkPath(to)); err != nil {
		return err
	}
	return b.do(func() error {
		if err := b.parents(from, b.inside); err != nil {
			return err
		}
		switch is, err := b.inside(from); {
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
		if err := b.claim(claim(from, change).and(to, change), from, to); err != nil {
			return err
		}
		return b.move(from, to)
	})
}

// move gives what is staged another path. What is not staged is, as a link to it.
func (b *Branch) move(from, to string) error {
	s, changed := b.steps[from]
	if !changed {
		name, err := b.stageName()
		if err != nil {
			return err
		}
		s = step{Do: place, Staged: name, from: from}
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
		if err := b.claim(claim(name, change), name); err != nil {
			return err
		}
		staged, err := b.stageName()
		if err != nil {
			return err
		}
		s := step{Path: name, Do: place, Staged: staged}
		if err := b.tree.disk.symlink(target, b.staged(s)); err != nil {
			return err
		}
		b.put(s)
		return nil
	})
}
