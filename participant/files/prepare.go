package files

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/seed-d36415c0/dtc/participant"
)

// work prepares what was begun here or what the payload says. Not both: what was
// begun may be lost, and nobody could tell. A branch that is refused, or has
// nothing to commit, is over; for the latter there is no manifest.
func (t *Tree) work(ctx context.Context, b participant.Branch) (w *Branch, m *manifest, err error) {
	w = t.takeOpen(b.Transaction)
	switch {
	case w == nil && len(b.Payload) == 0:
		return nil, nil, &NoWorkError{Transaction: b.Transaction, Lifetime: t.o.Lifetime}
	case w == nil:
		w = t.newBranch(b.Transaction)
		err = w.perform(ctx, b.Payload)
	case len(b.Payload) > 0:
		err = &PayloadError{Reason: "the branch was begun; its work is done there, or is a payload"}
	}
	if err == nil {
		m, err = w.seal(ctx)
	}
	switch {
	case err != nil:
		t.end(w, refused(err))
	case m == nil:
		t.end(w, ErrPrepared)
	}
	return w, m, err
}

// refused is the answer from when on the refusal is final.
func refused(err error) error {
	return errors.Join(participant.ErrRolledBack, err)
}

// seal lets no more changes in, checks that the branch can be committed, and makes
// what is staged durable. It returns nil where nothing is changed or expected.
func (b *Branch) seal(ctx context.Context) (*manifest, error) {
	err := b.locked(func() error {
		b.over = ErrPrepared
		return ctx.Err()
	})
	if err != nil || len(b.steps)+len(b.expects) == 0 {
		return nil, err
	}
	if err := b.meet(ctx); err != nil {
		return nil, err
	}
	m := &manifest{Stage: b.stage, Locks: b.tree.locks.granted(b.owner)}
	m.Steps = slices.SortedFunc(maps.Values(b.steps), inOrder)
	if err := b.feasible(ctx, m); err != nil {
		return nil, err
	}
	if m.Stage == "" {
		return m, nil
	}
	return m, b.tree.sync(staging, path.Join(staging, m.Stage))
}

// feasible says whether every step can be done, as far as can be known. The
// branch has the locks, so no other can change that.
func (b *Branch) feasible(ctx context.Context, m *manifest) error {
	checked := make(map[string]bool)
	for _, s := range m.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		is, err := b.possible(s)
		if err != nil {
			return err
		}
		if s.Do == makeDir && is != nothing {
			continue
		}
		dir := path.Dir(s.Path)
		if !checked[dir] {
			checked[dir] = true
			err = b.tree.changeable(dir)
		}
		if err == nil && is != nothing {
			err = b.tree.replaceable(dir, s.Path)
		}
		if err == nil && s.from != "" {
			err = b.unmoved(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// possible says whether the step fits what others see at the path, and returns
// that.
func (b *Branch) possible(s step) (is string, err error) {
	adds := s.Do != remove && s.Do != removeDir
	look := b.tree.outside // what is removed may go with what is above it
	if adds {
		look = b.inside
	}
	switch err := b.parents(s.Path, look); {
	case errors.Is(err, fs.ErrNotExist) && !adds:
		return nothing, nil
	case err != nil:
		return "", err
	}
	is, err = b.tree.outside(s.Path)
	if err != nil || is == nothing {
		return is, err
	}
	want := fileOrLink
	if s.Do == makeDir || s.Do == removeDir {
		want = aDirectory
	}
	if fits := is == aDirectory; fits != (want == aDirectory) || is == special {
		return is, &KindError{Path: s.Path, Is: is, Want: want}
	}
	if s.Do == removeDir {
		err = b.empty(s.Path)
	}
	return is, err
}

// changeable says whether names in a directory can be made and removed.
func (t *Tree) changeable(dir string) error {
	if is, err := t.outside(dir); err != nil || is == nothing { // made by the branch
		return err
	}
	if err := mayChange(filepath.Join(t.path, filepath.FromSlash(dir))); err != nil {
		return err
	}
	return t.sameMount(dir)
}

// replaceable says whether what is at the path is this process's to replace.
func (t *Tree) replaceable(dir, name string) error {
	directory, err := t.disk.root.Lstat(dir)
	if err != nil {
		return err
	}
	file, err := t.disk.root.Lstat(name)
	if err != nil {
		return err
	}
	if err := mayReplace(directory, file); err != nil {
		return &fs.PathError{Op: "replace", Path: name, Err: err}
	}
	return nil
}

// unmoved says whether the file to be renamed is still the one that was staged.
func (b *Branch) unmoved(s step) error {
	staged, err := b.tree.disk.root.Lstat(b.staged(s))
	if err != nil {
		return err
	}
	now, err := b.tree.disk.root.Lstat(s.from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &ChangedError{Path: s.from, Want: theSame, Found: nothing}
	case err != nil:
		return err
	case !os.SameFile(staged, now):
		return &ChangedError{Path: s.from, Want: theSame, Found: "another"}
	}
	return nil
}

// sameMount says whether a staged file can be renamed into a directory. To be sure
// it tries, with a file that is not there: across mounts the system refuses before
// it looks, also where both are of one file system.
func (t *Tree) sameMount(dir string) error {
	here, err := t.disk.root.Lstat(staging)
	if err != nil {
		return err
	}
	there, err := t.disk.root.Lstat(dir)
	if err != nil {
		return err
	}
	err = t.disk.root.Rename(staging+"/none", path.Join(dir, Dir+"-none"))
	if !sameDevice(here, there) || errors.Is(err, syscall.EXDEV) {
		return &MountError{Path: dir}
	}
	return nil
}
