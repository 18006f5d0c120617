package sqlbranch

import (
	"context"
	"database/sql"
	"time"
)

// Once calls work, in a local transaction, unless an earlier call with the same key
// has succeeded: the effect of work on the database is there once, however often,
// and from wherever, the call comes. It tells whether this call was the first. A
// call that comes while another one is at work waits for it.
//
// The key is that of the message or request, of 1 to 255 bytes, and of the database:
// put the consumer's name in front of it. Work may be called again, as the package
// says, and an error of it leaves nothing behind. It is remembered until
// [Database.PurgeOnce]. Once fails with the error of work, with [*InvalidError],
// [*CommitError] or [ErrTransactionEnded], with the context's error, or with the
// driver's.
func (d Database) Once(ctx context.Context, key string, work func(context.Context, *sql.Tx) error) (first bool, err error) {
	if err := d.check(); err != nil {
		return false, err
	}
	switch {
	case work == nil:
		return false, &InvalidError{Field: "work", Reason: "is nil"}
	case key == "":
		return false, &InvalidError{Field: "key", Reason: "is empty"}
	}
	if err := checkText("key", key, maxKey); err != nil {
		return false, err
	}
	done := false
	slot := barrier{
		table: d.texts().once,
		key:   []any{key},
		first: []any{time.Now().UnixMilli()},
		found: []any{&done},
	}
	err = d.pass(ctx, slot, func(*sql.Tx) (*change, error) {
		if done {
			return nil, nil
		}
		return &change{set: []any{true}, work: work}, nil
	})
	return err == nil && !done, err
}
