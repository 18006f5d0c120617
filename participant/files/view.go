package files

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"syscall"
)

// What can be at a path, in words.
const (
	nothing     = "nothing"
	aFile       = "a file"
	aLink       = "a symbolic link"
	aDirectory  = "a directory"
	special     = "a device, pipe or socket"
	fileOrLink  = "a file or symbolic link"
	theSame     = "the file that was renamed"
	emptyDir    = "an empty directory"
	fullDir     = "a directory with something in it"
	removedDir  = "a directory until the branch commits"
	removedFile = "a file until the branch commits"
)

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return aFile
	case m.IsDir():
		return aDirectory
	case m&fs.ModeSymlink != 0:
		return aLink
	default:
		return special
	}
}

// outside is what others see at the path.
func (t *Tree) outside(name string) (string, error) {
	switch found, err := t.disk.root.Lstat(name); {
	case err == nil:
		return kindOf(found.Mode()), nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nothing, nil
	default:
		return "", err
	}
}

// inside is what the branch sees at the path: what it has changed, else what
// others see.
func (b *Branch) inside(name string) (string, error) {
	s, changed := b.steps[name]
	switch {
	case !changed:
		return b.tree.outside(name)
	case s.Do == place:
		return b.tree.outside(b.staged(s))
	case s.Do == makeDir:
		return aDirectory, nil
	default:
		return nothing, nil
	}
}

// parents says whether all that is above the path are directories, and no links:
// a file must have one name only, or it could not be locked.
func (b *Branch) parents(name string, look func(string) (string, error)) error {
	for _, dir := range above(name) {
		switch is, err := look(dir); {
		case err != nil:
			return err
		case is == nothing:
			return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		case is != aDirectory:
			return &KindError{Path: dir, Is: is, Want: aDirectory}
		}
	}
	return nil
}

// target says whether a file or link can come to the path.
func (b *Branch) target(name string) error {
	if err := b.parents(name, b.inside); err != nil {
		return err
	}
	if b.steps[name].Do == removeDir {
		return &KindError{Path: name, Is: removedDir, Want: fileOrLink}
	}
	is, err := b.inside(name)
	if err == nil && (is == aDirectory || is == special) {
		err = &KindError{Path: name, Is: is, Want: fileOrLink}
	}
	return err
}

// empty says whether the branch sees nothing in a directory.
func (b *Branch) empty(dir string) error {
	for name, s := range b.steps {
		if path.Dir(name) == dir && s.Do != remove && s.Do != removeDir {
			return &KindError{Path: dir, Is: fullDir, Want: emptyDir}
		}
	}
	// What the branch does not remove shows among the first names that are more
	// than it has steps.
	names, err := b.tree.disk.names(dir, len(b.steps)+1)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, fs.ErrNotExist): // none, or made by this branch
		return nil
	case err != nil:
		return err
	}
	for _, n := range names {
		if s := b.steps[path.Join(dir, n)]; s.Do != remove && s.Do != removeDir {
			return &KindError{Path: dir, Is: fullDir, Want: emptyDir}
		}
	}
	return nil
}

// Open opens a file for reading, as the branch sees it: with its own changes, and
// with what other branches have committed so far. It follows symbolic links. What
// was opened stays readable until it is closed.
func (b *Branch) Open(name string) (f fs.File, err error) {
	if err := checkPath(name); err != nil {
		return nil, err
	}
	err = b.do(func() error {
		if err := b.parents(name, b.inside); err != nil {
			return err
		}
		switch is, err := b.inside(name); {
		case err != nil:
			return err
		case is == nothing:
			return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		case is != aFile:
			return &KindError{Path: name, Is: is, Want: aFile}
		}
		real := name
		if s := b.steps[name]; s.Do == place {
			real = b.staged(s)
		}
		f, err = b.tree.disk.root.Open(real)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// ReadFile reads a whole file, like [Branch.Open].
func (b *Branch) ReadFile(name string) ([]byte, error) {
	f, err := b.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}
