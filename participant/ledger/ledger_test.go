package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/participanttest"
)

var ctx = context.Background()

func open(t *testing.T, path string, o *Options) *Ledger {
	t.Helper()
	l, err := Open("stock", path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// fresh opens a new ledger with accounts of 10, with floor 0.
func fresh(t *testing.T, accounts ...string) *Ledger {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "ledger"), nil)
	seed(t, l, 10, accounts...)
	return l
}

func seed(t *testing.T, l *Ledger, balance int64, accounts ...string) {
	t.Helper()
	m := map[string]Account{}
	for _, a := range accounts {
		m[a] = Account{Balance: balance}
	}
	if err := l.Seed(m); err != nil {
		t.Fatal(err)
	}
}

func branch(entries ...Entry) participant.Branch {
	return participant.Branch{
		Coordinator: "c",
		Transaction: uuid.Must(uuid.NewV7()),
		Participant: "stock",
		Payload:     Payload{Entries: entries}.Encode(),
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("call %d: %v", i+1, err)
		}
	}
}

func balance(t *testing.T, l *Ledger, account string, want int64) {
	t.Helper()
	if got, err := l.Balance(account); err != nil || got != want {
		t.Errorf("%s has %d, %v; want %d", account, got, err, want)
	}
}

func reserved(t *testing.T, l *Ledger, want map[string]int64) {
	t.Helper()
	if got, err := l.Reserved(); err != nil || !maps.Equal(got, want) {
		t.Errorf("reserved %v, %v; want %v", got, err, want)
	}
}

func TestConformance(t *testing.T) {
	participanttest.Run(t, participanttest.Harness{Durable: true, Open: func(dir string) (*participanttest.Service, error) {
		l, err := Open("stock", filepath.Join(dir, "ledger"), nil)
		if err != nil {
			return nil, err
		}
		// Every branch has an account of its own, so that its effect shows.
		next, accounts := 0, map[string]Account{}
		for i := range 64 {
			accounts[fmt.Sprint(i)] = Account{Balance: 10}
		}
		return &participanttest.Service{
			Participant: l,
			Payload: func() []byte {
				next++
				return Payload{Entries: []Entry{{fmt.Sprint(next), -1}}}.Encode()
			},
			Refused: func() []byte { return Payload{Entries: []Entry{{"0", -11}}}.Encode() },
			Effects: func(b participant.Branch) (int, error) {
				var p Payload
				if err := json.Unmarshal(b.Payload, &p); err != nil {
					return 0, err
				}
				got, err := l.Balance(p.Entries[0].Account)
				return int(10 - got), err
			},
			Close: l.Close,
		}, l.Seed(accounts)
	}})
}

func TestReserves(t *testing.T) {
	l := fresh(t, "a", "b")
	first := branch(Entry{"a", -7}, Entry{"b", +5})
	must(t, l.Prepare(ctx, first))
	balance(t, l, "a", 10)
	reserved(t, l, map[string]int64{"a": 7})

	var short *InsufficientError
	if err := l.Prepare(ctx, branch(Entry{"a", -4})); !errors.As(err, &short) || *short != (InsufficientError{"a", 3, 4}) {
		t.Errorf("taking what is reserved: %v", err)
	}
	if err := l.Prepare(ctx, branch(Entry{"b", -11})); !errors.As(err, &short) || short.Have != 10 {
		t.Errorf("taking what is not there yet: %v", err)
	}
	other := branch(Entry{"a", -3})
	must(t, l.Prepare(ctx, other), l.Rollback(ctx, other), l.Commit(ctx, first))
	balance(t, l, "a", 3)
	balance(t, l, "b", 15)
	reserved(t, l, nil)
	must(t, l.Prepare(ctx, branch(Entry{"b", -15})))
}

func TestFloor(t *testing.T) {
	l := fresh(t)
	must(t, l.Seed(map[string]Account{"credit": {Balance: 0, Floor: -5}, "full": {Balance: MaxAmount}}))
	b := branch(Entry{"credit", -4}, Entry{"credit", -2}, Entry{"credit", +1})
	must(t, l.Prepare(ctx, b), l.Commit(ctx, b))
	balance(t, l, "credit", -5)
	var short *InsufficientError
	if err := l.Prepare(ctx, branch(Entry{"credit", -1})); !errors.As(err, &short) || short.Have != 0 {
		t.Errorf("below the floor: %v", err)
	}
	var over *OverflowError
	if err := l.Prepare(ctx, branch(Entry{"full", 1})); !errors.As(err, &over) || over.Room != 0 {
		t.Errorf("above the limit: %v", err)
	}
	must(t, l.Prepare(ctx, branch(Entry{"credit", MaxAmount})))
	if err := l.Prepare(ctx, branch(Entry{"credit", 6})); !errors.As(err, &over) || over.Room != 5 {
		t.Errorf("above the limit with what is prepared: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	l := fresh(t, "a")
	many := make([]Entry, MaxEntries+1)
	for _, payload := range []string{
		"", "null", "{}", "[]", `{"entries":null}`, `{"entries":[{"account":"a","delta":-1}]} x`,
		`{"entries":[{"account":"a","delta":1.5}]}`, `{"entries":[{"account":"a","amount":1}]}`,
		`{"entries":[{"account":"a","delta":9007199254740993}]}`, string(Payload{Entries: many}.Encode()),
	} {
		b := branch()
		b.Payload = []byte(payload)
		var bad *PayloadError
		if err := l.Prepare(ctx, b); !errors.As(err, &bad) {
			t.Errorf("payload %.40q: %v", payload, err)
		}
		if s, err := l.Branch("c", b.Transaction); s != participant.Unknown || err != nil {
			t.Errorf("payload %.40q left a branch that is %v, %v", payload, s, err)
		}
	}
	var unknown *UnknownAccountError
	if err := l.Prepare(ctx, branch(Entry{"a", -1}, Entry{"z", 1})); !errors.As(err, &unknown) || unknown.Account != "z" {
		t.Errorf("unknown account: %v", err)
	}
	if _, err := l.Balance("z"); !errors.As(err, &unknown) {
		t.Errorf("balance of an unknown account: %v", err)
	}
	if err := l.Prepare(ctx, branch()); !errors.Is(err, participant.ErrReadOnly) {
		t.Errorf("no entries: %v", err)
	}
	reserved(t, l, nil)
}

func TestCallsOutOfOrder(t *testing.T) {
	l := fresh(t, "a")
	b := branch(Entry{"a", -1})
	if err := l.Commit(ctx, b); !errors.Is(err, participant.ErrNotPrepared) {
		t.Errorf("Commit without Prepare: %v", err)
	}
	must(t, l.CommitOnePhase(ctx, b))
	if err := l.Rollback(ctx, b); !errors.Is(err, participant.ErrCommitted) {
		t.Errorf("Rollback after Commit: %v", err)
	}
	balance(t, l, "a", 9)
	prepared := branch(Entry{"a", -1})
	must(t, l.Prepare(ctx, prepared))
	if yes, err := l.Committed(ctx, prepared); yes || err != nil {
		t.Errorf("Committed of a prepared branch: %v, %v", yes, err)
	}
	reserved(t, l, nil)
	refused := branch(Entry{"a", -100})
	var short *InsufficientError
	if err := l.CommitOnePhase(ctx, refused); !errors.As(err, &short) || !errors.Is(err, participant.ErrRolledBack) {
		t.Errorf("refusal in one phase: %v", err)
	}
}

func TestContextHasEnded(t *testing.T) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	l := fresh(t, "a")
	b := branch(Entry{"a", -1})
	_, asked := l.Committed(ended, b)
	_, listed := l.InDoubt(ended, "c")
	for i, err := range []error{l.Prepare(ended, b), l.CommitOnePhase(ended, b), l.Rollback(ended, b), asked, listed} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	must(t, l.Prepare(ctx, b))
}

func TestSeed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l := open(t, path, nil)
	seed(t, l, 10, "a")
	must(t, l.CommitOnePhase(ctx, branch(Entry{"a", -4})))
	seed(t, l, 10, "a", "b")
	l.Close()
	l = open(t, path, nil)
	seed(t, l, 99, "a", "b")
	balance(t, l, "a", 6)
	balance(t, l, "b", 10)

	for name, a := range map[string]Account{
		"":                             {},
		strings.Repeat("x", MaxName+1): {},
		"new\nline":                    {},
		"\xff":                         {},
		"below":                        {Balance: 1, Floor: 2},
		"much":                         {Balance: MaxAmount + 1},
		"deep":                         {Floor: -MaxAmount - 1},
	} {
		var bad *AccountError
		if err := l.Seed(map[string]Account{name: a, "good": {}}); !errors.As(err, &bad) || bad.Account != name {
			t.Errorf("%q %v: %v", name, a, err)
		}
	}
	if all, err := l.Accounts(); err != nil || len(all) != 2 || all["a"] != (Account{Balance: 6}) {
		t.Errorf("accounts %v, %v", all, err)
	}
}
