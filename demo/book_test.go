package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
)

// TestBook: what was entered is read again, also after a kill in the middle of a
// write.
func TestBook(t *testing.T) {
	dir := t.TempDir()
	open := func() *book {
		b, err := openBook(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.close() })
		return b
	}
	b := open()
	good, err := parseOrder([]byte(goodOrder))
	if err != nil {
		t.Fatal(err)
	}
	other := good
	other.Name = "A-2"
	e := func(name string) *entry { return b.byName[name] }
	for _, err := range []error{
		b.take([]order{good, other}),
		b.open("inventory", map[string]int64{"apple": 3}),
		b.open("inventory", map[string]int64{"apple": 4}),
		b.try([]*entry{e("A-1"), e("A-2")}),
		b.try([]*entry{e("A-1")}),
		b.tell(e("A-1"), &answer{Order: "A-1", Outcome: dtc.Committed.String()}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tried := e("A-1").last()
	for _, name := range []string{"opening.jsonl", "orders.jsonl", "attempts.jsonl", "answers.jsonl"} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(`{"order":"torn`); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	for range 2 {
		b = open()
		if len(b.orders) != 2 || !e("A-1").order.equal(good) || b.opening[account{"inventory", "apple"}] != 3 {
			t.Errorf("orders %v, opening %v", b.orders, b.opening)
		}
		if len(e("A-1").attempts) != 2 || e("A-1").last() != tried || len(e("A-2").attempts) != 1 {
			t.Errorf("attempts %v, %v", e("A-1").attempts, e("A-2").attempts)
		}
		if left := b.unanswered(); len(left) != 1 || left[0] != e("A-2") {
			t.Errorf("unanswered %v", left)
		}
		if (&entry{}).last() != uuid.Nil {
			t.Error("tried by nobody, under an id")
		}
	}
}

// TestBook_Damaged: a file that is not the book's is refused, and not changed.
func TestBook_Damaged(t *testing.T) {
	for name, text := range map[string]string{
		"orders.jsonl":   "nonsense\n",
		"attempts.jsonl": `{"order":"nobody's","transaction":"0196e0f2-3b1c-7d6e-8f00-1234567890ab"}` + "\n",
		"answers.jsonl":  `{"order":"nobody's","outcome":"committed"}` + "\n",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := openBook(dir); err == nil {
			b.close()
			t.Errorf("%s: %q was taken", name, text)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != text {
			t.Errorf("%s is %q now, %v", name, data, err)
		}
	}
}
