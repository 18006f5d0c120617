package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-d36415c0/dtc/participant"
)

// lookSQL says what the server knows of a branch. A branch that is committed
// between the two looks can seem unknown; its marker is then in the way.
const lookSQL = `SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE gid = $4),
	(SELECT committed FROM $schema.branches WHERE transaction = $1::uuid AND coordinator = $2 AND participant = $3)`

// Prepare implements participant.Preparer. The branch that Begin opened, or that
// Options.Work fills now, is prepared, or it is over when Prepare returns.
//
// It refuses with Work's error, with [*BranchError] where the application has not
// left the branch in order or there is none, with [*ServerError], with
// participant.ErrRolledBack, *participant.ForgottenError, [*PoolError] and
// [*GidError].
func (p *Participant) Prepare(ctx context.Context, b participant.Branch) error {
	gid, err := p.check(ctx, b)
	if err != nil {
		return err
	}
	known, err := p.phaseOne(ctx, b, gid, last{callPrepare, callPrepare + " '" + gid + "'"})
	if err != nil || known != fenced {
		return err
	}
	return rolledBack(callPrepare, b)
}

// CommitOnePhase implements participant.OnePhaseCommitter. It refuses as Prepare
// does; only participant.ErrRolledBack is final.
func (p *Participant) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	gid, err := p.check(ctx, b)
	if err != nil {
		return err
	}
	known, err := p.phaseOne(ctx, b, gid, last{callCommit, callCommit})
	switch {
	case errors.Is(err, participant.ErrReadOnly):
		return nil
	case errors.Is(err, participant.ErrRolledBack): // Work's word, and to be made final
		if is, failed := p.Committed(ctx, b); is || failed != nil {
			return failed
		}
		return err
	case err != nil:
		return err
	case known == prepared:
		return p.Commit(ctx, b)
	case known == fenced:
		return rolledBack(callCommit, b)
	}
	return nil
}

func rolledBack(call string, b participant.Branch) error {
	return fmt.Errorf("postgres: %s of transaction %s: %w", call, b.Transaction, participant.ErrRolledBack)
}

// check refuses a call that cannot be meant for this participant, and names the
// branch.
func (p *Participant) check(ctx context.Context, b participant.Branch) (gid string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if p.isClosed() {
		return "", ErrClosed
	}
	if err := checkID(b.Transaction); err != nil {
		return "", err
	}
	return p.gid(b)
}

// known is what the server says of a branch that is not open here.
type known uint8

const (
	nothing known = iota // or it has just been done
	prepared
	committed
	fenced
)

// querier is a pool, or one connection.
type querier interface {
	QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row
}

func (p *Participant) look(ctx context.Context, q querier, b participant.Branch, gid string) (known, error) {
	var isPrepared bool
	var isCommitted pgtype.Bool
	err := q.QueryRow(ctx, p.sql.look, b.Transaction.String(), b.Coordinator, p.name, gid).Scan(&isPrepared, &isCommitted)
	switch {
	case err != nil:
		return nothing, fmt.Errorf("postgres: look for the branch: %w", explain(callMarker, err))
	case isPrepared:
		return prepared, nil
	case isCommitted.Bool:
		return committed, nil
	case isCommitted.Valid:
		return fenced, nil
	}
	return nothing, nil
}

// last is the statement that ends phase one.
type last struct {
	call string // also its command tag
	sql  string
}

// phaseOne ends an open branch, or does its work and ends it, unless it is known
// already.
func (p *Participant) phaseOne(ctx context.Context, b participant.Branch, gid string, l last) (known, error) {
	open, err := p.take(ctx, b.Transaction)
	if err == nil && open == nil {
		var found known
		found, open, err = p.work(ctx, b, gid)
		if found != nothing {
			return found, err
		}
	}
	if err != nil {
		return nothing, err
	}
	if err := p.finish(ctx, open, b, l); err != errTaken {
		return nothing, err
	}
	// Somebody else was first: marker or fence is there to say who, or was purged.
	found, err := p.look(ctx, p.settler, b, gid)
	if err == nil && found == nothing {
		err = &participant.ForgottenError{Transaction: b.Transaction}
	}
	return found, err
}

// work opens a branch that Begin did not open, and has Options.Work fill it.
func (p *Participant) work(ctx context.Context, b participant.Branch, gid string) (found known, open *branch, err error) {
	switch p.hasEnded(b.Transaction) {
	case participant.ReadOnly:
		return nothing, nil, participant.ErrReadOnly
	case participant.RolledBack:
		return fenced, nil, nil
	}
	if p.options.Work == nil {
		found, err = p.look(ctx, p.settler, b, gid)
		if err == nil && found == nothing {
			err = &BranchError{Transaction: b.Transaction, Reason: "none is open in this process: call Begin before Enlist, or set Options.Work"}
		}
		return found, nil, err
	}
	open = newBranch(b.Transaction, p.options.TxOptions)
	err = p.connect(ctx, "the work of a branch", func(conn *pgxpool.Conn) (err error) {
		err = open.open(ctx, conn, p.tag(b.Transaction), claim(gid))
		if code(err) != claimed {
			return err
		}
		if _, err = conn.Exec(ctx, "ROLLBACK"); err != nil {
			return fmt.Errorf("postgres: begin: %w", explain(callWork, err))
		}
		if found, err = p.look(ctx, conn, b, gid); err != nil {
			return err
		}
		if found != nothing {
			conn.Release()
			return nil
		}
		// Another branch's gid has the same hash, or another process is at work on
		// this one, which the marker will tell.
		return open.open(ctx, conn, p.tag(b.Transaction), "")
	})
	if err != nil || found != nothing {
		return found, nil, err
	}
	if err := p.fill(ctx, open, b); err != nil {
		// Work that was done before may be in its own way.
		if found, unknown := p.look(ctx, p.settler, b, gid); unknown == nil && found != nothing {
			return found, nil, nil
		}
		return nothing, nil, err
	}
	return nothing, open, nil
}

// claim has a branch's transaction fail at once with the code claimed where another
// holds the branch, prepared or at work. Without it, work that comes again would
// wait for the rows that it has locked itself. It is in the same round trip as
// BEGIN; asking for what is prepared would be another, and dear.
func claim(gid string) string {
	h := fnv.New64a()
	h.Write([]byte(gid))
	return fmt.Sprintf("; SELECT 1/pg_try_advisory_xact_lock(%d)::int", int64(h.Sum64()))
}

// fill has Options.Work do the branch's work. The branch is over where that fails,
// or panics.
func (p *Participant) fill(ctx context.Context, open *branch, b participant.Branch) (err error) {
	filled := false
	defer func() {
		if !filled {
			open.end(ctx, "its work failed")
		}
	}()
	if err := p.options.Work(ctx, open.handle, b); err != nil {
		return explain(callWork, err)
	}
	filled = true
	return nil
}

// finish prepares or commits the open branch. Whatever it answers, the branch is
// not open any more.
func (p *Participant) finish(ctx context.Context, open *branch, b participant.Branch, l last) error {
	open.taken.Store(true)
	select {
	case open.turn <- struct{}{}:
		defer open.pass()
	default:
		open.end(ctx, "it was refused")
		return open.refusal(inUse, nil)
	}
	err := open.fit()
	if err == nil {
		err = p.markAndEnd(ctx, open, b, l)
	}
	if err != nil {
		open.undo(ctx, "it was refused")
		if errors.Is(err, participant.ErrReadOnly) {
			p.setEnded(b.Transaction, participant.ReadOnly)
		}
		return err
	}
	open.over = open.refusal("it is over: "+l.call, pgx.ErrTxClosed)
	open.release(ctx)
	return nil
}
