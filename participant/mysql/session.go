package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/seed-d36415c0/dtc/participant"
)

// session is a connection that is taken from the pool, with the server's session
// behind it. It goes back with keep, or is closed with discard: a session in an XA
// branch, or that holds a lock, must never be given back.
type session struct {
	conn *sql.Conn
	id   uint64 // the server's CONNECTION_ID()
}

// connect takes a connection from the pool. Connections that the pool has kept past
// the server's end are tried out and thrown away.
func (p *Participant) connect(ctx context.Context) (*session, error) {
	s, _, err := p.connectAndRead(ctx, "0")
	return s, err
}

// connectAndLock takes the lock in the same round trip, unless another has it.
func (p *Participant) connectAndLock(ctx context.Context, name string) (s *session, locked bool, err error) {
	return p.connectAndRead(ctx, "COALESCE(GET_LOCK('"+name+"', 0), 0)")
}

func (p *Participant) connectAndRead(ctx context.Context, boolean string) (s *session, value bool, err error) {
	for stale := p.db.Stats().Idle; ; stale-- {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			pool := p.db.Stats()
			if ctx.Err() != nil && pool.MaxOpenConnections > 0 && pool.InUse >= pool.MaxOpenConnections {
				return nil, false, &PoolError{Max: pool.MaxOpenConnections, Err: err}
			}
			return nil, false, fmt.Errorf("mysql: connect: %w", err)
		}
		s := &session{conn: conn}
		var auto bool
		err = s.row(ctx, "SELECT CONNECTION_ID(), @@autocommit, "+boolean, &s.id, &auto, &value)
		if err == nil && !auto {
			err = &ServerError{Setting: "autocommit is off", Need: "set autocommit=1 in the DSN"}
		}
		if err == nil {
			return s, value, nil
		}
		s.discard()
		if stale < 0 || ctx.Err() != nil || !lost(err) {
			return nil, false, explained("connect", err)
		}
	}
}

func (s *session) exec(ctx context.Context, statement string) error {
	_, err := s.conn.ExecContext(ctx, statement)
	return err
}

func (s *session) row(ctx context.Context, query string, into ...any) error {
	return s.conn.QueryRowContext(ctx, query).Scan(into...)
}

// rows calls each for every row, which it reads with scan.
func (s *session) rows(ctx context.Context, query string, each func(scan func(...any) error) error) error {
	rows, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// busy tells whether rows are open in the connection, or it is closed. A statement
// that is tried all the same fails, and database/sql then waits for the rows.
func (s *session) busy() (busy bool) {
	_ = s.conn.Raw(func(c any) error {
		v, ok := c.(driver.Validator)
		busy = ok && !v.IsValid()
		return nil
	})
	return busy
}

// keep gives the connection back to the pool.
func (s *session) keep() { _ = s.conn.Close() }

// discard closes the connection, and then the channel. It does not wait: a statement
// that somebody still executes in it has to end first.
func (s *session) discard() <-chan struct{} {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = s.conn.Close()
	}()
	return closed
}

// release gives up the locks, and the connection back to the pool. Where a statement
// of the application's has switched autocommit off, or the connection is lost, it is
// closed, and what it wrote last may not be committed.
func (s *session) release(ctx context.Context, locks ...string) (clean bool) {
	query, into := "SELECT @@autocommit", []any{&clean}
	for _, l := range locks {
		query += ", RELEASE_LOCK('" + l + "')"
		into = append(into, new(any))
	}
	if err := s.row(ctx, query, into...); err != nil || !clean {
		s.discard()
		return false
	}
	s.keep()
	return true
}

// lock takes the lock, for which it waits so many seconds.
func (s *session) lock(ctx context.Context, name string, seconds int) (bool, error) {
	var got sql.NullInt64 // NULL: the server gave up
	err := s.row(ctx, fmt.Sprintf("SELECT GET_LOCK('%s', %d)", name, seconds), &got)
	if err != nil {
		return false, explained("get a lock", err)
	}
	return got.Int64 == 1, nil
}

// holder is the id of the session that holds the lock; 0 if none does.
func (s *session) holder(ctx context.Context, name string) (uint64, error) {
	var id sql.Null[uint64]
	if err := s.row(ctx, "SELECT IS_USED_LOCK('"+name+"')", &id); err != nil {
		return 0, explained("look for a lock", err)
	}
	return id.V, nil
}

// seize takes the lock from whoever holds it longer than so many seconds: that
// session is killed, and has ended when seize returns.
func (s *session) seize(ctx context.Context, name string, seconds int) error {
	got, err := s.lock(ctx, name, seconds)
	for !got && err == nil {
		var id uint64
		if id, err = s.holder(ctx, name); err != nil {
			return err
		}
		if id != 0 {
			if err = s.kill(ctx, id); err != nil {
				return err
			}
		}
		got, err = s.lock(ctx, name, 1)
	}
	return err
}

// kill ends a session that held one of our locks a moment ago. Ids are not used
// again as long as the server lives.
func (s *session) kill(ctx context.Context, id uint64) error {
	err := s.exec(ctx, fmt.Sprintf("KILL CONNECTION %d", id))
	switch number(err) {
	case errNoSuchThread:
		return nil
	case errKillDenied, errDenied:
		return &PrivilegeError{Privilege: "CONNECTION ADMIN (on MySQL: CONNECTION_ADMIN)", On: "*.*",
			For: "end a connection of another database user", Err: err}
	}
	if err != nil {
		return explained("end a connection", err)
	}
	return nil
}

// errHeld says that a branch that has not ended holds the row.
var errHeld = errors.New("mysql: the row is held by a branch")

// read returns what became of the branch: Committed, RolledBack, Unknown, or
// Forgotten; errHeld where a branch that is neither, be it prepared or on its way, has
// written its marker. It is a locking read: it takes no notice of snapshots and of what
// is not committed, whatever the isolation level is, and does not wait. The horizon is
// read beside it, without a lock, as it is at this statement.
func (s *session) read(ctx context.Context, d *dialect, k participant.Key) (participant.State, error) {
	var committed sql.NullBool
	var horizon []byte
	err := s.row(ctx, fmt.Sprintf("SELECT b.committed, (SELECT transaction_id FROM %s WHERE participant = %s) "+
		"FROM (SELECT 1) AS one LEFT JOIN %s AS b ON %s FOR UPDATE NOWAIT",
		d.table(horizonsTable), literal(k.Participant), d.table(branchesTable), where(k)), &committed, &horizon)
	switch n := number(err); {
	case n == errLockWait || n == errNoWait:
		return participant.Unknown, errHeld
	case err != nil:
		return participant.Unknown, explained("read what became of a branch", err)
	case committed.Bool:
		return participant.Committed, nil
	case committed.Valid:
		return participant.RolledBack, nil
	case bytes.Compare(k.Transaction[:], horizon) <= 0:
		return participant.Forgotten, nil
	}
	return participant.Unknown, nil
}

// insert writes the branch's row. The error of a row that is there is not
// explained.
func (s *session) insert(ctx context.Context, d *dialect, k participant.Key, committed int) error {
	return s.exec(ctx, fmt.Sprintf("INSERT INTO %s (participant, transaction_id, coordinator, committed) VALUES (%s, %s, %s, %d)",
		d.table(branchesTable), literal(k.Participant), literal(string(k.Transaction[:])), literal(k.Coordinator), committed))
}

// fence keeps the branch from ever committing, or finds that it is committed.
func (s *session) fence(ctx context.Context, d *dialect, k participant.Key) (participant.State, error) {
	err := s.insert(ctx, d, k, 0)
	switch number(err) {
	case errDuplicate:
		state, err := s.read(ctx, d, k)
		if err == nil && !state.Settled() {
			err = errHeld // it was, and is gone
		}
		return state, err
	case errLockWait, errDeadlock:
		return participant.Unknown, errHeld
	}
	if err != nil {
		return participant.Unknown, explained("write a fence", err)
	}
	return participant.RolledBack, nil
}
