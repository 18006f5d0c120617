//go:build unix

package files

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/seed-d36415c0/dtc/participant/internal/wal"
)

var errCrash = errors.New("the process has ended")

// faults is between a tree and its directory. It counts the calls, lets one of
// them fail, or has the process end there: from then on nothing happens any more.
// What was synced it notes in a model of the disk instead of syncing it.
type faults struct {
	dir  string
	disk *diskModel // may be nil

	mu    sync.Mutex
	calls []string
	at    int   // the call at which it happens, from 1; 0 is never
	fail  error // what happens: this error, or the end where it is nil
	torn  bool  // the end comes within the call
	ended bool
}

func (f *faults) options() *Options {
	return &Options{around: f.around, create: f.create}
}

func (f *faults) around(call, name string, do func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call+" "+name)
	if f.ended {
		return errCrash
	}
	if f.disk != nil {
		f.disk.noteLog()
	}
	if len(f.calls) == f.at {
		if f.fail != nil {
			return f.fail
		}
		f.ended = true
		if f.torn && call == "removeAll" {
			f.removeHalf(name)
		}
		return errCrash
	}
	if call == "sync" || call == "syncdir" {
		return f.noteSync(call, name)
	}
	err := do()
	if f.disk != nil && err == nil {
		f.disk.noteNew(call, name)
	}
	return err
}

func (f *faults) noteSync(call, name string) error {
	if _, err := os.Lstat(filepath.Join(f.dir, name)); err != nil {
		return err
	}
	if f.disk != nil && call == "sync" {
		f.disk.syncFile(name)
	} else if f.disk != nil {
		f.disk.syncDir(name)
	}
	return nil
}

// removeHalf removes every other file of a directory.
func (f *faults) removeHalf(name string) {
	entries, _ := os.ReadDir(filepath.Join(f.dir, name))
	for i, e := range entries {
		if i%2 == 0 {
			_ = os.RemoveAll(filepath.Join(f.dir, name, e.Name()))
		}
	}
}

// logFile is the log as the tree writes it.
type logFile struct {
	*os.File
	f    *faults
	name string
}

func (f *faults) create(name string) (wal.File, error) {
	var file *os.File
	err := f.around("create", logPath+".new", func() (err error) {
		file, err = os.Create(name)
		return err
	})
	return &logFile{file, f, logPath + ".new"}, err
}

func (l *logFile) Write(data []byte) (n int, err error) {
	err = l.f.around("write", logPath, func() error {
		n, err = l.File.Write(data)
		return err
	})
	if err != nil && l.f.torn {
		_, _ = l.File.Write(data[:len(data)/2])
	}
	return n, err
}

func (l *logFile) Sync() error {
	if _, err := os.Lstat(filepath.Join(l.f.dir, l.name)); err != nil {
		l.name = logPath // it has its name by now
	}
	return l.f.around("sync", l.name, func() error { return nil })
}

// diskModel knows what of a directory a power failure leaves, at least: names that
// were there when their directory was synced, and content that was there when the
// file was. It tells files apart by inode.
type diskModel struct {
	dir   string
	names map[uint64]map[string]uint64 // by directory
	data  map[uint64]string            // of files; of links, where they lead
	modes map[uint64]os.FileMode
}

// newDiskModel begins with a directory that is all on the disk.
func newDiskModel(dir string) *diskModel {
	m := &diskModel{
		dir:   dir,
		names: make(map[uint64]map[string]uint64),
		data:  make(map[uint64]string),
		modes: make(map[uint64]os.FileMode),
	}
	m.syncAll(".")
	return m
}

func (m *diskModel) syncAll(name string) {
	m.syncDir(name)
	for entry := range m.names[m.inode(name)] {
		switch child := path.Join(name, entry); m.mode(child).Type() {
		case os.ModeDir:
			m.syncAll(child)
		case 0:
			m.syncFile(child)
		}
	}
}

func (m *diskModel) inode(name string) uint64 {
	info, err := os.Lstat(filepath.Join(m.dir, name))
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func (m *diskModel) mode(name string) os.FileMode {
	info, err := os.Lstat(filepath.Join(m.dir, name))
	if err != nil {
		return 0
	}
	return info.Mode()
}

func (m *diskModel) syncFile(name string) {
	data, err := os.ReadFile(filepath.Join(m.dir, name))
	if err == nil {
		m.data[m.inode(name)], m.modes[m.inode(name)] = string(data), m.mode(name)
	}
}

func (m *diskModel) syncDir(name string) {
	m.names[m.inode(name)], m.modes[m.inode(name)] = m.list(name), m.mode(name)
}

// list notes of what kind the entries are, too.
func (m *diskModel) list(name string) map[string]uint64 {
	all := make(map[string]uint64)
	entries, _ := os.ReadDir(filepath.Join(m.dir, name))
	for _, e := range entries {
		child := path.Join(name, e.Name())
		i := m.inode(child)
		all[e.Name()], m.modes[i] = i, m.mode(child)
		if e.Type() == os.ModeSymlink {
			m.data[i], _ = os.Readlink(filepath.Join(m.dir, child))
		}
	}
	return all
}

// noteNew forgets what an inode was before.
func (m *diskModel) noteNew(call, name string) {
	switch call {
	case "create":
		delete(m.data, m.inode(name))
	case "mkdir":
		if len(m.list(name)) == 0 {
			delete(m.names, m.inode(name))
		}
	}
}

// noteLog has the log's new name on the disk when the log has put it there, which
// it does right after the new file's first sync.
func (m *diskModel) noteLog() {
	log, in := m.inode(logPath), m.inode(Dir)
	if _, synced := m.data[log]; synced && m.names[in] != nil && m.names[in]["log"] != log {
		m.names[in]["log"] = log
		delete(m.names[in], "log.new")
	}
}

// survive makes the directory that a power failure leaves: what was synced, and by
// chance, where there is any, more.
func (m *diskModel) survive(to string, chance *rand.Rand) error {
	m.noteLog()
	s := &survivors{diskModel: m, chance: chance, made: make(map[uint64]string)}
	if err := s.directory(m.inode("."), ".", to); err != nil {
		return err
	}
	return nil
}

// survivors makes one such directory.
type survivors struct {
	*diskModel
	chance *rand.Rand
	made   map[uint64]string // where each file is
}

func (s *survivors) lucky() bool { return s.chance != nil && s.chance.IntN(2) == 0 }

// directory makes the entries of one. An unsynced name may be there as well; a name
// that was removed stays, as what it named may have no other.
func (s *survivors) directory(inode uint64, name, to string) error {
	entries := make(map[string]uint64)
	for entry, i := range s.names[inode] {
		entries[entry] = i
	}
	if s.inode(name) == inode {
		now := s.list(name)
		for _, entry := range slices.Sorted(maps.Keys(now)) {
			if s.lucky() {
				entries[entry] = now[entry]
			}
		}
	}
	for _, entry := range slices.Sorted(maps.Keys(entries)) {
		if err := s.entry(entries[entry], path.Join(name, entry), filepath.Join(to, entry)); err != nil {
			return err
		}
	}
	return nil
}

func (s *survivors) entry(i uint64, name, to string) error {
	mode := s.modes[i]
	switch {
	case strings.HasSuffix(name, ".lock"):
		return nil
	case mode.IsDir():
		if err := os.Mkdir(to, mode.Perm()); err != nil {
			return err
		}
		return s.directory(i, name, to)
	case s.made[i] != "":
		return os.Link(s.made[i], to)
	}
	s.made[i] = to
	if mode&os.ModeSymlink != 0 {
		return os.Symlink(s.data[i], to)
	}
	data := s.data[i]
	if now, err := os.ReadFile(filepath.Join(s.dir, name)); err == nil && s.inode(name) == i && s.lucky() && len(now) > len(data) {
		data = string(now[:len(data)+s.chance.IntN(len(now)-len(data)+1)])
	}
	return os.WriteFile(to, []byte(data), mode.Perm())
}
