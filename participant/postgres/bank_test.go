package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	stdslog "log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// coordinator opens one on the journal, with the participants.
func coordinator(t testing.TB, journal string, ps ...participant.Participant) *dtc.Coordinator {
	t.Helper()
	j, err := pebble.Open(journal, nil)
	if err != nil {
		t.Fatal(err)
	}
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.NewTextHandler(io.Discard, nil))
	}))
	c, err := dtc.Open(system, dtc.Config{
		Name: "shop", Journal: j, Participants: ps, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		ParticipantTimeout: time.Second, RecoveryInterval: 100 * time.Millisecond,
		Retry: dtc.Backoff{Initial: 10 * time.Millisecond, Max: 100 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // a second one is harmless
	return c
}

// transfer is a payload: what one account loses or gets.
type transfer struct {
	Account, Amount int
}

func (tr transfer) do(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	if _, err := tx.Exec(ctx, "UPDATE accounts SET balance = balance + $2 WHERE id = $1", tr.Account, tr.Amount); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO effects VALUES ($1)", id.String())
	return err
}

func (tr transfer) encode(t testing.TB) []byte {
	payload, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func workTransfer(ctx context.Context, tx pgx.Tx, b participant.Branch) error {
	var tr transfer
	if err := json.Unmarshal(b.Payload, &tr); err != nil {
		return err
	}
	return tr.do(ctx, tx, b.Transaction)
}

// bank is two databases between which money is moved.
type bank struct {
	t      testing.TB
	worlds [2]*world
	c      *dtc.Coordinator

	mu       sync.Mutex
	outcomes map[uuid.UUID]error
}

func newBank(t testing.TB, dsns [2]string) *bank {
	noLeaks(t)
	k := &bank{t: t, outcomes: make(map[uuid.UUID]error)}
	for i, name := range []string{"left", "right"} {
		k.worlds[i] = worldAt(t, dsns[i], name, &postgres.Options{Work: workTransfer, Coordinator: "shop"}, size(8))
	}
	return k
}

func (k *bank) participants() []participant.Participant {
	return []participant.Participant{k.worlds[0].p, k.worlds[1].p}
}

// inside moves money with work that the application does.
func (k *bank) inside(ctx context.Context, from, to transfer) (id uuid.UUID, err error) {
	err = k.c.Run(ctx, nil, func(tx *dtc.Tx) error {
		id = tx.ID()
		for i, tr := range []transfer{from, to} {
			p := k.worlds[i].p
			db, err := p.Begin(ctx, tx.ID())
			if err != nil {
				return err
			}
			if err := tx.Enlist(ctx, p, nil); err != nil {
				return err
			}
			if err := tr.do(ctx, db, tx.ID()); err != nil {
				return err
			}
		}
		return nil
	})
	return id, err
}

// execute moves money with payloads.
func (k *bank) execute(ctx context.Context, from, to transfer) (id uuid.UUID, err error) {
	id = uuid.Must(uuid.NewV7())
	err = k.c.Execute(ctx, &dtc.TxOptions{ID: id},
		dtc.Enlistment{Participant: k.worlds[0].p, Payload: from.encode(k.t)},
		dtc.Enlistment{Participant: k.worlds[1].p, Payload: to.encode(k.t)})
	return id, err
}

// settled waits until nothing is prepared any more, and checks the books: both
// sides have done the same transfers, and what was answered is true.
func (k *bank) settled() {
	k.t.Helper()
	sum, done := 0, [2][]string{}
	for i, w := range k.worlds {
		until(k.t, "nothing is prepared", func() bool {
			var n int
			err := w.pool.QueryRow(w.ctx, "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()").Scan(&n)
			return err == nil && n == 0
		})
		var s int
		w.must(w.pool.QueryRow(w.ctx, "SELECT sum(balance) FROM accounts").Scan(&s))
		sum += s
		rows, err := w.pool.Query(w.ctx, "SELECT transaction::text FROM effects ORDER BY transaction")
		w.must(err)
		done[i], err = pgx.CollectRows(rows, pgx.RowTo[string])
		w.must(err)
	}
	if sum != 2000 {
		k.t.Errorf("the sum is %d, not 2000", sum)
	}
	if !slices.Equal(done[0], done[1]) {
		k.t.Errorf("left did %d transfers, right %d, and not the same", len(done[0]), len(done[1]))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	count := make(map[string]int)
	for id, err := range k.outcomes {
		_, happened := slices.BinarySearch(done[0], id.String())
		switch {
		case err == nil:
			count["committed"]++
			if !happened {
				k.t.Errorf("%s was answered committed and did not happen", id)
			}
		case errors.Is(err, dtc.ErrRolledBack):
			count["rolled back"]++
			if happened {
				k.t.Errorf("%s was answered rolled back and happened: %v", id, err)
			}
		default:
			count["unknown"]++
		}
	}
	k.t.Log(count)
}
