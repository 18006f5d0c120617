package wal

import (
	"errors"
	"os"
	"path/filepath"
)

func createFile(path string) (File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

// fill writes a new file's first content and makes sure that it is there.
func fill(f File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// replace gives the new file its name, in place of the old one, for good.
func replace(path string) error {
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
