package mysql

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// census knows which sessions InnoDB has transactions of. A prepared branch must not
// be decided by another session while it is still tied to the one that prepared it.
//
// When a session ends, the server first lets go of the branch (from then on XA RECOVER
// offers it to everybody), then of the session's locks, then it takes the session from
// its lists, and only then tells InnoDB. An XA COMMIT that comes in between is
// answered OK, and does nothing: the server forgets the branch, InnoDB keeps it
// prepared, with its locks, until the next start. So what InnoDB itself says is asked
// for, in information_schema.INNODB_TRX.
//
// That table is a copy which the server renews only when nobody has read it for 100
// ms. A copy is fresh if it shows the very query that reads it, so each has a number
// of its own. Calls that wait at the same time share one copy that was made after the
// last of them came.
type census struct {
	asked atomic.Uint64 // calls that have come

	// Whose turn it is has what follows.
	seen uint64 // calls that had come before the copy was made
	ids  map[uint64]bool
}

// tied tells whether the branch is tied to the session that prepared it. The worker's
// lock has been got before.
func (p *Participant) tied(ctx context.Context, s *session, x xid) (bool, error) {
	id, err := x.connection()
	if err != nil {
		return false, fmt.Errorf("mysql: the XA branch of transaction %s is not ours: %w", x.gtrid[:36], err)
	}
	// Ids begin anew with the server. One that is in use here is no more that of
	// the branch, which would wait for it, perhaps for as long as it waits for the
	// branch's locks.
	if id == s.id || p.holds(id) {
		return false, nil
	}
	c := &p.census
	mine := c.asked.Add(1)
	if err := p.turns.Take(ctx, c); err != nil {
		return false, err
	}
	defer p.turns.End(c)
	if c.seen < mine {
		seen := c.asked.Load()
		if c.ids, err = s.census(ctx); err != nil {
			return false, err
		}
		c.seen = seen
	}
	return c.ids[id], nil
}

// census makes a copy that is fresh.
func (s *session) census(ctx context.Context) (map[uint64]bool, error) {
	// A transaction of its own makes the session appear in the copy.
	if err := s.exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
		return nil, explained("look at InnoDB's transactions", err)
	}
	for wait := 101 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		ids, err := s.attached(ctx)
		if err != nil {
			return nil, err
		}
		if ids[s.id] {
			return ids, s.exec(ctx, "COMMIT")
		}
		// Others may be waiting as we are, and each look makes the copy live longer.
		if err := pause(ctx, wait+rand.N(wait/2)); err != nil {
			return nil, fmt.Errorf("mysql: INNODB_TRX is not renewed, for it is read all the time: %w", err)
		}
	}
}

// attached lists the sessions in the copy. This one is among them only if it is seen
// at this query: then the copy is fresh.
func (s *session) attached(ctx context.Context) (map[uint64]bool, error) {
	mark := "/* " + uuid.NewString() + " */"
	query := "SELECT " + mark + " trx_mysql_thread_id, COALESCE(trx_query LIKE '%" + mark + "%', 0) " +
		"FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id <> 0"
	ids := make(map[uint64]bool)
	err := s.rows(ctx, query, func(scan func(...any) error) error {
		var id uint64
		var asks bool
		if err := scan(&id, &asks); err != nil {
			return err
		}
		if id != s.id || asks {
			ids[id] = true
		}
		return nil
	})
	if number(err) == errDenied {
		return nil, &PrivilegeError{Privilege: "PROCESS", On: "*.*", Err: err,
			For: "see when a prepared branch is free of a connection that was lost"}
	}
	if err != nil {
		return nil, explained("look at InnoDB's transactions", err)
	}
	return ids, nil
}
