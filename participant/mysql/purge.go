package mysql

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// Purge forgets the branches of transactions that began before a time, by their
// version 7 ids, and returns how many rows it has deleted. That time becomes the
// participant's horizon: of an older transaction of which no row is left, Begin,
// Prepare, Commit, CommitOnePhase and Committed answer *participant.ForgottenError
// from then on. Prepared branches are not touched and stay committable. The time must
// be at least a minute ago; it should lie further back than any transaction is
// unfinished, for the answer to a late Commit is among what is forgotten.
//
// It may be called while the participant is in use, and again after an error. Rows of
// branches that are being begun at that moment are left for the next time.
func (p *Participant) Purge(ctx context.Context, before time.Time) (int64, error) {
	if time.Since(before) < time.Minute {
		return 0, &InvalidError{What: "time before which Purge forgets", Reason: "is not a minute ago"}
	}
	d, err := p.learn(ctx)
	if err != nil {
		return 0, err
	}
	s, err := p.connect(ctx)
	if err != nil {
		return 0, err
	}
	n, err := s.purge(ctx, d, p.name, lastBefore(before))
	if err != nil {
		s.discard()
		return n, err
	}
	s.keep()
	return n, nil
}

// lastBefore is the greatest id of the milliseconds before t.
func lastBefore(t time.Time) (id uuid.UUID) {
	ms := uint64(max(t.UnixMilli()-1, 0))
	binary.BigEndian.PutUint64(id[:8], ms<<16|0xffff)
	for i := 8; i < len(id); i++ {
		id[i] = 0xff
	}
	return id
}

// purge moves the horizon, and then deletes.
//
// A late Prepare must not slip in where a fence is deleted. Whoever works on a branch
// holds its worker's lock first and reads the horizon after that. So once the horizon
// is moved, a branch whose lock is free will be refused by it, and its row may go;
// one whose lock is taken may have read the old horizon, and its row must stay.
func (s *session) purge(ctx context.Context, d *dialect, name string, horizon uuid.UUID) (n int64, err error) {
	id := literal(string(horizon[:]))
	err = s.exec(ctx, fmt.Sprintf("INSERT INTO %s (participant, transaction_id) VALUES (%s, %s) "+
		"ON DUPLICATE KEY UPDATE transaction_id = GREATEST(transaction_id, %s)", d.table(horizonsTable), literal(name), id, id))
	if err != nil {
		return 0, explained("move the horizon", err)
	}
	last := participant.Key{Participant: name}
	for {
		old, err := s.settledBefore(ctx, d, last, horizon)
		if err != nil || len(old) == 0 {
			return n, err
		}
		last = old[len(old)-1]
		deleted, err := s.delete(ctx, d, old)
		n += deleted
		if err != nil {
			return n, err
		}
	}
}

// purgeBatch is how many rows are deleted in one local transaction.
const purgeBatch = 200

// settledBefore lists rows after the last one. It reads what is committed, whatever
// the session's isolation level is: the row of a branch that has not ended is not
// ours to delete, nor to wait for.
func (s *session) settledBefore(ctx context.Context, d *dialect, last participant.Key, horizon uuid.UUID) ([]participant.Key, error) {
	tx, err := s.conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted, ReadOnly: true})
	if err != nil {
		return nil, explained("look for old branches", err)
	}
	defer tx.Rollback()
	after := literal(string(last.Transaction[:]))
	rows, err := tx.QueryContext(ctx, fmt.Sprintf("SELECT transaction_id, coordinator FROM %s WHERE participant = %s AND transaction_id <= %s "+
		"AND (transaction_id > %s OR transaction_id = %s AND coordinator > %s) ORDER BY participant, transaction_id, coordinator LIMIT %d",
		d.table(branchesTable), literal(last.Participant), literal(string(horizon[:])), after, after, literal(last.Coordinator), purgeBatch))
	if err != nil {
		return nil, explained("look for old branches", err)
	}
	defer rows.Close()
	var all []participant.Key
	for rows.Next() {
		var id []byte
		k := participant.Key{Participant: last.Participant}
		if err := rows.Scan(&id, &k.Coordinator); err != nil {
			return nil, err
		}
		copy(k.Transaction[:], id)
		all = append(all, k)
	}
	return all, rows.Err()
}

// delete deletes the rows of branches that nobody is working on.
func (s *session) delete(ctx context.Context, d *dialect, old []participant.Key) (n int64, err error) {
	free, err := s.unlocked(ctx, d, old)
	if err != nil {
		return 0, err
	}
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return 0, explained("forget old branches", err)
	}
	defer tx.Rollback()
	for i, k := range old {
		if !free[i] {
			continue
		}
		result, err := tx.ExecContext(ctx, "DELETE FROM "+d.table(branchesTable)+" WHERE "+where(k))
		if err != nil {
			return 0, explained("forget old branches", err)
		}
		deleted, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		n += deleted
	}
	if err := tx.Commit(); err != nil {
		return 0, explained("forget old branches", err)
	}
	return n, nil
}

func (s *session) unlocked(ctx context.Context, d *dialect, old []participant.Key) ([]bool, error) {
	ask := make([]string, len(old))
	free := make([]bool, len(old))
	into := make([]any, len(old))
	for i, k := range old {
		worker, _ := lockNames(k, d.database)
		ask[i], into[i] = "IS_FREE_LOCK('"+worker+"')", &free[i]
	}
	if err := s.row(ctx, "SELECT "+strings.Join(ask, ", "), into...); err != nil {
		return nil, explained("look for locks", err)
	}
	return free, nil
}
