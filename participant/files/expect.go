package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strings"
)

// Expect is what must be at a path when a branch is prepared, and stays so until
// the branch is decided: nothing, or a file whose content has a hash.
type Expect struct {
	Path string `json:"path"`
	// Absent expects nothing there. Then there is no SHA256.
	Absent bool `json:"absent,omitempty"`
	// SHA256 of the file's content, in hexadecimal.
	SHA256 string `json:"sha256,omitempty"`
}

// Absent expects that there is nothing at the path.
func Absent(name string) Expect { return Expect{Path: name, Absent: true} }

// Content expects a file with this content.
func Content(name string, data []byte) Expect {
	sum := sha256.Sum256(data)
	return Expect{Path: name, SHA256: hex.EncodeToString(sum[:])}
}

func (e Expect) check() error {
	sum, err := hex.DecodeString(e.SHA256)
	switch {
	case e.Absent != (e.SHA256 == ""):
		return &PathError{Path: e.Path, Reason: "what is expected there is either Absent or a SHA256"}
	case !e.Absent && (err != nil || len(sum) != sha256.Size):
		return &PathError{Path: e.Path, Reason: "the expected SHA256 is not 64 hexadecimal digits"}
	}
	return checkPath(e.Path)
}

// Expect has the branch refused with a [*ChangedError] when it is prepared, unless
// the path is then as expected. What the branch itself changes does not count: it
// is about what others see. From then on other branches are kept from changing the
// path, until the branch is decided; before, they are not.
func (b *Branch) Expect(e Expect) error {
	if err := e.check(); err != nil {
		return err
	}
	return b.do(func() error {
		if err := b.room(); err != nil {
			return err
		}
		b.expects = append(b.expects, e)
		return nil
	})
}

// meet keeps what is expected as it is, and compares it. It is not kept before, or
// two branches that read a file and then write it would always refuse each other.
func (b *Branch) meet(ctx context.Context) error {
	c := make(claims)
	for _, e := range b.expects {
		c.and(e.Path, keep)
	}
	err := b.patiently(func() error { return b.tree.locks.take(b.owner, c) })
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
func (b *Branch) met(ctx context.Context, e Expect) error {
	if err := b.parents(e.Path, b.tree.outside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	is, err := b.tree.outside(e.Path)
	switch {
	case err != nil:
		return err
	case e.Absent && is == nothing:
		return nil
	case e.Absent:
		return &ChangedError{Path: e.Path, Want: nothing, Found: is}
	case is != aFile:
		return &ChangedError{Path: e.Path, Want: aFile, Found: is}
	}
	sum, err := b.tree.sum(ctx, e.Path)
	if err != nil || strings.EqualFold(sum, e.SHA256) {
		return err
	}
	return &ChangedError{Path: e.Path, Want: "SHA-256 " + e.SHA256, Found: "SHA-256 " + sum}
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
