package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed-d36415c0/dtc/participant"
)

// markSQL writes the marker, and fails where the id is below the horizon. It reads
// the horizon when the row has its place in the index: a fence that had been there
// was purged before that, and the horizon moved before the purge.
const markSQL = `INSERT INTO $schema.branches AS b (transaction, coordinator, participant, committed) VALUES ($1, $2, $3, true)
RETURNING CASE WHEN $4::bigint > (SELECT last_value FROM $schema.horizon WHERE b.committed) THEN true ELSE ('purged: ' || b.transaction)::boolean END`

// errTaken: a marker or a fence was there already.
var errTaken = errors.New("postgres: the branch was settled before")

// markAndEnd sends the marker and the last statement in one round trip: where the
// marker fails, the server skips the other.
func (p *Participant) markAndEnd(ctx context.Context, open *branch, b participant.Branch, l last) error {
	if !open.wrote {
		if err := open.readOnly(ctx); err != nil {
			return err
		}
	}
	batch, err := p.markBatch(ctx, open, b)
	if err != nil {
		return fmt.Errorf("postgres: %s: %w", l.call, explain(callMarker, err))
	}
	batch.ExecParams(l.sql, nil, nil, nil, nil)
	results, err := open.conn.Conn().PgConn().ExecBatch(ctx, batch).ReadAll()
	if err != nil {
		return answered(err, len(results) > 0 && results[0].Err == nil, b, l)
	}
	if tag := results[len(results)-1].CommandTag.String(); tag != l.call {
		return open.refusal("the server answered "+l.call+" with "+tag, nil)
	}
	return nil
}

// answered says what an error of markAndEnd means.
func answered(err error, marked bool, b participant.Branch, l last) error {
	switch {
	case marked:
		err = explain(l.call, err)
	case code(err) == uniqueViolation:
		return errTaken
	case code(err) == invalidText:
		err = &participant.ForgottenError{Transaction: b.Transaction}
	default:
		err = explain(callMarker, err)
	}
	return fmt.Errorf("postgres: %s of transaction %s: %w", l.call, b.Transaction, err)
}

// Types of the marker's parameters.
var markTypes = []uint32{pgtype.UUIDOID, pgtype.TextOID, pgtype.TextOID, pgtype.Int8OID}

// markBatch is a batch of the marker alone. A connection that keeps prepared
// statements prepares it once.
func (p *Participant) markBatch(ctx context.Context, open *branch, b participant.Branch) (*pgconn.Batch, error) {
	values := [][]byte{
		b.Transaction[:],
		[]byte(b.Coordinator),
		[]byte(p.name),
		binary.BigEndian.AppendUint64(nil, uint64(milliseconds(b.Transaction))),
	}
	formats := []int16{pgx.BinaryFormatCode, pgx.TextFormatCode, pgx.TextFormatCode, pgx.BinaryFormatCode}
	batch := new(pgconn.Batch)
	if !p.sql.prepared {
		batch.ExecParams(p.sql.mark, values, markTypes, formats, nil)
		return batch, nil
	}
	statement, err := open.conn.Conn().Prepare(ctx, p.sql.mark, p.sql.mark)
	if err != nil {
		return nil, err
	}
	batch.ExecStatement(statement, values, formats, nil)
	return batch, nil
}

// readOnly ends the branch's transaction if it has nothing to commit, and answers
// participant.ErrReadOnly then. It commits, so that a serializable transaction is
// told whether what it read is true.
func (b *branch) readOnly(ctx context.Context) error {
	var none bool
	err := b.conn.QueryRow(ctx, "SELECT pg_current_xact_id_if_assigned() IS NULL").Scan(&none)
	if err == nil && !none {
		return nil
	}
	if err == nil {
		var tag pgconn.CommandTag
		if tag, err = b.conn.Exec(ctx, callCommit); err == nil && strings.HasPrefix(tag.String(), callCommit) {
			return participant.ErrReadOnly
		}
	}
	if err == nil {
		return b.refusal("its transaction had failed", nil)
	}
	return fmt.Errorf("postgres: end a read-only branch of transaction %s: %w", b.id, explain(callWork, err))
}
