package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/seed-d36415c0/dtc/participant"
)

// fenceSQL returns what became of a branch, and settles it where nothing did: the
// fence is in the way of every marker that comes later. It returns nothing where
// the branch is prepared, and waits while another transaction has its key. Below
// the horizon $5, a branch of which nothing is there stays so.
//
// It writes also where the row is there, so that what it returns is known to be as
// durable, and as replicated, as this server makes a commit.
const fenceSQL = `INSERT INTO $schema.branches AS b (transaction, coordinator, participant, committed)
SELECT $1::uuid, $2, $3, false WHERE NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE gid = $4)
ON CONFLICT (transaction, coordinator, participant) DO UPDATE SET committed = b.committed
RETURNING b.committed, CASE WHEN b.xmax <> 0 OR $5::bigint > (SELECT last_value FROM $schema.horizon WHERE b.transaction = $1::uuid)
	THEN true ELSE ('purged: ' || b.transaction)::boolean END`

// guardSQL bounds fenceSQL's wait, and makes it durable.
const guardSQL = `SELECT set_config('lock_timeout', $1, true),
	set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)`

// evictSQL lists the server processes that hold an open branch, and ends, as far
// as the role may, those that have waited for their client for a while, or have
// been at it for a second. The others are about to end by themselves, and then it
// would be somebody else's connection that is lost: whether to wait for one is the
// second column.
const evictSQL = `SELECT pid, may AND stuck IS NOT TRUE, CASE WHEN may AND stuck THEN pg_terminate_backend(pid) END FROM (
	SELECT pid,
		current_setting('is_superuser') = 'on' OR pg_has_role(usesysid, 'USAGE') AND NOT rolsuper AS may,
		wait_event = 'ClientRead' AND state_change < clock_timestamp() - interval '50 ms'
			OR xact_start < clock_timestamp() - interval '1 s' AS stuck
	FROM pg_stat_activity JOIN pg_roles ON pg_roles.oid = usesysid
	WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()) AS holders`

// How long a fence waits for another transaction to let its key go, before it is
// looked at what holds it.
const (
	firstWait = 100 * time.Millisecond
	laterWait = time.Second
	// busyWait is how soon it is looked again at what another connection is about to
	// let go.
	busyWait = 10 * time.Millisecond
)

// Commit implements participant.Participant. It answers participant.ErrRolledBack
// where the branch turns out to be rolled back, *participant.ForgottenError where
// Purge has dropped what became of it, else [*ServerError] or the connection's error.
func (p *Participant) Commit(ctx context.Context, b participant.Branch) error {
	gid, err := p.check(ctx, b)
	if err != nil {
		return err
	}
	done, err := p.conclude(ctx, gid, callSettle)
	if done || err != nil {
		return err
	}
	isCommitted, err := p.settle(ctx, b, gid, callSettle, milliseconds(b.Transaction))
	if err == nil && !isCommitted {
		err = rolledBack(callSettle, b)
	}
	return err
}

// Rollback implements participant.Participant. It interrupts what the application
// is doing in the branch. It refuses a committed branch with
// participant.ErrCommitted, and answers [*HeldError] where a server process holds
// the branch and cannot be ended, else [*ServerError] or the connection's error.
func (p *Participant) Rollback(ctx context.Context, b participant.Branch) error {
	isCommitted, err := p.rollback(ctx, b, math.MaxInt64)
	if err == nil && isCommitted {
		err = fmt.Errorf("postgres: roll back transaction %s: %w", b.Transaction, participant.ErrCommitted)
	}
	return err
}

// Committed implements participant.OnePhaseCommitter. A branch that is not
// committed is rolled back by it. It fails as Rollback does, and with
// *participant.ForgottenError.
func (p *Participant) Committed(ctx context.Context, b participant.Branch) (bool, error) {
	if p.hasEnded(b.Transaction) == participant.ReadOnly {
		return true, nil
	}
	return p.rollback(ctx, b, milliseconds(b.Transaction))
}

// rollback rolls the branch back, wherever it is, unless it is committed.
func (p *Participant) rollback(ctx context.Context, b participant.Branch, horizon int64) (isCommitted bool, err error) {
	gid, err := p.check(ctx, b)
	if err != nil {
		return false, err
	}
	open, err := p.take(ctx, b.Transaction)
	if err != nil {
		return false, err
	}
	clean := open != nil && open.end(ctx, "it was rolled back")
	isCommitted, err = p.settle(ctx, b, gid, callUndo, horizon)
	if err != nil || isCommitted {
		return isCommitted, err
	}
	p.setEnded(b.Transaction, participant.RolledBack)
	if !clean {
		_, err = p.evict(ctx, b.Transaction)
	}
	return false, err
}

// settle finds out what became of the branch, and has it end where it has not: as
// call says where it is prepared, and else rolled back.
func (p *Participant) settle(ctx context.Context, b participant.Branch, gid, call string, horizon int64) (isCommitted bool, err error) {
	var holders []int32
	for wait := firstWait; ; {
		known, err := p.fence(ctx, b, gid, horizon, wait)
		switch {
		case code(err) == lockNotAvailable:
			if call == callUndo {
				holders, _ = p.evict(ctx, b.Transaction) // what is left shows when the fence is tried again
			}
			wait = laterWait
		case code(err) == invalidText:
			return false, &participant.ForgottenError{Transaction: b.Transaction}
		case code(err) == serialization || code(err) == deadlock: // as its isolation level has it
		case err != nil && wait != firstWait && ctx.Err() != nil:
			return false, &HeldError{Transaction: b.Transaction, Processes: holders, Err: err}
		case err != nil:
			return false, fmt.Errorf("postgres: settle transaction %s: %w", b.Transaction, explain(callMarker, err))
		case known != prepared:
			return known == committed, nil
		default:
			done, err := p.conclude(ctx, gid, call)
			if err != nil || done && call == callSettle {
				return done, err
			}
		}
	}
}

// conclude commits or rolls back the prepared transaction. It is done unless there
// is none.
func (p *Participant) conclude(ctx context.Context, gid, call string) (done bool, err error) {
	for {
		err := p.retry(ctx, func() error {
			_, err := p.settler.Exec(ctx, call+" '"+gid+"'")
			return err
		})
		switch code(err) {
		case noObject:
			return false, nil
		case notInState: // another connection is at it
			if err := pause(ctx, busyWait); err != nil {
				return false, fmt.Errorf("postgres: %s: another connection is at it: %w", call, err)
			}
			continue
		}
		if err != nil {
			err = fmt.Errorf("postgres: %s: %w", call, explain(call, err))
		}
		return err == nil, err
	}
}

// fence asks what became of the branch, and makes sure that it stays so.
func (p *Participant) fence(ctx context.Context, b participant.Branch, gid string, horizon int64, wait time.Duration) (known, error) {
	var isCommitted, above bool
	err := p.retry(ctx, func() error {
		batch := new(pgx.Batch)
		batch.Queue(guardSQL, fmt.Sprint(wait.Milliseconds()))
		batch.Queue(p.sql.fence, b.Transaction.String(), b.Coordinator, p.name, gid, horizon)
		results := p.settler.SendBatch(ctx, batch)
		if _, err := results.Exec(); err != nil {
			return errors.Join(err, results.Close())
		}
		err := results.QueryRow().Scan(&isCommitted, &above)
		if closed := results.Close(); closed != nil { // a row counts only when its transaction has committed
			err = closed
		}
		return err
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return prepared, nil
	case err != nil:
		return nothing, err
	case isCommitted:
		return committed, nil
	}
	return fenced, nil
}

// evict ends the server processes that hold the branch open, and returns those
// that were there at last.
func (p *Participant) evict(ctx context.Context, id uuid.UUID) (pids []int32, err error) {
	for {
		pids = nil
		rows, _ := p.settler.Query(ctx, evictSQL, p.tag(id)) // the error is the rows' too
		var pid int32
		var wait, busy bool
		_, err := pgx.ForEachRow(rows, []any{&pid, &wait, nil}, func() error {
			pids, busy = append(pids, pid), busy || wait
			return nil
		})
		if err == nil && busy {
			if err = pause(ctx, busyWait); err == nil {
				continue
			}
		}
		return pids, err
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retry makes a call on a connection of the pool again, once, where it was lost:
// a server that was started again leaves a pool of dead ones. All calls of phase
// two may be made again.
func (p *Participant) retry(ctx context.Context, call func() error) error {
	err := call()
	if err == nil || ctx.Err() != nil || errors.Is(err, pgx.ErrNoRows) || !lost(err) {
		return err
	}
	p.settler.Reset()
	return call()
}

// lost tells whether the connection was, and not the call refused.
func lost(err error) bool {
	switch code(err) {
	case "", "57P01", "57P02": // no answer; the server goes down
		return true
	}
	return false
}
