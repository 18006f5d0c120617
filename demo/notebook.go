package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// notebook is a file to which lines of JSON are added. Every line is handed to
// the operating system before add returns, so it survives a kill of the process;
// what is to survive a power failure is forced.
type notebook struct {
	mu   sync.Mutex
	file *os.File
}

// openNotebook opens the file, or makes it, and hands every line in it to use. A
// last line without its end is what a kill in the middle of a write leaves; it is
// cut off.
func openNotebook(path string, use func(data []byte) error) (*notebook, error) {
	whole, err := readNotebook(path, use)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Truncate(int64(whole)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &notebook{file: file}, nil
}

// readNotebook hands every whole line to use, and returns how many bytes they
// take. A file that does not exist is empty.
func readNotebook(path string, use func(data []byte) error) (whole int, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for n := 1; ; n++ {
		end := bytes.IndexByte(data[whole:], '\n')
		if end < 0 {
			return whole, nil
		}
		if err := use(data[whole : whole+end]); err != nil {
			return whole, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		whole += end + 1
	}
}

// notes gathers lines that are added together.
type notes struct{ text []byte }

func (n *notes) add(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // text and numbers always encode
	}
	n.text = append(append(n.text, data...), '\n')
}

// add adds one line.
func (b *notebook) add(v any) error {
	var n notes
	n.add(v)
	return b.write(n)
}

// force adds lines and returns when they, and all before, are on stable storage.
func (b *notebook) force(n notes) error {
	if err := b.write(n); err != nil {
		return err
	}
	return b.file.Sync()
}

func (b *notebook) write(n notes) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.file.Write(n.text)
	return err
}

func (b *notebook) close() error { return b.file.Close() }
