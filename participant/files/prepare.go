package files

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/seed-d36415c0/dtc/participant"
)

// work prepares what was begun here and what the payload says. A branch that is
// refused, or has nothing to commit, is over; for the latter there is no manifest.
func (t *Tree) work(ctx context.Context, b participant.Branch) (w *Branch, m *manifest, err error) {
	w = t.takeOpen(b.Transaction)
	if w == nil {
		if len(b.Payload) == 0 {
			return nil, nil, &NoWorkError{Transaction: b.Transaction, Lifetime: t.o.Lifetime}
		}
		w = t.newBranch(b.Transaction)
	}
	if len(b.Payload) > 0 {
		err = w.perform(ctx, b.Payload)
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
// what is staged durable. It returns nil where nothing was changed.
func (b *Branch) seal(ctx context.Context) (*manifest, error) {
	if err := b.locked(b.close); err != nil {
		return nil, err
	}
	if err := b.meet(ctx); err != nil {
		return nil, err
	}
	if len(b.steps) == 0 {
		return nil, ctx.Err()
	}
	m := &manifest{Stage: b.stage}
	for _, name := range slices.Sorted(maps.Keys(b.steps)) {
		m.Steps = append(m.Steps, b.steps[name])
	}
	m.Shared = slices.Sorted(maps.Keys(b.shared))
	if err := b.feasible(ctx, m); err != nil {
		return nil, err
	}
	if m.Stage == "" {
		return m, nil
	}
	return m, b.tree.sync(staging, path.Join(staging, m.Stage))
}

// close ends the time of changes.
func (b *Branch) close() error {
	if b.broken != nil {
		return b.broken
	}
	for w := range b.writers {
		return &UnclosedError{Path: w.step.Path}
	}
	b.over = ErrPrepared
	return nil
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
		dir := path.Dir(s.Path)
		if !checked[dir] {
			checked[dir] = true
			err = b.tree.changeable(dir)
		}
		if err == nil && is != nothing && s.Do != makeDir {
			err = b.tree.replaceable(dir, s.Path)
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
