package files

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// Payload is what a branch is to do when it is prepared, in this order. Each entry
// is a call of the [Branch] method of its name. One without any entry is refused.
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

// Rename is a file that gets another path: see [Branch.Rename].
type Rename struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Write is a file and its content: see [Branch.WriteFile].
type Write struct {
	Path string `json:"path"`
	Data []byte `json:"data,omitempty"`
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
		panic(err) // strings, bytes and numbers always encode
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
	if err := plain(json.NewDecoder(bytes.NewReader(data))); err != nil {
		return p, &PayloadError{Reason: err.Error()}
	}
	if p.entries() == 0 {
		return p, &PayloadError{Reason: "there is nothing in it to do"}
	}
	return p, nil
}

// plain reads one value, which is known to be of a payload's shape, and refuses
// what encoding/json takes without a word: null, a field that is there twice, one
// that is not written as it should be, and text that it would change.
func plain(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token := token.(type) {
	case nil:
		return errors.New("null is no value")
	case string:
		if strings.ContainsRune(token, utf8.RuneError) {
			return errors.New("a text in it is not UTF-8, or was not")
		}
	case json.Delim:
		seen := make(map[any]bool)
		for d.More() {
			if token == '{' {
				name, err := d.Token()
				if err != nil {
					return err
				}
				if seen[name] || strings.Trim(fmt.Sprint(name), "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
					return fmt.Errorf("field %.50q is there twice, or not in lower case", name)
				}
				seen[name] = true
			}
			if err := plain(d); err != nil {
				return err
			}
		}
		_, err = d.Token() // its end
	}
	return err
}

func (p *Payload) entries() int {
	return len(p.Expect) + len(p.Mkdir) + len(p.Rename) + len(p.Write) + len(p.Symlink) + len(p.Remove)
}

// perform does what a payload says.
func (b *Branch) perform(ctx context.Context, data []byte) error {
	p, err := Decode(data)
	if err != nil {
		return err
	}
	if n, limit := p.entries(), b.tree.o.MaxFiles; n > limit {
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
		all = append(all, func() error { return b.Expect(e) })
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
