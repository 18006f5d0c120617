package files

import (
	"io/fs"
	"strings"
	"testing"
)

// All that a payload can say.
func TestPayload(t *testing.T) {
	tree, dir := fresh(t, nil, "old", "gone", "e/")
	commit(t, tree, newBranch(Payload{
		Expect:  []Expect{Content("old", []byte("old")), Absent("d/x")},
		Mkdir:   []string{"d/e"},
		Rename:  []Rename{{"old", "d/old"}},
		Write:   []Write{{Path: "d/e/f", Data: []byte("f"), Perm: 0o600}, {Path: "empty"}},
		Symlink: []Symlink{{"link", "d/e"}},
		Remove:  []string{"gone", "e"},
	}))
	expectContent(t, dir, map[string]string{"d": "/", "d/e": "/", "d/old": "old", "d/e/f": "f", "empty": "", "link": "-> d/e"})
}

// What was begun may have been lost, so a payload is not taken for the rest of it.
func TestBothKindsOfWork(t *testing.T) {
	tree, dir := fresh(t, nil)
	work, b := begun(t, tree)
	again, err := tree.Begin(ctx, b.Transaction)
	if err != nil || again != work {
		t.Errorf("begun again: %p, %v", again, err)
	}
	must(t, work.WriteFile("begun", nil, 0o644))
	b.Payload = write("payload", "").Encode()
	refusedAs[*PayloadError](t, tree.Prepare(ctx, b))
	expectContent(t, dir, map[string]string{})
	nothingStaged(t, dir)
	nothingLocked(t, tree)
}

func TestBadPayload(t *testing.T) {
	tree, dir := fresh(t, nil)
	for _, payload := range []string{"null", "{}", `{"write":[]}`, `{"write":null}`, `{"remove":["a",null]}`, `{"write":[{"path":"a"}],"write":[]}`,
		`{"WRITE":[{"path":"a"}]}`, `{"\u017fymlink":[{"path":"a","target":"b"}]}`, `{"write":[{"path":"a","path":"b"}]}`, "{\"remove\":[\"\xff\"]}",
		string(write("\xff", "").Encode()), `{"remove":["\ud800"]}`, "{", "[]", `{"write":1}`, `{"writes":[]}`, "{} {}", `"text"`, "\x00", `{"write":[{"path":"a","data":"secret!"}]}`} {
		b := newBranch()
		b.Payload = []byte(payload)
		err := tree.Prepare(ctx, b)
		refusedAs[*PayloadError](t, err)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("content in an error: %v", err)
		}
	}
	for _, p := range []Payload{
		{Write: []Write{{Path: "../x"}}}, {Remove: []string{"/etc/passwd"}}, {Rename: []Rename{{"a", ""}}}, {Mkdir: []string{Dir + "/x"}},
		{Symlink: []Symlink{{"link", "../.."}}}, {Write: []Write{{Path: "a", Perm: fs.ModeSetuid | 0o755}}},
		{Expect: []Expect{{Path: "a", SHA256: "abc"}}},
	} {
		refusedAs[*PathError](t, tree.Prepare(ctx, newBranch(p)))
	}
	nothingStaged(t, dir)
	nothingLocked(t, tree)
}
