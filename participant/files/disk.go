package files

import (
	"errors"
	"io/fs"
	"os"
)

// disk is the tree's directory. Every call that changes or syncs something goes
// through around, one at a time, so that a test can let it fail, or end the
// process before it, after it or within.
type disk struct {
	root   *os.Root
	around func(call, path string, do func() error) error
}

func (d *disk) call(name, path string, do func() error) error {
	if d.around == nil {
		return do()
	}
	return d.around(name, path, do)
}

// mkdir makes a directory, if it is not there.
func (d *disk) mkdir(path string, perm fs.FileMode) error {
	return d.call("mkdir", path, func() error {
		if err := d.root.Mkdir(path, perm); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// create makes a file for writing that must not be there.
func (d *disk) create(path string, perm fs.FileMode) (f *os.File, err error) {
	err = d.call("create", path, func() error {
		f, err = d.root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
		return err
	})
	return f, err
}

func (d *disk) rename(from, to string) error {
	return d.call("rename", to, func() error { return d.root.Rename(from, to) })
}

func (d *disk) link(from, to string) error {
	return d.call("link", to, func() error { return d.root.Link(from, to) })
}

func (d *disk) symlink(target, path string) error {
	return d.call("symlink", path, func() error { return d.root.Symlink(target, path) })
}

// remove removes a file, a link or an empty directory, if it is there.
func (d *disk) remove(path string) error {
	return d.call("remove", path, func() error {
		if err := d.root.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

func (d *disk) removeAll(path string) error {
	return d.call("removeAll", path, func() error { return d.root.RemoveAll(path) })
}

// sync makes the names in a directory durable.
func (d *disk) sync(path string) error {
	return d.call("syncdir", path, func() error {
		f, err := d.root.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(syncDirectory(f), f.Close())
	})
}

// names lists up to n names in a directory; all for n <= 0.
func (d *disk) names(path string, n int) ([]string, error) {
	f, err := d.root.Open(path)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(n)
	return names, errors.Join(err, f.Close())
}

// present tells whether there is anything at the path.
func (d *disk) present(path string) (bool, error) {
	switch _, err := d.root.Lstat(path); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, err
	}
}
