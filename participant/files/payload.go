package files

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
)

// Payload is what a branch is to do when it is prepared, in this order. Each entry
// is a call of the [Branch] method of its name.
type Payload struct {
	Expect []Expect `json:"expect,omitempty"`
	// Mkdir are directories that are to be there; they are made with mode 0777, less
	// the umask.
	Mkdir   []string  `json:"mkdir,omitempty"`
	Rename  []Rename  `json:"rename,omitempty"`
	Write   []Write   `json:"write,omitempty"`
	Symlink []Symlink `json:"symlink,omitempty"`
	// Remove are files, links and empty directories.
	Remove []string `json:"remove,omitempty"`
}

// Expect is an expectation of a path: see [Branch.Expect].
type Expect struct {
	Path string `json:"path"`
	Expectation
}

// Rename is a file that gets another path: see [Branch.Rename].
type Rename struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Write is a file and its content: see [Branch.WriteFile].
type Write struct {
	Path string `json:"path"`
	Data []byte `json:"data"`
	// Perm is the file's mode, less the umask; zero means 0666.
	Perm fs.FileMode `json:"perm,omitempty"`
}

// Symlink is a link and what it leads to: see [Branch.Symlink].
type Symlink struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}

// Encode returns the payload as it is enlisted. Content takes a third more than it
// has bytes; the coordinator's Config.MaxPayload bounds it, and a branch that is
// begun is better for large files.
func (p Payload) Encode() []byte {
	data, err := json.Marshal(p)
	if err != nil {
		// Strings, bytes and numbers always encode; a time after the year 9999 does
		// not, and is refused when the branch is prepared.
		return fmt.Appendf(nil, "%q", err.Error())
	}
	return data
}

// Decode reads a payload as a tree does: strictly. What is no payload is refused
// with [*PayloadError].
func Decode(data []byte) (p Payload, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, &PayloadError{Reason: err.Error()}
	}
	if _, err := d.Token(); err != io.EOF {
		return p, &PayloadError{Reason: "something follows the document"}
	}
	return p, nil
}

// perform does what a payload says.
func (b *Branch) perform(ctx context.Context, data []byte) error {
	p, err := Decode(data)
	if err != nil {
		return err
	}
	n := len(p.Expect) + len(p.Mkdir) + len(p.Rename) + len(p.Write) + len(p.Symlink) + len(p.Remove)
	if limit := b.tree.o.MaxFiles; n > limit {
		return &LimitError{Option: "MaxFiles", Limit: int64(limit), Value: int64(n)}
	}
	for _, call := range p.calls(b) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

// calls are the calls of the branch that a payload stands for.
func (p *Payload) calls(b *Branch) (all []func() error) {
	for _, e := range p.Expect {
		all = append(all, func() error { return b.Expect(e.Path, e.Expectation) })
	}
	for _, name := range p.Mkdir {
		all = append(all, func() error { return b.MkdirAll(name, 0o777) })
	}
	for _, r := range p.Rename {
		all = append(all, func() error { return b.Rename(r.From, r.To) })
	}
	for _, w := range p.Write {
		if w.Perm == 0 {
			w.Perm = 0o666
		}
		all = append(all, func() error { return b.WriteFile(w.Path, w.Data, w.Perm) })
	}
	for _, s := range p.Symlink {
		all = append(all, func() error { return b.Symlink(s.Target, s.Path) })
	}
	for _, name := range p.Remove {
		all = append(all, func() error { return b.Remove(name) })
	}
	return all
}
