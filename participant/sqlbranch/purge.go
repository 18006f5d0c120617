package sqlbranch

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// minAge is how old what is purged is at least: a call that is under way now cannot
// be about it. Half of it is left for clocks that differ: an id that is younger than
// that is never close to a horizon that moves.
const minAge = time.Hour

// Purge removes the rows of all branches, of all participants, that are committed
// or rolled back and whose transactions began before that time, by the time in
// their ids. It returns how many it has removed, also where it fails on the way.
//
// From then on, of such a transaction, what begins a branch is refused with a
// *participant.ForgottenError, and so is Rollback of a [Saga], which may have been
// done. Branches that are prepared stay, and can be ended. So the time must lie
// before any call that can still come, and is refused with [*InvalidError] where it
// is less than an hour ago; a day or more is usual. Purge works in small
// transactions beside other calls, and may be called from several processes.
func (d Database) Purge(ctx context.Context, before time.Time) (removed int64, err error) {
	if err := d.checkAge(before); err != nil {
		return 0, err
	}
	horizon := lastBefore(before).String()
	// The horizon comes first: where a row is gone, it is found.
	err = d.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, d.texts().raiseHorizon, horizon, horizon)
		return wrapped("horizon", err)
	})
	if err != nil {
		return 0, err
	}
	return d.remove(ctx, d.texts().branches, horizon)
}

// PurgeOnce removes the keys of [Database.Once] that were claimed before that time,
// by the clocks of the processes that claimed them. It returns how many it has
// removed, also where it fails on the way. A message with such a key is new when it
// comes again: the time must lie before any that can.
func (d Database) PurgeOnce(ctx context.Context, before time.Time) (removed int64, err error) {
	if err := d.checkAge(before); err != nil {
		return 0, err
	}
	return d.remove(ctx, d.texts().keys, before.UnixMilli()-1)
}

func (d Database) checkAge(before time.Time) error {
	if err := d.check(); err != nil {
		return err
	}
	if age := time.Since(before); age < minAge {
		return &InvalidError{Field: "before", Reason: fmt.Sprintf("is %v ago; at least %v are needed", age.Round(time.Second), minAge)}
	}
	return nil
}

// atOnce is how many rows one transaction removes.
const atOnce = 500

// remove removes all rows that are old by the bound. It looks for them without
// locking anything and removes each by its key: on MySQL, what goes through a range
// waits for rows at work beside it.
func (d Database) remove(ctx context.Context, o old, bound any) (removed int64, err error) {
	for {
		var keys [][]any
		var n int64
		err := d.transact(ctx, func(tx *sql.Tx) (err error) {
			if keys, err = o.keys(ctx, tx, bound); err != nil {
				return wrapped("purge", err)
			}
			n, err = o.removeEach(ctx, tx, bound, keys)
			return wrapped("purge", err)
		})
		if err != nil {
			return removed, err
		}
		removed += n
		if len(keys) < atOnce {
			return removed, nil
		}
	}
}

func (o old) keys(ctx context.Context, tx *sql.Tx, bound any) (keys [][]any, err error) {
	rows, err := tx.QueryContext(ctx, o.find, bound, atOnce)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		key := make([]any, len(columns))
		for i := range key {
			key[i] = new(string)
		}
		if err := rows.Scan(key...); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

func (o old) removeEach(ctx context.Context, tx *sql.Tx, bound any, keys [][]any) (removed int64, err error) {
	statement, err := tx.PrepareContext(ctx, o.remove)
	if err != nil {
		return 0, err
	}
	defer statement.Close()
	for _, key := range keys {
		result, err := statement.ExecContext(ctx, append(key, bound)...)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		removed += n
	}
	return removed, nil
}
