package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdslog "log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/ledger"
	"github.com/seed-d36415c0/dtc/participant/outbox"
	"github.com/seed-d36415c0/dtc/participant/outbox/jetstream"
)

// Variables of the process that is killed.
const (
	dirVariable  = "DTC_OUTBOX_DIR"
	addrVariable = "DTC_OUTBOX_ADDR"
	whenVariable = "DTC_OUTBOX_DIES"
)

// dying is a publisher whose process dies before or after it publishes.
type dying struct {
	outbox.Publisher
	when string
}

func (d dying) Check(ctx context.Context, id string, m outbox.Message) error {
	if d.when == "before the decision" {
		crashtest.Die()
	}
	return d.Publisher.Check(ctx, id, m)
}

func (d dying) Publish(ctx context.Context, id string, m outbox.Message) error {
	if d.when == "before the message is stored" {
		crashtest.Die()
	}
	err := d.Publisher.Publish(ctx, id, m)
	if d.when == "before the acknowledgement is recorded" {
		crashtest.Die()
	}
	return err
}

// shop is a coordinator on disk with a stock and an outbox.
type shop struct {
	*dtc.Coordinator
	connection *nats.Conn
	stock      *ledger.Ledger
	events     *outbox.Outbox
}

func (s *shop) close() error {
	defer s.connection.Close()
	return errors.Join(s.Close(), s.stock.Close())
}

func openShop(dir, addr, dies string) (*shop, error) {
	connection, err := nats.Connect("nats://" + addr)
	if err != nil {
		return nil, err
	}
	publisher, err := jetstream.New(connection, nil)
	if err != nil {
		return nil, err
	}
	s := &shop{connection: connection}
	if s.events, err = outbox.New("events", dying{publisher, dies}, nil); err != nil {
		return nil, err
	}
	if s.stock, err = ledger.Open("stock", filepath.Join(dir, "stock"), nil); err != nil {
		return nil, err
	}
	if err := s.stock.Seed(map[string]ledger.Account{"widget": {Balance: 3}}); err != nil {
		return nil, err
	}
	journal, err := pebble.Open(filepath.Join(dir, "journal"), nil)
	if err != nil {
		return nil, err
	}
	s.Coordinator, err = dtc.Open(quietSystem(), dtc.Config{
		Name: "till", Journal: journal, Participants: []participant.Participant{s.stock, s.events},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	return s, err
}

func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.DiscardHandler)
	}))
}

// TestProcess is the process that is killed.
func TestProcess(t *testing.T) {
	dir := os.Getenv(dirVariable)
	if dir == "" {
		t.Skip("runs as a child of TestCrash")
	}
	s, err := openShop(dir, os.Getenv(addrVariable), os.Getenv(whenVariable))
	ok(t, err)
	id := uuid.Must(uuid.NewV7())
	crashtest.Tell(id.String())
	err = s.Execute(context.Background(), &dtc.TxOptions{ID: id},
		dtc.Enlistment{Participant: s.stock, Payload: ledger.Payload{Entries: []ledger.Entry{{Account: "widget", Delta: -2}}}.Encode()},
		dtc.Enlistment{Participant: s.events, Payload: branchOf(t, outboxMessage("orders.placed")).Payload})
	t.Fatalf("the process was to die, and Execute answered %v", err)
}

// Wherever the process dies, the next coordinator leaves the order and its message
// both there, once, or neither.
func TestCrash(t *testing.T) {
	for when, c := range map[string]struct {
		stored, kept int   // messages before and after recovery
		left         int64 // in stock
	}{
		"before the decision":                    {0, 0, 3},
		"before the message is stored":           {0, 1, 1},
		"before the acknowledgement is recorded": {1, 1, 1},
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			n := open(t, nil)
			dir := t.TempDir()
			child, err := crashtest.Start("TestProcess", dirVariable+"="+dir, addrVariable+"="+n.server.Addr(), whenVariable+"="+when)
			ok(t, err)
			var id string
			for line := range child.Lines() {
				id = line
			}
			ok(t, child.Wait())
			if got := len(n.ids()); got != c.stored {
				t.Errorf("%d messages after the crash, not %d", got, c.stored)
			}
			for range 2 { // the second finds everything done
				s, err := openShop(dir, n.server.Addr(), "")
				ok(t, err)
				eventually(t, func(ctx context.Context) error {
					unfinished, err := s.Transactions(ctx, dtc.Filter{})
					if err == nil && len(unfinished) > 0 {
						err = fmt.Errorf("unfinished: %+v", unfinished)
					}
					left, err2 := s.stock.Balance("widget")
					if left != c.left {
						err2 = fmt.Errorf("%d left, not %d", left, c.left)
					}
					return errors.Join(err, err2)
				})
				ok(t, s.close())
			}
			n.stored(func() (all []participant.Branch) {
				for range c.kept {
					all = append(all, participant.Branch{Transaction: uuid.MustParse(id)})
				}
				return all
			}()...)
		})
	}
}
