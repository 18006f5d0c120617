package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// damages is what was counted of damaged files.
type damages struct {
	Flipped  int `json:"bytes flipped"`
	Cut      int `json:"files cut"`
	Refused  int `json:"refused with a typed error"`
	Harmless int `json:"harmless as everything was read"`
	Torn     int `json:"flips in the last write which were taken for a torn one"`
	Shorter  int `json:"cut files which were read up to the cut"`
	Wrong    int `json:"read changed or lost without an error"`
}

// saves is how many writes a file has. Each is of its own transaction.
const saves = 5

// file is a kind of file that a participant keeps, with what was written to it in
// order.
type file interface {
	// write makes a new file.
	write(path string) error
	// read opens the file, and tells how many writes it holds.
	read(path string) (int, error)
}

// In the files of participants each byte is flipped, and each file is cut at each
// length: what was written is read, or an error of a type says that it cannot be.
// Only the last write can be taken for a torn one, and of a file that is cut
// nobody can tell what was behind: what is before the cut is read.
func TestDamagedFiles(t *testing.T) {
	ids := make([]uuid.UUID, saves)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
	}
	samples := 15
	if proof.Wanted() {
		samples = 1 << 20
	}
	var all damages
	for name, f := range map[string]file{"filestore": storeFile(ids), "ledger": ledgerFile(ids)} {
		path := filepath.Join(t.TempDir(), name)
		if err := f.write(path); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, len(content)/samples)
		for at := rand.IntN(step); at < len(content); at += step {
			flipped := slices.Clone(content)
			flipped[at] ^= 1 << rand.IntN(8)
			all.Flipped++
			all.check(t, f, path, fmt.Sprintf("%s, byte %d flipped to %#x", name, at, flipped[at]), flipped, saves-1)
			all.Cut++
			all.check(t, f, path, fmt.Sprintf("%s, cut at %d", name, at), content[:at], 0)
		}
	}
	if all.Refused == 0 || all.Torn+all.Shorter == 0 {
		t.Errorf("damage was not noticed: %+v", all)
	}
	proof.Note(t, "damaged_files", all)
}

// check opens a damaged file that holds at least so many writes, or is refused.
func (d *damages) check(t *testing.T, f file, path, what string, content []byte, least int) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := f.read(path)
	switch {
	case errors.Is(err, filestore.ErrCorrupt), errors.Is(err, filestore.ErrFormat):
		d.Refused++
	case err != nil:
		d.Wrong++
		t.Errorf("%s: %v", what, err)
	case n == saves:
		d.Harmless++
	case n >= least && least > 0:
		d.Torn++
	case n >= least:
		d.Shorter++
	default:
		d.Wrong++
		t.Errorf("%s: %d of %d writes are there, and no error", what, n, saves)
	}
}

// prefix counts how many of the first are there; there must be no gap.
func prefix(there []bool) (int, error) {
	n := slices.Index(append(there, false), false)
	if slices.Contains(there[n:], true) {
		return 0, fmt.Errorf("number %d is missing, and a later one is there", n+1)
	}
	return n, nil
}

type storeFile []uuid.UUID

func (ids storeFile) key(i int) participant.Key {
	return participant.Key{Coordinator: "shop", Transaction: ids[i], Participant: "stock"}
}

func (ids storeFile) write(path string) error {
	s, err := filestore.Open(path, nil)
	if err != nil {
		return err
	}
	for i := range ids {
		err = errors.Join(err, s.Save(background, ids.key(i), participant.Committed))
	}
	return errors.Join(err, s.Close())
}

func (ids storeFile) read(path string) (int, error) {
	s, err := filestore.Open(path, nil)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	there := make([]bool, len(ids))
	for i := range ids {
		state, err := s.Load(background, ids.key(i))
		if err != nil || state != participant.Committed && state != participant.Unknown {
			return 0, fmt.Errorf("number %d is %v, %v", i+1, state, err)
		}
		there[i] = state == participant.Committed
	}
	return prefix(there)
}

type ledgerFile []uuid.UUID

func (ids ledgerFile) write(path string) error {
	l, err := ledger.Open("bank", path, nil)
	if err != nil {
		return err
	}
	err = errors.Join(l.Seed(map[string]ledger.Account{"alice": {Balance: 100}}), l.Close())
	if err != nil {
		return err
	}
	if l, err = ledger.Open("bank", path, nil); err != nil { // the account is in the first frame now
		return err
	}
	one := ledger.Payload{Entries: []ledger.Entry{{Account: "alice", Delta: 1}}}
	for _, id := range ids {
		err = errors.Join(err, l.CommitOnePhase(background, participant.Branch{Coordinator: "shop", Transaction: id, Payload: one.Encode()}))
	}
	return errors.Join(err, l.Close())
}

func (ids ledgerFile) read(path string) (int, error) {
	l, err := ledger.Open("bank", path, nil)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	there := make([]bool, len(ids))
	for i, id := range ids {
		state, err := l.Branch("shop", id)
		if err != nil {
			return 0, err
		}
		there[i] = state == participant.Committed
	}
	n, err := prefix(there)
	if err != nil {
		return 0, err
	}
	if balance, err := l.Balance("alice"); err != nil || balance != int64(100+n) {
		return 0, fmt.Errorf("of %d deposits the balance is %d, %v", n, balance, err)
	}
	return n, nil
}
