package files

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
)

// WriteFile has the file contain data when the branch commits: one that is there
// is replaced, and perm, less the umask, is the new file's. The directory must
// exist, or be made by [Branch.MkdirAll].
//
// It refuses with a [*PathError], [*KindError], [*ConflictError], [*LimitError] or
// an error that wraps fs.ErrNotExist, or with what the file system says.
func (b *Branch) WriteFile(name string, data []byte, perm fs.FileMode) error {
	return b.WriteFrom(name, bytes.NewReader(data), perm)
}

// WriteFrom is WriteFile for content that is large: it is read to its end, and is
// the branch's when WriteFrom has returned nil. Prepare does not wait for that.
func (b *Branch) WriteFrom(name string, content io.Reader, perm fs.FileMode) error {
	if err := errors.Join(checkPath(name), checkPerm(name, perm)); err != nil {
		return err
	}
	w := &writer{branch: b, step: step{Path: name, Do: place}}
	err := b.do(func() (err error) {
		if err := b.target(name); err != nil {
			return err
		}
		if err := b.claim(claim(name, change), name); err != nil {
			return err
		}
		if w.step.Staged, err = b.stageName(); err != nil {
			return err
		}
		w.f, err = b.tree.disk.create(b.staged(w.step), perm)
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.Copy(w, content)
	if err = errors.Join(err, w.close(err == nil)); err != nil {
		w.abandon()
	}
	return err
}

// writer writes one staged file.
type writer struct {
	branch *Branch
	step   step // what the file becomes in the end; its size is guarded by the branch
	f      *os.File
}

// Write implements io.Writer, for io.Copy.
func (w *writer) Write(data []byte) (n int, err error) {
	err = w.branch.do(func() error { return w.grow(int64(len(data))) })
	if err != nil {
		return 0, err
	}
	err = w.branch.tree.disk.call("write", w.branch.staged(w.step), func() error {
		n, err = w.f.Write(data)
		return err
	})
	return n, err
}

// grow makes sure that the branch may stage so many bytes more.
func (w *writer) grow(more int64) error {
	b := w.branch
	if size := b.size + more; size > b.tree.o.MaxBytes {
		return &LimitError{Option: "MaxBytes", Limit: b.tree.o.MaxBytes, Value: size}
	}
	b.size += more
	w.step.size += more
	return nil
}

// close closes the file; a whole one is made durable, and part of the branch.
func (w *writer) close(whole bool) (err error) {
	b := w.branch
	if whole {
		err = b.tree.disk.call("sync", b.staged(w.step), w.f.Sync)
	}
	if err = errors.Join(err, w.f.Close()); err != nil || !whole {
		return err
	}
	return b.do(func() error {
		if err := b.room(w.step.Path); err != nil { // others were written meanwhile
			return err
		}
		b.put(w.step)
		return nil
	})
}

// abandon leaves the branch as if the file had never been begun. What cannot be
// removed now goes with the branch's directory.
func (w *writer) abandon() {
	_ = w.branch.locked(func() error {
		w.branch.size -= w.step.size
		return w.branch.tree.disk.remove(w.branch.staged(w.step))
	})
}
