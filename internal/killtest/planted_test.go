package killtest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// planted is a world that has been played by hand, one transfer long.
type planted struct {
	t     *testing.T
	dir   string
	book  *notebook
	id    uuid.UUID
	banks [2]*ledger.Ledger
}

// plant has one transfer between the banks done by those parties, and told so.
func plant(t *testing.T, told string, north, south, sign bool) *planted {
	p := &planted{t: t, dir: t.TempDir(), book: newNotebook(), id: uuid.Must(uuid.NewV7())}
	number := uint64(0)
	for !plain(newTransfer(number)) {
		number++
	}
	p.book.note(fmt.Sprint(begun, " ", p.id, " ", number))
	p.book.note(fmt.Sprint(told, " ", p.id))
	moves := newTransfer(number).moves
	for i, does := range []bool{north, south} {
		l, err := openLedger(p.dir, bankNames[i], nil)
		p.ok(err)
		p.banks[i] = l
		t.Cleanup(func() { _ = l.Close() })
		if b := p.branch(moves[i]); does {
			p.ok(l.Prepare(t.Context(), b))
			p.ok(l.Commit(t.Context(), b))
		}
	}
	if sign {
		p.notary(func(n participant.Participant, b participant.Branch) { p.ok(n.Commit(t.Context(), b)) })
	}
	return p
}

// plain transfers are from bank to bank, signed, and can be done.
func plain(t transfer) bool {
	return t.style == inOneStep && t.signed && !t.refused && len(t.moves[0]) == 1 && len(t.moves[1]) == 1
}

func (p *planted) ok(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *planted) branch(entries []ledger.Entry) participant.Branch {
	return participant.Branch{Coordinator: coordinatorName, Transaction: p.id, Payload: ledger.Payload{Entries: entries}.Encode()}
}

// notary calls the notary, as a process that lives for this one call.
func (p *planted) notary(call func(participant.Participant, participant.Branch)) {
	s, err := openStore(p.dir, nil)
	p.ok(err)
	n, err := openNotary(p.dir)
	p.ok(err)
	call(participant.Idempotent(n, s), participant.Branch{
		Coordinator: coordinatorName, Transaction: p.id, Participant: notaryName,
	})
	p.ok(n.register.Close())
	p.ok(s.Close())
}

// findings closes the books and audits them.
func (p *planted) findings() string {
	for _, b := range p.banks {
		p.ok(b.Close())
	}
	all, err := audit(p.dir, p.book)
	p.ok(err)
	return strings.Join(all, "\n")
}

// What is right is not found, and what is wrong is.
func TestAudit(t *testing.T) {
	for name, p := range map[string]struct {
		told               string
		north, south, sign bool
		want               string // part of what is found; empty for nothing
	}{
		"done by all":            {committed, true, true, true, ""},
		"done by none":           {rolledBack, false, false, false, ""},
		"a commit is lost":       {committed, false, false, false, "was told committed, and is done by nobody"},
		"a rollback is done":     {rolledBack, true, true, true, "done by [north south notary]; told \"rolled-back\""},
		"one bank has not":       {committed, true, false, true, "done by [north notary] and not by [south]"},
		"nobody signed":          {committed, true, true, false, "done by [north south] and not by [notary]"},
		"only a signature":       {rolledBack, false, false, true, "done by [notary] and not by [north south]"},
		"the money is not there": {committed, true, false, true, "the banks hold"},
	} {
		t.Run(name, func(t *testing.T) {
			got := plant(t, p.told, p.north, p.south, p.sign).findings()
			if p.want == "" && got != "" || !strings.Contains(got, p.want) {
				t.Errorf("found %q, want %q", got, p.want)
			}
		})
	}
}

// Errors that take more than a missing call.
func TestAudit_Tampered(t *testing.T) {
	other := func(p *planted) participant.Branch {
		b := p.branch([]ledger.Entry{{Account: "0", Delta: -5}})
		b.Transaction = uuid.Must(uuid.NewV7())
		return b
	}
	for name, tamper := range map[string]struct {
		with func(*planted)
		want string
	}{
		"an effect comes twice": {func(p *planted) {
			p.ok(p.banks[0].CommitOnePhase(context.Background(), other(p)))
		}, "its transfers make"},
		"a branch is left prepared": {func(p *planted) {
			p.ok(p.banks[1].Prepare(context.Background(), other(p)))
		}, "is left prepared"},
		"told both": {func(p *planted) {
			p.book.note(fmt.Sprint(rolledBack, " ", p.id))
		}, "after \"committed\""},
		"signed twice in a life": {func(p *planted) {
			n, err := openNotary(p.dir)
			p.ok(err)
			for range 2 {
				p.ok(n.Commit(context.Background(), participant.Branch{Transaction: p.id}))
			}
		}, "twice in one life"},
		"signed after it was struck": {func(p *planted) {
			n, err := openNotary(p.dir)
			p.ok(err)
			p.ok(n.Rollback(context.Background(), participant.Branch{Transaction: p.id}))
			p.ok(n.Commit(context.Background(), participant.Branch{Transaction: p.id}))
		}, "after it was rolled back"},
		"forgotten in the journal": {func(p *planted) {
			j, err := openJournal(p.dir)
			p.ok(err)
			p.ok(j.Append(journal.Batch{Force: true, Writes: []journal.Write{
				{Put: &journal.Record{Transaction: p.id, Kind: journal.Commit}},
			}}))
			p.ok(j.Close())
		}, "unfinished"},
	} {
		t.Run(name, func(t *testing.T) {
			p := plant(t, committed, true, true, true)
			tamper.with(p)
			if got := p.findings(); !strings.Contains(got, tamper.want) {
				t.Errorf("found %q, want %q", got, tamper.want)
			}
		})
	}
}
