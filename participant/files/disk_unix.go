//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package files

import (
	"io/fs"
	"os"
	"syscall"
)

func syncDirectory(f *os.File) error { return f.Sync() }

// mayChange says whether this process may make and remove names in a directory.
func mayChange(directory string) error {
	const write, search = 2, 1
	if err := syscall.Access(directory, write|search); err != nil {
		return &fs.PathError{Op: "access", Path: directory, Err: err}
	}
	return nil
}

// mayReplace says whether a name in a sticky directory is another user's.
func mayReplace(directory, file fs.FileInfo) error {
	me := uint32(os.Geteuid())
	if directory.Mode()&fs.ModeSticky == 0 || me == 0 || ownerOf(directory) == me || ownerOf(file) == me {
		return nil
	}
	return fs.ErrPermission
}

func ownerOf(f fs.FileInfo) uint32 { return f.Sys().(*syscall.Stat_t).Uid }

// sameDevice tells whether two files are on one file system.
func sameDevice(a, b fs.FileInfo) bool {
	return a.Sys().(*syscall.Stat_t).Dev == b.Sys().(*syscall.Stat_t).Dev
}
