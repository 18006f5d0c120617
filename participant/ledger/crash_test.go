package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/participant"
)

// TestKill moves money between accounts from many goroutines while the file is
// replaced again and again, and is killed.
func TestKill(t *testing.T) {
	const accounts, start = 4, 1_000_000
	open := func(dir string) (*Ledger, error) {
		return Open("stock", filepath.Join(dir, "ledger"), &Options{slack: 1})
	}
	work := func(dir string, ack func(string)) error {
		l, err := open(dir)
		if err != nil {
			return err
		}
		m := map[string]Account{}
		for i := range accounts {
			m[fmt.Sprint(i)] = Account{Balance: start}
		}
		if err := l.Seed(m); err != nil {
			return err
		}
		failed := make(chan error)
		for range 16 {
			go func() {
				for {
					if err := transfer(l, accounts, ack); err != nil {
						failed <- err
					}
				}
			}()
		}
		return <-failed
	}
	verify := func(dir string, acked []string) {
		l, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all, err := l.Accounts()
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, a := range all {
			sum += a.Balance
		}
		if sum != accounts*start {
			t.Fatalf("the balances %v add up to %d", all, sum)
		}
		verifyBranches(t, l, acked)
	}
	crashtest.Run(t, 6, work, verify)
}

// transfer takes one branch through prepare and, mostly, on to its end.
func transfer(l *Ledger, accounts int, ack func(string)) error {
	from := rand.IntN(accounts)
	b := branch(Entry{fmt.Sprint(from), -1}, Entry{fmt.Sprint((from + 1) % accounts), +1})
	if err := l.Prepare(ctx, b); err != nil {
		return err
	}
	ack(fmt.Sprint(b.Transaction, " ", uint8(participant.Prepared)))
	switch rand.IntN(4) {
	case 0:
		return nil
	case 1:
		if err := l.Rollback(ctx, b); err != nil {
			return err
		}
		ack(fmt.Sprint(b.Transaction, " ", uint8(participant.RolledBack)))
	default:
		if err := l.Commit(ctx, b); err != nil {
			return err
		}
		ack(fmt.Sprint(b.Transaction, " ", uint8(participant.Committed)))
	}
	return nil
}

// verifyBranches checks that every branch is where it was acknowledged to be, or
// one step further, and that the prepared ones are those in doubt.
func verifyBranches(t *testing.T, l *Ledger, acked []string) {
	t.Helper()
	known := map[uuid.UUID]participant.State{}
	for _, line := range acked {
		var id string
		var s participant.State
		if _, err := fmt.Sscan(line, &id, &s); err != nil {
			t.Fatal(err)
		}
		known[uuid.MustParse(id)] = max(known[uuid.MustParse(id)], s)
	}
	doubt, err := l.InDoubt(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range known {
		got, err := l.Branch("c", id)
		if err != nil || got != want && !(want == participant.Prepared && got.Settled()) {
			t.Fatalf("%s is %v, %v; %v was acknowledged", id, got, err, want)
		}
		if slices.Contains(doubt, id) != (got == participant.Prepared) {
			t.Fatalf("%s is %v, and in doubt: %t", id, got, got != participant.Prepared)
		}
	}
}

// TestTornTail cuts the file at every byte of its last write.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger")
	l := open(t, path, nil)
	seed(t, l, 10, "a")
	b := branch(Entry{"a", -3})
	must(t, l.Prepare(ctx, b))
	before, err := os.ReadFile(path)
	must(t, err, l.Commit(ctx, b))
	after, err := os.ReadFile(path)
	must(t, err)
	for cut := len(before); cut <= len(after); cut++ {
		torn := filepath.Join(dir, "torn")
		must(t, os.WriteFile(torn, after[:cut], 0o600))
		l := open(t, torn, nil)
		if cut < len(after) {
			balance(t, l, "a", 10)
			reserved(t, l, map[string]int64{"a": 3})
			must(t, l.Commit(ctx, b)) // the coordinator was not answered, so it asks again
		}
		balance(t, l, "a", 7)
		reserved(t, l, nil)
		must(t, l.Close())
	}
}

// TestDamage flips every byte but those of the last write.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger")
	l := open(t, path, nil)
	seed(t, l, 10, "a")
	must(t, l.CommitOnePhase(ctx, branch(Entry{"a", -3})))
	good, err := os.ReadFile(path)
	must(t, err, l.CommitOnePhase(ctx, branch(Entry{"a", -3})))
	data, err := os.ReadFile(path)
	must(t, err)
	for at := range good {
		flipped := slices.Clone(data)
		flipped[at] ^= 1
		bad := filepath.Join(dir, "bad")
		must(t, os.WriteFile(bad, flipped, 0o600))
		_, err := Open("stock", bad, nil)
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
			t.Fatalf("flipped at %d of %d: %v", at, len(good), err)
		}
		if !strings.Contains(err.Error(), bad) {
			t.Fatalf("the error does not name the file: %v", err)
		}
	}
}

// badDisk fails every sync once told to.
type badDisk struct {
	mu    sync.Mutex
	bad   bool
	syncs int
}

type badFile struct {
	*os.File
	disk *badDisk
}

var errDisk = errors.New("input/output error")

func (f badFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.syncs++
	if f.disk.bad {
		return errDisk
	}
	return f.File.Sync()
}

func TestFailedSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	disk := new(badDisk)
	l := open(t, path, &Options{Create: func(path string) (File, error) {
		f, err := os.Create(path)
		return badFile{f, disk}, err
	}})
	seed(t, l, 10, "a")
	if _, err := Open("stock", path, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open: %v", err)
	}
	b := branch(Entry{"a", -3})
	must(t, l.Prepare(ctx, b))
	disk.bad, disk.syncs = true, 0
	if err := l.Commit(ctx, b); !errors.Is(err, ErrFailed) || !errors.Is(err, errDisk) {
		t.Errorf("Commit: %v", err)
	}
	disk.bad = false
	_, balanceErr := l.Balance("a")
	_, doubtErr := l.InDoubt(ctx, "c")
	for _, err := range []error{l.Commit(ctx, b), l.Prepare(ctx, branch()), l.Seed(nil), balanceErr, doubtErr, l.Close()} {
		if !errors.Is(err, ErrFailed) {
			t.Errorf("after the failure: %v", err)
		}
	}
	if disk.syncs != 1 {
		t.Errorf("%d syncs, not 1", disk.syncs)
	}
	l = open(t, path, nil)
	must(t, l.Commit(ctx, b))
	balance(t, l, "a", 7)
}

func BenchmarkBranches(b *testing.B) {
	l, err := Open("stock", filepath.Join(b.TempDir(), "ledger"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if err := l.Seed(map[string]Account{"a": {Balance: MaxAmount}}); err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			br := branch(Entry{"a", -1})
			if err := errors.Join(l.Prepare(ctx, br), l.Commit(ctx, br)); err != nil {
				b.Error(err)
			}
		}
	})
}
