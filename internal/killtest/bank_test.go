package killtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdslog "log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// The cast. Banks are two-phase and list what they have prepared; the notary is
// one-phase and can list nothing.
const (
	coordinatorName = "clearing"
	notaryName      = "notary"
)

var bankNames = [2]string{"north", "south"}

const (
	accounts = 8
	balance  = 10_000
	// remembered is more than a run can make.
	remembered = 1 << 21
)

func openLedger(dir, name string, create func(string) (ledger.File, error)) (*ledger.Ledger, error) {
	l, err := ledger.Open(name, filepath.Join(dir, name), &ledger.Options{Limit: remembered, Create: create})
	if err != nil {
		return nil, err
	}
	seed := make(map[string]ledger.Account)
	for i := range accounts {
		seed[fmt.Sprint(i)] = ledger.Account{Balance: balance}
	}
	return l, l.Seed(seed)
}

func openStore(dir string, create func(string) (ledger.File, error)) (*filestore.Store, error) {
	return filestore.Open(filepath.Join(dir, notaryName), &filestore.Options{Limit: remembered, Create: create})
}

func socket(dir, name string) string { return filepath.Join(dir, name+".sock") }

// serveBank is what a bank's process does.
func serveBank(dir, name string) error {
	l, err := openLedger(dir, name, createMined)
	if err != nil {
		return err
	}
	return service{l}.serve(socket(dir, name))
}

// serveNotary is what the notary's process does.
func serveNotary(dir string) error {
	s, err := openStore(dir, createMined)
	if err != nil {
		return err
	}
	n, err := openNotary(dir)
	if err != nil {
		return err
	}
	return service{participant.Idempotent(n, s)}.serve(socket(dir, notaryName))
}

// notary signs transfers in a register, and strikes out what it has signed. It
// keeps no promise by itself: that is up to participant.Idempotent.
type notary struct {
	register *os.File
	life     uuid.UUID // of this process
}

func registerPath(dir string) string { return filepath.Join(dir, "register") }

func openNotary(dir string) (*notary, error) {
	f, err := os.OpenFile(registerPath(dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &notary{f, uuid.New()}, err
}

func (n *notary) Name() string { return notaryName }

func (n *notary) Commit(_ context.Context, b participant.Branch) error {
	err := n.enter("signed", b)
	if err == nil && string(b.Payload) == smudged {
		return errors.New("the signature is smudged")
	}
	return err
}

func (n *notary) Rollback(_ context.Context, b participant.Branch) error {
	return n.enter("struck", b)
}

func (n *notary) enter(what string, b participant.Branch) error {
	if _, err := fmt.Fprintln(n.register, what, n.life, b.Transaction); err != nil {
		return err
	}
	err := n.register.Sync()
	at(what)
	return err
}

// clearing is the coordinator, with its participants in other processes.
type clearing struct {
	*dtc.Coordinator
	banks  [2]remoteBank
	notary *remote
}

func openClearing(dir string) (*clearing, error) {
	c := &clearing{notary: newRemote(notaryName, socket(dir, notaryName))}
	participants := []participant.Participant{c.notary}
	for i, name := range bankNames {
		c.banks[i] = remoteBank{newRemote(name, socket(dir, name))}
		participants = append(participants, c.banks[i])
	}
	j, err := openJournal(dir)
	if err != nil {
		return nil, err
	}
	at("journal-opened")
	c.Coordinator, err = dtc.Open(quietSystem(), dtc.Config{
		Name: coordinatorName, Journal: mined{j}, Participants: participants, OnEvent: tell,
		TransactionTimeout: 5 * time.Second, ParticipantTimeout: 500 * time.Millisecond,
		Retry:            dtc.Backoff{Initial: 5 * time.Millisecond, Max: 100 * time.Millisecond},
		RecoveryInterval: 100 * time.Millisecond,
		Logger:           slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	at("coordinator-opened")
	return c, err
}

func openJournal(dir string) (journal.Journal, error) {
	return pebble.Open(filepath.Join(dir, "journal"), nil)
}

// close closes the coordinator, and its connections.
func (c *clearing) close() error {
	err := c.Close()
	for _, r := range []*remote{c.notary, c.banks[0].remote, c.banks[1].remote} {
		r.client.CloseIdleConnections()
	}
	return err
}

// quietSystem is an actor system that logs nothing.
func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.NewTextHandler(io.Discard, nil))
	}))
}
