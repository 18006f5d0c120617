package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/servers"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// TestTransfersAndKills moves money between two servers while each is killed
// again and again.
func TestTransfersAndKills(t *testing.T) {
	var all [2]*servers.Server
	var dsns [2]string
	for i := range all {
		all[i] = serverstest.Postgres(t)
		dsns[i] = all[i].DSN("postgres")
	}
	k := newBank(t, dsns)
	k.c = coordinator(t, filepath.Join(t.TempDir(), "journal"), k.participants()...)
	stop := make(chan struct{})
	var clerks sync.WaitGroup
	for range 6 {
		clerks.Go(func() { k.clerk(stop) })
	}
	for i := range 6 {
		goOn := time.After(time.Duration(50+rand.N(200)) * time.Millisecond)
		<-goOn
		if err := all[i%2].Kill(); err != nil {
			t.Error(err)
		}
		if err := all[i%2].Start(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	clerks.Wait()
	for _, w := range k.worlds {
		w.pool.Reset()
	}
	k.settled()
	if err := k.c.Close(); err != nil {
		t.Error(err)
	}
}

// clerk moves random amounts until it is stopped.
func (k *bank) clerk(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		amount := 1 + rand.N(3)
		from, to := transfer{1 + rand.N(10), -amount}, transfer{1 + rand.N(10), amount}
		if rand.N(2) == 0 {
			from.Amount, to.Amount = amount, -amount
		}
		move := k.inside
		if rand.N(2) == 0 {
			move = k.execute
		}
		id, err := move(ctx, from, to)
		cancel()
		if id != uuid.Nil {
			k.mu.Lock()
			k.outcomes[id] = err
			k.mu.Unlock()
		}
	}
}

// silent does not acknowledge: its coordinator cannot finish.
type silent struct{ *postgres.Participant }

func (silent) Commit(context.Context, participant.Branch) error { return errNo }

// TestSecondCoordinator abandons coordinators between prepare and commit, and has
// another one finish.
func TestSecondCoordinator(t *testing.T) {
	k := newBank(t, [2]string{serverstest.PostgresDatabase(t), serverstest.PostgresDatabase(t)})
	journal := filepath.Join(t.TempDir(), "journal")
	left, right := k.worlds[0], k.worlds[1]
	k.c = coordinator(t, journal, left.p, silent{right.p})
	id := uuid.Must(uuid.NewV7())
	err := k.c.Execute(context.Background(), &dtc.TxOptions{ID: id},
		dtc.Enlistment{Participant: left.p, Payload: transfer{1, -5}.encode(t)},
		dtc.Enlistment{Participant: silent{right.p}, Payload: transfer{1, 5}.encode(t)})
	if err != nil {
		t.Fatalf("decided: %v", err)
	}
	// This one never got a decision: its coordinator died after the votes.
	lost := participant.Branch{Coordinator: "shop", Transaction: uuid.Must(uuid.NewV7()), Payload: transfer{2, -7}.encode(t)}
	left.must(left.p.Prepare(left.ctx, lost))
	_ = k.c.Close()
	if ids, err := right.p.InDoubt(right.ctx, "shop"); len(ids) != 1 || ids[0] != id || err != nil {
		t.Fatal(ids, err)
	}
	k.c = coordinator(t, journal, k.participants()...)
	k.outcomes[id], k.outcomes[lost.Transaction] = nil, dtc.ErrRolledBack
	k.settled()
	until(t, "the rollback is remembered", func() (there bool) {
		left.must(left.pool.QueryRow(left.ctx, "SELECT EXISTS (SELECT FROM dtc.branches WHERE transaction = $1)", lost.Transaction.String()).Scan(&there))
		return there
	})
	left.is(left.p.Prepare(left.ctx, lost), participant.ErrRolledBack)
}

// TestForgottenBranch begins a branch and never enlists it: the coordinator finds
// it.
func TestForgottenBranch(t *testing.T) {
	k := newBank(t, [2]string{serverstest.PostgresDatabase(t), serverstest.PostgresDatabase(t)})
	k.c = coordinator(t, filepath.Join(t.TempDir(), "journal"), k.participants()...)
	w := k.worlds[0]
	err := k.c.Run(w.ctx, nil, func(tx *dtc.Tx) error {
		db, err := w.p.Begin(w.ctx, tx.ID())
		if err != nil {
			return err
		}
		_, err = db.Exec(w.ctx, "UPDATE accounts SET balance = 0")
		return err
	})
	w.must(err)
	w.clean()
	k.settled()
}

// TestPathsAndErrors looks at what the coordinator makes of the participant: the
// cheapest path, and errors that a caller can act on.
func TestPathsAndErrors(t *testing.T) {
	k := newBank(t, [2]string{serverstest.PostgresDatabase(t), serverstest.PostgresDatabase(t)})
	k.c = coordinator(t, filepath.Join(t.TempDir(), "journal"), k.participants()...)
	w := k.worlds[0]
	forced := k.c.Stats().Forced
	id, err := k.execute(w.ctx, transfer{1, -1}, transfer{1, 1})
	w.must(err)
	k.outcomes[id] = nil
	if n := k.c.Stats().Forced - forced; n != 1 {
		t.Errorf("%d records were forced, not 1", n)
	}
	id, err = k.inside(w.ctx, transfer{1, -1}, transfer{1, 1})
	w.must(err)
	k.outcomes[id] = nil
	// Too much, with two participants and with one alone.
	_, err = k.execute(w.ctx, transfer{1, -1000}, transfer{1, 1000})
	w.is(err, dtc.ErrRolledBack)
	w.violated(err)
	err = k.c.Execute(w.ctx, nil, dtc.Enlistment{Participant: w.p, Payload: transfer{1, -1000}.encode(t)})
	w.is(err, dtc.ErrRolledBack)
	w.violated(err)
	// A serialization failure can be told from other refusals.
	failing := postgres.Options{Work: func(context.Context, pgx.Tx, participant.Branch) error {
		return fmt.Errorf("wrapped: %w", serializationFailure)
	}}
	for _, others := range [][]dtc.Enlistment{nil, {{Participant: k.worlds[1].p, Payload: transfer{1, 0}.encode(t)}}} {
		p := w.participant("failing", &failing)
		err := k.c.Execute(w.ctx, nil, append(others, dtc.Enlistment{Participant: p})...)
		w.is(err, dtc.ErrRolledBack)
		w.is(err, postgres.ErrSerialization)
	}
	k.settled()
}

var serializationFailure = &pgconn.PgError{Code: "40001", Message: "could not serialize access"}

// violated expects the check of the accounts to be the reason.
func (w *world) violated(err error) {
	w.t.Helper()
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "23514" {
		w.t.Errorf("got %v, which does not say why", err)
	}
}
