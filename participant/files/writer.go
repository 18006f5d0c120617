package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// writer writes one staged file.
type writer struct {
	branch *Branch
	step   step // what the file becomes when it is closed; its size is guarded by the branch
	f      *os.File

	mu   sync.Mutex // held by who writes, and not by who ends the branch
	over error      // why there is nothing more to write
}

// create begins a staged file.
func (b *Branch) create(name string, perm fs.FileMode) (*writer, error) {
	if err := errors.Join(checkPath(name), checkPerm(name, perm)); err != nil {
		return nil, err
	}
	w := &writer{branch: b, step: step{Path: name, Do: putFile}}
	err := b.do(func() error {
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
		w.step.Staged = staged
		if w.f, err = b.tree.disk.create(b.staged(w.step), perm); err != nil {
			return err
		}
		b.writers[w] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Write implements io.Writer.
func (w *writer) Write(data []byte) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over != nil {
		return 0, w.over
	}
	if n, err = w.write(data); err != nil {
		w.fail(err)
	}
	return n, err
}

// Close implements io.Closer.
func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over != nil {
		return w.over
	}
	if err := w.keep(); err != nil {
		w.fail(err)
		return err
	}
	w.over = fmt.Errorf("files: %q: %w", w.step.Path, fs.ErrClosed)
	return nil
}

// fail has the branch refused: the application may not look at every answer of a
// writer.
func (w *writer) fail(err error) {
	w.over = err
	w.abandon()
	w.branch.mu.Lock()
	defer w.branch.mu.Unlock()
	if w.branch.broken == nil {
		w.branch.broken = fmt.Errorf("files: %q could not be written: %w", w.step.Path, err)
	}
}

func (w *writer) write(data []byte) (n int, err error) {
	b := w.branch
	leave, err := b.tree.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	if err := b.locked(func() error { return w.grow(int64(len(data))) }); err != nil {
		return 0, err
	}
	err = b.tree.disk.call("write", b.staged(w.step), func() error {
		n, err = w.f.Write(data)
		return err
	})
	return n, w.explained(err)
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

// explained is why the branch is over, where that has closed the file.
func (w *writer) explained(err error) error {
	if !errors.Is(err, fs.ErrClosed) {
		return err
	}
	return errors.Join(w.branch.locked(func() error { return nil }), err)
}

// keep makes the file durable, and part of the branch. It is closed, whatever
// happens.
func (w *writer) keep() error {
	b := w.branch
	leave, err := b.tree.enter()
	if err != nil {
		return err
	}
	defer leave()
	err = b.tree.disk.call("sync", b.staged(w.step), w.f.Sync)
	if err = errors.Join(err, w.f.Close()); err != nil {
		w.abandon()
		return w.explained(err)
	}
	return b.do(func() error {
		delete(b.writers, w)
		b.put(w.step)
		return nil
	})
}

// abandon leaves the branch as if the file had never been begun.
func (w *writer) abandon() {
	_ = w.f.Close()
	b := w.branch
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, mine := b.writers[w]; !mine {
		return
	}
	delete(b.writers, w)
	b.size -= w.step.size
	_ = b.tree.disk.remove(b.staged(w.step)) // else it goes with the directory
}
