package files

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-d36415c0/dtc/participant/internal/wal"
)

// What no tree has written is not carried out.
func TestForeignRecords(t *testing.T) {
	const id = `"transaction":"0196e0f2-3b1c-7d6e-8f00-1234567890ab"`
	prepare := func(manifest string) string { return `{"op":"prepare",` + id + `,"manifest":` + manifest + `}` }
	good := prepare(`{"stage":"s","steps":[{"path":"a","do":"place","staged":"0"}],"locks":{"a":8}}`)
	for i, record := range []string{
		`{}`, `{"op":"prepare",` + id + `}`, `{"op":"decide",` + id + `}`, prepare(`{"steps":[{"path":"a","do":"remove"}]}`),
		prepare(`{"steps":[{"path":"a","do":"chmod"}],"locks":{"a":8}}`), prepare(`{"steps":[{"path":"../a","do":"remove"}],"locks":{"../a":8}}`),
		prepare(`{"steps":[{"path":"a","do":"remove"}],"locks":{"a":16}}`), prepare(`{"stage":"..","steps":[],"locks":{}}`),
		prepare(`{"stage":"s","steps":[{"path":"a","do":"place","staged":"../0"}],"locks":{"a":8}}`),
		prepare(`{"steps":[{"path":"a","do":"place","staged":"0"}],"locks":{"a":8}}`), good,
	} {
		dir := quick(t)
		must(t, os.MkdirAll(filepath.Join(dir, staging), 0o700))
		l, err := wal.Open(filepath.Join(dir, logPath), raw{[]byte(record)}, wal.Options{Format: format})
		must(t, err, l.Close())
		tree, err := Open("site", dir, nil)
		if (err == nil) != (record == good) || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d: %v", i, err)
		}
		if err == nil {
			must(t, tree.Close())
		}
	}
}

// Records with a checksum that fits, and any content, are a tree's, or damage; and
// nothing outside of the directory is touched.
func FuzzLog(f *testing.F) {
	f.Add([]byte(`{"op":"prepare","transaction":"0196e0f2-3b1c-7d6e-8f00-1234567890ab","manifest":{"stage":"s","steps":[{"path":"a","do":"place","staged":"0"}],"locks":{"a":8}}}`),
		[]byte(`{"op":"decide","transaction":"0196e0f2-3b1c-7d6e-8f00-1234567890ab"}`))
	f.Add([]byte(`{"op":"prepare","transaction":"0196e0f2-3b1c-7d6e-8f00-1234567890ab","manifest":{"stage":"..","steps":[{"path":"../a","do":"remove"}],"locks":{"../a":8}}}`),
		[]byte(`{"op":"commit","transaction":"0196e0f2-3b1c-7d6e-8f00-1234567890ab"}`))
	f.Add([]byte(`{"op":"forget","transaction":"0196e0f2-3b1c-7d6e-8f00-1234567890ab"}`), []byte(`{"op":"rollback"}`))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		parent := t.TempDir()
		fill(t, parent, "beside", "tree/a", "tree/d/")
		dir := filepath.Join(parent, "tree")
		must(t, os.MkdirAll(filepath.Join(dir, staging), 0o700))
		l, err := wal.Open(filepath.Join(dir, logPath), raw{one, two}, wal.Options{Format: format})
		must(t, err, l.Close())
		for again := range 3 {
			tree, err := Open("site", dir, nil)
			if again == 0 && errors.Is(err, ErrCorrupt) {
				break
			}
			must(t, err, second(tree.Pending()), tree.CommitOnePhase(ctx, newBranch(write("new", ""))), tree.Close())
		}
		if got := content(t, parent)["beside"]; got != "beside" {
			t.Errorf("beside the tree there is %q", got)
		}
	})
}

// raw is a log of any records.
type raw [][]byte

func (raw) Replay([]byte) error { return nil }
func (r raw) Snapshot(add func([]byte)) {
	for _, record := range r {
		add(record)
	}
}
