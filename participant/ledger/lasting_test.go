package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
)

func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l := open(t, path, nil)
	seed(t, l, 10, "a")
	prepared, committed, rolledBack := branch(Entry{"a", -1}), branch(Entry{"a", -2}), branch(Entry{"a", -4})
	prepared.Coordinator = "\xff"
	prepared.Payload = Payload{Entries: []Entry{{"a", -1}}, Memo: "order 17"}.Encode()
	must(t, l.Prepare(ctx, prepared), l.Prepare(ctx, committed), l.Prepare(ctx, rolledBack),
		l.Commit(ctx, committed), l.Rollback(ctx, rolledBack))
	for range 2 {
		must(t, l.Close())
		l = open(t, path, nil)
		balance(t, l, "a", 8)
		reserved(t, l, map[string]int64{"a": 1})
		for b, want := range map[*participant.Branch]participant.State{
			&prepared: participant.Prepared, &committed: participant.Committed, &rolledBack: participant.RolledBack,
		} {
			if got, err := l.Branch(b.Coordinator, b.Transaction); got != want || err != nil {
				t.Errorf("branch is %v, %v, not %v", got, err, want)
			}
		}
		all, err := l.Reservations()
		if err != nil || len(all) != 1 || all[0].Memo != "order 17" || all[0].Transaction != prepared.Transaction ||
			!slices.Equal(all[0].Entries, []Entry{{"a", -1}}) {
			t.Errorf("reservations %v, %v", all, err)
		}
	}
	must(t, l.Commit(ctx, prepared))
	balance(t, l, "a", 7)
}

func TestHorizon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	o := &Options{Limit: 3}
	l := open(t, path, o)
	seed(t, l, 100, "a")
	prepared, late, old := branch(Entry{"a", -1}), branch(Entry{"a", -1}), branch(Entry{"a", -1})
	must(t, l.Prepare(ctx, prepared), l.CommitOnePhase(ctx, old))
	for range 3 {
		must(t, l.CommitOnePhase(ctx, branch(Entry{"a", -1})))
	}
	for range 3 { // once as it was, once from what was added, once from a snapshot
		var forgotten *participant.ForgottenError
		for _, b := range []participant.Branch{late, old} {
			_, asked := l.Committed(ctx, b)
			for _, err := range []error{l.Prepare(ctx, b), l.CommitOnePhase(ctx, b), asked} {
				if !errors.As(err, &forgotten) || forgotten.Transaction != b.Transaction || errors.Is(err, participant.ErrRolledBack) {
					t.Errorf("older than the horizon: %v", err)
				}
			}
			must(t, l.Commit(ctx, b), l.Rollback(ctx, b))
		}
		balance(t, l, "a", 96)
		l.Close()
		l = open(t, path, o)
	}
	must(t, l.Prepare(ctx, prepared), l.Commit(ctx, prepared), l.Commit(ctx, prepared))
	balance(t, l, "a", 95)
}

func TestConcurrentDuplicates(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "ledger"), &Options{slack: 1})
	seed(t, l, 1000, "a", "b")
	var all sync.WaitGroup
	for i := range 100 {
		b := branch(Entry{"a", -1}, Entry{"b", +1})
		for range 2 {
			all.Go(func() {
				err := l.Prepare(ctx, b)
				if err == nil && i%2 == 0 {
					err = l.Commit(ctx, b)
				} else if i%2 != 0 {
					err = l.Rollback(ctx, b)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	balance(t, l, "a", 950)
	balance(t, l, "b", 1050)
	reserved(t, l, nil)
}

func TestFileStaysBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l := open(t, path, &Options{Limit: 10, slack: 4096})
	seed(t, l, 0, "a")
	for range 500 {
		b := branch(Entry{"a", +1})
		must(t, l.Prepare(ctx, b), l.Commit(ctx, b))
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 10_000 {
		t.Errorf("the file has %d bytes (%v)", info.Size(), err)
	}
	l.Close()
	balance(t, open(t, path, nil), "a", 500)
}
