package files

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/seed-d36415c0/dtc/participant"
)

// finish does what a decided branch is to do, and remembers that it is done. It
// may be repeated, from the beginning, after an error or a crash at any point. The
// locks are held to the end: what it does again must not meet a later branch's
// work.
func (t *Tree) finish(ctx context.Context, k participant.Key, p *prepared) error {
	if err := t.carryOut(ctx, &p.manifest); err != nil {
		return err
	}
	if err := t.note(k, record{Op: opCommit}); err != nil {
		return err
	}
	t.locks.release(p.owner)
	t.discard(p.Stage)
	return nil
}

// carryOut does every step, and makes all of it durable.
func (t *Tree) carryOut(ctx context.Context, m *manifest) error {
	var touched []string
	for _, s := range m.Steps {
		touched = append(touched, path.Dir(s.Path))
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.carryOutStep(m, s); err != nil {
			return err
		}
	}
	return t.sync(touched...)
}

// carryOutStep does one step, unless it is done.
func (t *Tree) carryOutStep(m *manifest, s step) error {
	switch s.Do {
	case makeDir:
		return t.disk.mkdir(s.Path, s.Perm)
	case remove, removeDir:
		is, err := t.outside(s.Path)
		if err != nil || is == nothing || (is == aDirectory) != (s.Do == removeDir) {
			return err // gone, or somebody else's since
		}
		if err := t.disk.remove(s.Path); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil // somebody has put something into the directory
	default:
		staged := m.staged(s)
		err := t.disk.rename(staged, s.Path)
		if errors.Is(err, fs.ErrNotExist) {
			if there, looked := t.disk.present(staged); !there {
				return looked // it is in place already
			}
		}
		return err
	}
}

func (m *manifest) staged(s step) string { return path.Join(staging, m.Stage, s.Staged) }

// whole says whether all that is staged is there, before the commit is decided.
func (t *Tree) whole(m *manifest) error {
	for _, s := range m.Steps {
		if s.Staged == "" {
			continue
		}
		there, err := t.disk.present(m.staged(s))
		if err != nil {
			return err
		}
		if !there {
			return &LostError{Path: s.Path, Staged: m.staged(s)}
		}
	}
	return nil
}
