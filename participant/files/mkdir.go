package files

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// MkdirAll has a directory at the path when the branch commits, and at each path
// above it. Those that are made get perm, less the umask, which must allow the
// owner to write and search. Several branches may make the same directory. It
// refuses as [Branch.WriteFile] does.
func (b *Branch) MkdirAll(name string, perm fs.FileMode) error {
	if err := errors.Join(checkPath(name), checkPerm(name, perm)); err != nil {
		return err
	}
	if perm&0o300 != 0o300 {
		return &PathError{Path: name, Reason: fmt.Sprintf("a directory needs mode 0300 at least, not %#o", perm)}
	}
	return b.do(func() error {
		var missing []step
		claims := share(name)
		for _, c := range slices.Backward(append([]claim{{path: name}}, above(name)...)) {
			switch is, err := b.inside(c.path); {
			case err != nil:
				return err
			case is == nothing && b.steps[c.path].Do == remove:
				return &KindError{Path: c.path, Is: removedFile, Want: aDirectory}
			case is == nothing:
				missing = append(missing, step{Path: c.path, Do: makeDir, Perm: perm})
			case is != aDirectory:
				return &KindError{Path: c.path, Is: is, Want: aDirectory}
			}
		}
		if err := b.claim(len(missing)+1, claims); err != nil {
			return err
		}
		for _, s := range missing {
			b.put(s)
		}
		b.shared[name] = struct{}{}
		return nil
	})
}
