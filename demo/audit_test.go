package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// shopOf runs two orders, one of which is committed, and returns the directory.
func shopOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	demo(t, exitOK, "-dir", dir, "-orders", write(t, "orders.jsonl",
		`{"order":"good","customer":"a","lines":[{"item":"apple","quantity":2,"price":150}]}
{"order":"bad","customer":"b","lines":[{"item":"apple","quantity":1001,"price":1}]}`))
	return dir
}

// replace changes a file of the book.
func replace(t *testing.T, dir, file, old, text string) {
	t.Helper()
	path := filepath.Join(dir, file)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), old, text, 1)
	if changed == string(data) {
		t.Fatalf("%s has no %q", file, old)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// do makes a branch of a service's ledger without the others.
func do(t *testing.T, dir, service string, id uuid.UUID, commit bool, entries ...ledger.Entry) {
	t.Helper()
	l, err := openLedger(dir, service, "demo")
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	ctx := context.Background()
	b := participant.Branch{Coordinator: "demo", Transaction: id, Participant: service, Payload: ledger.Payload{Entries: entries, Memo: "planted"}.Encode()}
	if err := l.ledger.Prepare(ctx, b); err != nil {
		t.Fatal(err)
	}
	if commit {
		err = l.ledger.Commit(ctx, b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// attemptedAgain adds an attempt of an order to the book.
func attemptedAgain(t *testing.T, dir, name string) uuid.UUID {
	t.Helper()
	b, err := openBook(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	e := b.byName[name]
	if err := b.try([]*entry{e}); err != nil {
		t.Fatal(err)
	}
	return e.last()
}

// TestAudit finds what is planted, and names the order.
func TestAudit(t *testing.T) {
	take := func(n int64) ledger.Entry { return ledger.Entry{Account: "apple", Delta: -n} }
	for name, planted := range map[string]struct {
		plant func(t *testing.T, dir string)
		want  []string
	}{
		"nothing": {func(*testing.T, string) {}, nil},
		"told that it is committed": {func(t *testing.T, dir string) {
			replace(t, dir, "answers.jsonl", `"order":"bad","outcome":"rolled back"`, `"order":"bad","outcome":"committed"`)
		}, []string{`order "bad": its customer was told that it is committed`}},
		"told that it is rolled back": {func(t *testing.T, dir string) {
			replace(t, dir, "answers.jsonl", `"order":"good","outcome":"committed"`, `"order":"good","outcome":"rolled back","cause":"other"`)
		}, []string{`order "good": its customer was told that it is rolled back`}},
		"told twice": {func(t *testing.T, dir string) {
			replace(t, dir, "answers.jsonl", `{"order":"good","outcome":"committed"}`, `{"order":"good","outcome":"committed"}`+"\n"+`{"order":"good","outcome":"rolled back"}`)
		}, []string{`order "good": its customer was told two different outcomes`}},
		"committed in one service": {func(t *testing.T, dir string) {
			do(t, dir, "inventory", attemptedAgain(t, dir, "bad"), true, take(1))
		}, []string{`order "bad" is committed in inventory, but not in payment`, `"apple"`, `order "bad": its customer was told that it is rolled back`}},
		"done twice": {func(t *testing.T, dir string) {
			id := attemptedAgain(t, dir, "good")
			do(t, dir, "inventory", id, true, take(2))
			do(t, dir, "payment", id, true, ledger.Entry{Account: "customer/a", Delta: -300}, ledger.Entry{Account: merchant, Delta: 300})
			do(t, dir, "shipping", id, true, ledger.Entry{Account: room, Delta: -1}, ledger.Entry{Account: parcels, Delta: 1})
		}, []string{`order "good" happened 2 times`}},
		"reserved": {func(t *testing.T, dir string) {
			do(t, dir, "inventory", uuid.Must(uuid.NewV7()), false, take(1))
		}, []string{`order "planted": inventory still holds a reservation`}},
		"stock gone": {func(t *testing.T, dir string) {
			do(t, dir, "inventory", uuid.Must(uuid.NewV7()), true, take(5))
		}, []string{`inventory has 993 in "apple", but its orders make it 998: good`}},
		"money gone": {func(t *testing.T, dir string) {
			replace(t, dir, "opening.jsonl", `"account":"customer/a","balance":5`, `"account":"customer/a","balance":6`)
		}, []string{`"customer/a"`, "good"}},
		"account gone": {func(t *testing.T, dir string) {
			replace(t, dir, "opening.jsonl", `"apple"`, `"pear"`)
		}, []string{`inventory has no account "pear"`, `"apple"`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := shopOf(t)
			planted.plant(t, dir)
			r, err := audit(dir, options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range planted.want {
				if !slices.ContainsFunc(r.offences, func(o string) bool { return strings.Contains(o, want) }) {
					t.Errorf("%q is not among %q", want, r.offences)
				}
			}
			if planted.want == nil && len(r.offences) > 0 {
				t.Errorf("found %q", r.offences)
			}
		})
	}
}

// TestAuditFails: the program says which orders, and exits with 1.
func TestAuditFails(t *testing.T) {
	dir := shopOf(t)
	replace(t, dir, "answers.jsonl", `"order":"bad","outcome":"rolled back"`, `"order":"bad","outcome":"committed"`)
	wants(t, demo(t, exitAudit, "-dir", dir, "-n", "0", "-stock", fewItems(t)), "AUDIT FAILED", `order "bad"`)
}
