package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// Expectation is what must be at a path when a branch is prepared, and stays so
// until the branch is decided. Of Absent, SHA256 and Modified one is set, or none:
// then the path only stays as it is.
type Expectation struct {
	// Absent expects that there is nothing.
	Absent bool `json:"absent,omitempty"`
	// SHA256 expects a file whose content has this hash, in hexadecimal.
	SHA256 string `json:"sha256,omitempty"`
	// Modified and Size expect a file that was modified at this time and has so many
	// bytes. It is cheap and weaker than a hash: content of the same size within the
	// resolution of the file system's clock is not told apart.
	Modified time.Time `json:"modified,omitzero"`
	Size     int64     `json:"size,omitempty"`
}

// Absent expects that there is nothing.
func Absent() Expectation { return Expectation{Absent: true} }

// Content expects a file with this content.
func Content(data []byte) Expectation {
	sum := sha256.Sum256(data)
	return Expectation{SHA256: hex.EncodeToString(sum[:])}
}

// Unchanged expects a file of the same size and modification time.
func Unchanged(file fs.FileInfo) Expectation {
	return Expectation{Modified: file.ModTime(), Size: file.Size()}
}

// check refuses an expectation that is none, or several.
func (e Expectation) check(name string) error {
	set := 0
	for _, is := range []bool{e.Absent, e.SHA256 != "", !e.Modified.IsZero()} {
		if is {
			set++
		}
	}
	sum, err := hex.DecodeString(e.SHA256)
	switch {
	case set > 1:
		return &PathError{Path: name, Reason: "more than one of Absent, SHA256 and Modified is expected"}
	case e.SHA256 != "" && (err != nil || len(sum) != sha256.Size):
		return &PathError{Path: name, Reason: "the expected SHA256 is not 64 hexadecimal digits"}
	case e.Size != 0 && e.Modified.IsZero():
		return &PathError{Path: name, Reason: "a size is expected without a time of modification"}
	}
	return nil
}

// expect is an expectation of one path.
type expect struct {
	path string
	Expectation
}

// Expect has the branch refused with a [*ChangedError] when it is prepared, unless
// the path is then as expected. What the branch itself changes does not count: it
// is about what others see. From then on other branches are kept from changing the
// path, until the branch is decided; before, they are not.
func (b *Branch) Expect(name string, e Expectation) error {
	if err := errors.Join(checkPath(name), e.check(name)); err != nil {
		return err
	}
	return b.do(func() error {
		if err := b.room(1); err != nil {
			return err
		}
		b.expects = append(b.expects, expect{name, e})
		return nil
	})
}

// meet keeps what is expected as it is, and compares it. It is not kept before, or
// two branches that read a file and then write it would always refuse each other.
func (b *Branch) meet(ctx context.Context) error {
	var claims []claim
	for _, e := range b.expects {
		b.shared[e.path] = struct{}{}
		claims = append(claims, share(e.path)...)
	}
	err := b.tree.locks.take(b.owner, claims)
	if conflict := (*ConflictError)(nil); errors.As(err, &conflict) && b.tree.sweep() {
		err = b.tree.locks.take(b.owner, claims)
	}
	if err != nil {
		return err
	}
	for _, e := range b.expects {
		if err := b.met(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// met compares what is there.
func (b *Branch) met(ctx context.Context, e expect) error {
	t := b.tree
	if err := b.parents(e.path, t.outside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	found, err := t.disk.root.Lstat(e.path)
	is := nothing
	switch {
	case err == nil:
		is = kindOf(found.Mode())
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	changed := &ChangedError{Path: e.path, Want: aFile, Found: is}
	switch {
	case e.Absent:
		if changed.Want = nothing; is == nothing {
			return nil
		}
		return changed
	case e.SHA256 == "" && e.Modified.IsZero():
		return nil
	case is != aFile:
		return changed
	case e.SHA256 != "":
		sum, err := t.sum(ctx, e.path)
		if err != nil || strings.EqualFold(sum, e.SHA256) {
			return err
		}
		changed.Want, changed.Found = "SHA-256 "+e.SHA256, "SHA-256 "+sum
		return changed
	}
	if found.ModTime().Equal(e.Modified) && found.Size() == e.Size {
		return nil
	}
	changed.Want, changed.Found = version(e.Size, e.Modified), version(found.Size(), found.ModTime())
	return changed
}

func version(size int64, at time.Time) string {
	return fmt.Sprintf("%d bytes of %s", size, at.UTC().Format(time.RFC3339Nano))
}

// sum is the hash of a file's content.
func (t *Tree) sum(ctx context.Context, name string) (sum string, err error) {
	f, err := t.disk.root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	for err == nil {
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(h, f, 1<<20)
		}
	}
	if err != io.EOF {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
