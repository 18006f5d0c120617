package killtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// books are the participants' own files, read when all processes are down and
// everything has recovered.
type books struct {
	banks    [2]*ledger.Ledger
	store    *filestore.Store
	register register
}

// audit reads the files and says what is wrong.
func audit(dir string, n *notebook) (findings []string, err error) {
	b := &books{}
	for i, name := range bankNames {
		if b.banks[i], err = openLedger(dir, name, nil); err != nil {
			return nil, err
		}
		defer b.banks[i].Close()
	}
	if b.store, err = openStore(dir, nil); err != nil {
		return nil, err
	}
	defer b.store.Close()
	if b.register, err = readRegister(dir); err != nil {
		return nil, err
	}
	findings = append(n.findings, b.register.findings...)
	expected := newBalances()
	for id, e := range n.transfers {
		f, err := b.auditTransfer(id, e, expected)
		if err != nil {
			return nil, err
		}
		findings = append(findings, f...)
	}
	f, err := b.auditMoney(expected)
	if err != nil {
		return nil, err
	}
	left, err := auditJournal(dir)
	return slices.Concat(findings, f, left), err
}

// auditJournal finds what the coordinator's own file holds unfinished.
func auditJournal(dir string) (findings []string, err error) {
	j, err := openJournal(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	for r, err := range j.Records(uuid.Nil) {
		if err != nil {
			return nil, err
		}
		findings = append(findings, fmt.Sprintf("the journal holds %s unfinished", r.Transaction))
	}
	return findings, nil
}

// balances are the accounts of both banks.
type balances [2]map[string]int64

func newBalances() *balances {
	var b balances
	for i := range b {
		b[i] = make(map[string]int64)
		for a := range accounts {
			b[i][fmt.Sprint(a)] = balance
		}
	}
	return &b
}

// auditTransfer compares what each participant holds of a transfer with the
// others and with what was told, and takes it into the balances where it was
// done.
func (b *books) auditTransfer(id uuid.UUID, e *entry, expected *balances) (findings []string, err error) {
	wrong := func(format string, args ...any) {
		findings = append(findings, fmt.Sprintf("transfer %d (%s): ", e.number, id)+fmt.Sprintf(format, args...))
	}
	t := newTransfer(e.number)
	var did, didNot []string
	for i, bank := range b.banks {
		state, err := bank.Branch(coordinatorName, id)
		switch {
		case err != nil:
			return nil, err
		case state == participant.Committed:
			did = append(did, bank.Name())
			for _, m := range t.moves[i] {
				expected[i][m.Account] += m.Delta
			}
		case len(t.moves[i]) > 0:
			didNot = append(didNot, bank.Name())
		}
		if state == participant.Prepared || state == participant.Committed && len(t.moves[i]) == 0 {
			wrong("%s holds it %v", bank.Name(), state)
		}
	}
	switch kept, err := b.store.Load(context.Background(), participant.Key{
		Coordinator: coordinatorName, Transaction: id, Participant: notaryName,
	}); {
	case err != nil:
		return nil, err
	case kept == participant.Begun, b.register.signed[id] != (kept == participant.Committed):
		wrong("the notary's store has it %v, and signed is %v", kept, b.register.signed[id])
	case kept == participant.Committed:
		did = append(did, notaryName)
	case t.signed:
		didNot = append(didNot, notaryName)
	}
	switch {
	case len(did) > 0 && len(didNot) > 0:
		wrong("done by %v and not by %v", did, didNot)
	case len(did) > 0 && (e.told == rolledBack || t.refused || t.style == undone):
		wrong("done by %v; told %q, bound to be refused %v, style %v", did, e.told, t.refused, t.style)
	case len(did) == 0 && e.told == committed:
		wrong("was told committed, and is done by nobody")
	}
	return findings, nil
}

// auditMoney compares the accounts with what the transfers that were done make
// of them: an effect that came twice, or not at all, shows here.
func (b *books) auditMoney(expected *balances) (findings []string, err error) {
	var sum int64
	for i, bank := range b.banks {
		all, err := bank.Accounts()
		if err != nil {
			return nil, err
		}
		reserved, err := bank.Reservations()
		if err != nil {
			return nil, err
		}
		for _, r := range reserved {
			findings = append(findings, fmt.Sprintf("%s: %s is left prepared", bank.Name(), r.Transaction))
		}
		for name, a := range all {
			sum += a.Balance
			if want := expected[i][name]; a.Balance != want {
				findings = append(findings, fmt.Sprintf("%s: account %s holds %d, its transfers make %d", bank.Name(), name, a.Balance, want))
			}
		}
	}
	if want := int64(2 * accounts * balance); sum != want {
		findings = append(findings, fmt.Sprintf("the banks hold %d, want %d", sum, want))
	}
	return findings, nil
}

// register is the notary's.
type register struct {
	signed map[uuid.UUID]bool // and not struck
	// repeated is how many signatures, and strikes, were made again after a crash:
	// the store and the register are two files.
	repeated int
	findings []string
}

func readRegister(dir string) (register, error) {
	r := register{signed: make(map[uuid.UUID]bool)}
	f, err := os.Open(registerPath(dir))
	if os.IsNotExist(err) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	defer f.Close()
	entered, struck := make(map[string]bool), make(map[string]bool)
	for in := bufio.NewScanner(f); in.Scan(); {
		words := strings.Fields(in.Text())
		if len(words) != 3 {
			return r, fmt.Errorf("the register says %q", in.Text())
		}
		what, id := words[0], uuid.MustParse(words[2])
		if entered[in.Text()] {
			r.findings = append(r.findings, fmt.Sprintf("the notary %s %s twice in one life", what, id))
		}
		if what == "signed" && struck[words[2]] {
			r.findings = append(r.findings, fmt.Sprintf("the notary signed %s after it was rolled back", id))
		}
		if entered[what+words[2]] {
			r.repeated++
		}
		entered[in.Text()], entered[what+words[2]] = true, true
		r.signed[id] = what == "signed"
		struck[words[2]] = struck[words[2]] || what == "struck"
	}
	return r, nil
}
