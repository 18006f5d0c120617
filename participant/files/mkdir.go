package files

import (
	"errors"
	"fmt"
	"io/fs"
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
		var made []string
		wanted := claim(name, use)
		for _, dir := range append(above(name), name) {
			_, changed := b.steps[dir]
			switch is, err := b.inside(dir); {
			case err != nil:
				return err
			case is == nothing && b.steps[dir].Do == remove:
				return &KindError{Path: dir, Is: removedFile, Want: aDirectory}
			case is == nothing:
				wanted.and(dir, create)
				made = append(made, dir)
			case is != aDirectory:
				return &KindError{Path: dir, Is: is, Want: aDirectory}
			case dir == name && !changed: // it must still be there
				made = append(made, dir)
			}
		}
		if err := b.claim(wanted, made...); err != nil {
			return err
		}
		for _, dir := range made {
			b.put(step{Path: dir, Do: makeDir, Perm: perm})
		}
		return nil
	})
}
