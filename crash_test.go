package dtc_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// bank is what the crashing process works on: two banks that can list what they
// have prepared, and a notary that cannot and is one-phase.
type bank struct {
	coordinator *dtc.Coordinator
	here, there *ledger.Ledger
	notary      *filestore.Store
}

const (
	bankAccounts = 10
	bankBalance  = 1_000
)

// notary signs transfers; its signatures are the store's own knowledge of what
// is committed.
type notary struct{}

func (notary) Name() string                                       { return "notary" }
func (notary) Commit(context.Context, participant.Branch) error   { return nil }
func (notary) Rollback(context.Context, participant.Branch) error { return nil }

func openBank(dir string) (*bank, error) {
	b := &bank{}
	var err error
	open := func(name string) *ledger.Ledger {
		l, openErr := ledger.Open(name, filepath.Join(dir, name), nil)
		if openErr != nil {
			err = errors.Join(err, openErr)
			return nil
		}
		accounts := make(map[string]ledger.Account)
		for i := range bankAccounts {
			accounts[fmt.Sprint(i)] = ledger.Account{Balance: bankBalance}
		}
		err = errors.Join(err, l.Seed(accounts))
		return l
	}
	b.here, b.there = open("here"), open("there")
	if b.notary, err = filestore.Open(filepath.Join(dir, "notary"), nil); err != nil {
		return nil, err
	}
	j, err := pebble.Open(filepath.Join(dir, "journal"), nil)
	if err != nil {
		return nil, err
	}
	b.coordinator, err = dtc.Open(newSystem(), dtc.Config{
		Name: "bank", Journal: j, Logger: quiet,
		Participants: []participant.Participant{b.here, b.there, b.signer()},
	})
	return b, err
}

func (b *bank) signer() participant.Participant { return participant.Idempotent(notary{}, b.notary) }

func (b *bank) close() error {
	return errors.Join(b.coordinator.Close(), b.here.Close(), b.there.Close(), b.notary.Close())
}

// transfer moves money from one bank to the other, with the notary's signature
// for every second one.
func (b *bank) transfer(n int) (uuid.UUID, error) {
	ctx := context.Background()
	id := uuid.Must(uuid.NewV7())
	move := func(sign int64) []byte {
		amount := sign * int64(1+n%7)
		return ledger.Payload{Entries: []ledger.Entry{{Account: fmt.Sprint(n % bankAccounts), Delta: amount}}}.Encode()
	}
	branches := []dtc.Enlistment{{Participant: b.here, Payload: move(-1)}, {Participant: b.there, Payload: move(1)}}
	if n%4 >= 2 {
		branches[0].Payload, branches[1].Payload = branches[1].Payload, branches[0].Payload
	}
	if n%2 == 1 {
		branches = append(branches, dtc.Enlistment{Participant: b.signer()})
	}
	return id, b.coordinator.Execute(ctx, &dtc.TxOptions{ID: id}, branches...)
}

// TestCrash kills a process that transfers money between two banks, again and
// again: what it had told its callers holds afterwards, no transfer is half done,
// and no money is lost.
func TestCrash(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	crashtest.Run(t, rounds, transferUntilKilled, func(dir string, acked []string) { auditBank(t, dir, acked) })
}

func transferUntilKilled(dir string, ack func(string)) error {
	b, err := openBank(dir)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for worker := range 16 {
		go func() {
			for n := worker; ; n += 16 {
				id, err := b.transfer(n)
				switch {
				case err == nil:
					ack("committed " + id.String())
				case errors.Is(err, dtc.ErrRolledBack):
					ack("rolled-back " + id.String())
				default:
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

func auditBank(t *testing.T, dir string, acked []string) {
	t.Helper()
	b, err := openBank(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}()
	awaitQuiet(t, b)
	var sum int64
	for _, l := range []*ledger.Ledger{b.here, b.there} {
		accounts, err := l.Accounts()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range accounts {
			sum += a.Balance
		}
	}
	if want := int64(2 * bankAccounts * bankBalance); sum != want {
		t.Errorf("the banks hold %d, want %d", sum, want)
	}
	for _, line := range acked {
		word, text, _ := strings.Cut(line, " ")
		auditTransfer(t, b, word == "committed", uuid.MustParse(text))
	}
}

// auditTransfer compares what the caller was told with what each bank and the
// coordinator hold.
func auditTransfer(t *testing.T, b *bank, committed bool, id uuid.UUID) {
	t.Helper()
	wantState, wantOutcome := participant.RolledBack, dtc.RolledBack
	if committed {
		wantState, wantOutcome = participant.Committed, dtc.Committed
	}
	if outcome, err := b.coordinator.Outcome(context.Background(), id); outcome != wantOutcome {
		t.Errorf("%s was told %v, is %v (%v)", id, wantOutcome, outcome, err)
	}
	for _, l := range []*ledger.Ledger{b.here, b.there} {
		state, err := l.Branch("bank", id)
		if err != nil {
			t.Fatal(err)
		}
		if state != wantState && (committed || state != participant.Unknown) {
			t.Errorf("%s was told %v, %q holds it %v", id, wantOutcome, l.Name(), state)
		}
	}
}

// awaitQuiet waits until recovery has finished everything.
func awaitQuiet(t *testing.T, b *bank) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		left, err := b.coordinator.Transactions(context.Background(), dtc.Filter{})
		if err != nil {
			t.Fatalf("%d transactions are not finished: %v", len(left), err)
		}
		reserved := 0
		for _, l := range []*ledger.Ledger{b.here, b.there} {
			ids, err := l.InDoubt(ctx, "bank")
			if err != nil {
				t.Fatal(err)
			}
			reserved += len(ids)
		}
		if len(left) == 0 && reserved == 0 {
			return
		}
		select {
		case <-ctx.Done():
			h, _ := b.coordinator.Participants(context.Background())
			t.Fatalf("%d transactions are not finished, %d branches in doubt; the first: %+v; %+v", len(left), reserved, left, h)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
