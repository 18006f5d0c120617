package killtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// style is how the application goes about a transfer.
type style int

const (
	inOneStep style = iota
	inSteps
	durably // in steps, each enlistment forced
	undone  // rolled back by the application
	raced   // committed and rolled back at the same moment
	styles
)

// smudged is what has the notary fail when it has signed already.
const smudged = "smudged"

// transfer is what one transaction is to do: all of it follows from a number, so
// that the audit knows it too.
type transfer struct {
	style  style
	moves  [2][]ledger.Entry // of each bank; nil where it takes no part, empty where it only looks
	signed bool
	signs  string // what the notary is told
	// bound to be refused by somebody.
	refused bool
	// patience is how long a rollback that is raced waits before it sets off.
	patience time.Duration
}

// newTransfer draws the transfer with this number. Most go from bank to bank and
// are signed; those within one bank, and those that nobody signs, take the
// cheaper paths of the protocol.
func newTransfer(n uint64) (t transfer) {
	r := rand.New(rand.NewPCG(n, 0))
	if r.IntN(2) == 0 {
		t.style = style(r.IntN(int(styles)))
	}
	amount := int64(1 + r.IntN(20))
	if r.IntN(16) == 0 {
		amount *= accounts * balance
		t.refused = true
	}
	from, to, account := r.IntN(2), r.IntN(2), r.Perm(accounts)
	t.moves[from] = append(t.moves[from], ledger.Entry{Account: fmt.Sprint(account[0]), Delta: -amount})
	t.moves[to] = append(t.moves[to], ledger.Entry{Account: fmt.Sprint(account[1]), Delta: amount})
	if from == to && r.IntN(2) == 0 {
		t.moves[1-from] = []ledger.Entry{}
	}
	t.patience = time.Duration(r.IntN(20)) * time.Millisecond
	if t.signed = r.IntN(4) > 0; t.signed && r.IntN(16) == 0 {
		t.signs, t.refused = smudged, true
	}
	return t
}

// branches are the transfer's enlistments.
func (c *clearing) branches(t transfer) (list []dtc.Enlistment) {
	for i, entries := range t.moves {
		if entries != nil {
			list = append(list, dtc.Enlistment{Participant: c.banks[i], Payload: ledger.Payload{Entries: entries}.Encode()})
		}
	}
	if t.signed {
		list = append(list, dtc.Enlistment{Participant: c.notary, Payload: []byte(t.signs)})
	}
	return list
}

// What an application is told, as it tells the audit.
const (
	begun      = "begun"
	committed  = "committed"
	rolledBack = "rolled-back"
	failed     = "failed"
)

// work makes transfers, as fast as they go, until the process is killed.
func (c *clearing) work(n uint64) {
	for ; ; n++ {
		id := uuid.Must(uuid.NewV7())
		say(begun, id, n)
		c.transfer(id, newTransfer(n))
	}
}

func (c *clearing) transfer(id uuid.UUID, t transfer) {
	ctx, o := context.Background(), &dtc.TxOptions{ID: id, Durable: t.style == durably}
	if t.style == inOneStep {
		report(id, c.Execute(ctx, o, c.branches(t)...))
		return
	}
	if _, err := c.Begin(ctx, o); err != nil {
		report(id, err)
		return
	}
	for _, e := range c.branches(t) {
		if err := c.Enlist(ctx, id, e.Participant, e.Payload); err != nil && !errors.Is(err, dtc.ErrNotActive) {
			report(id, err)
		}
	}
	switch t.style {
	case undone:
		reportRollback(id, c.Rollback(ctx, id))
	case raced:
		done := make(chan struct{})
		go func() {
			defer close(done)
			<-time.After(t.patience)
			reportRollback(id, c.Rollback(ctx, id))
		}()
		report(id, c.Commit(ctx, id))
		<-done
	default:
		report(id, c.Commit(ctx, id))
	}
}

// say tells the audit.
func say(words ...any) { crashtest.Tell(strings.TrimSuffix(fmt.Sprintln(words...), "\n")) }

// report passes on what Commit answered. From an unknown outcome nothing follows.
func report(id uuid.UUID, err error) {
	switch {
	case err == nil:
		say(committed, id)
	case errors.Is(err, dtc.ErrRolledBack):
		say(rolledBack, id)
	case !errors.Is(err, dtc.ErrOutcomeUnknown):
		say(failed, id, fmt.Sprintf("%q", err))
	}
}

// reportRollback passes on what Rollback answered.
func reportRollback(id uuid.UUID, err error) {
	switch {
	case err == nil, errors.Is(err, dtc.ErrParticipantFailedToRollback):
		say(rolledBack, id)
	case err == dtc.ErrCommitted:
		say(committed, id)
	case !errors.Is(err, dtc.ErrOutcomeUnknown):
		say(failed, id, fmt.Sprintf("%q", err))
	}
}
