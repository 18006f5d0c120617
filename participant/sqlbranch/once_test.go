package sqlbranch_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

// sell is work for Once.
func sell(d sqlbranch.Dialect, item string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error { return add(d, 0, 1)(ctx, tx, branch("", item)) }
}

// TestOnce delivers every message from many goroutines at a time.
func TestOnce(t *testing.T) {
	t.Parallel()
	for _, l := range levels {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			db := l.open(t)
			db.Isolation = l.level
			db.DB.SetMaxOpenConns(connections / 2)
			const messages, deliveries = 20, 5
			var firsts atomic.Int64
			var all sync.WaitGroup
			for i := range messages * deliveries {
				key := "mail " + strings.Repeat("x", i%messages)
				all.Go(func() {
					first, err := db.Once(context.Background(), key, sell(db.Dialect, "a"))
					if err != nil {
						t.Error(err)
					}
					if first {
						firsts.Add(1)
					}
				})
			}
			all.Wait()
			wantStock(t, db.DB, "a", 0, messages)
			if n := firsts.Load(); n != messages {
				t.Errorf("%d of %d messages were told to be the first", n, messages)
			}
		})
	}
}

// TestOnceFails has work fail: nothing is remembered.
func TestOnceFails(t *testing.T) {
	each(t, kinds, func(t *testing.T, k kind) {
		db, ctx := k.open(t), context.Background()
		if first, err := db.Once(ctx, "1", sell(k.dialect, "none")); first || !errors.Is(err, errSoldOut) {
			t.Errorf("Once that fails: %t, %v", first, err)
		}
		wantStock(t, db.DB, "none", 0, 0)
		for _, want := range []bool{true, false} {
			if first, err := db.Once(ctx, "1", sell(k.dialect, "a")); first != want || err != nil {
				t.Errorf("Once: %t, %v", first, err)
			}
		}
		wantStock(t, db.DB, "a", 0, 1)
	})
}

// TestNamesAreApart has names and keys that a collation would merge, or a quoting
// would break.
func TestNamesAreApart(t *testing.T) {
	names := []string{"a", "A", "a ", "á", "a'", `a\`, `a"`, "a%", "?", "$1", "🙂", strings.Repeat("é", 64), strings.Repeat("é", 63)}
	all := append(kinds[:len(kinds):len(kinds)], mariaDB.with("in the text", "?interpolateParams=true"),
		mariaDB.with("latin1", "?charset=latin1"))
	each(t, all, func(t *testing.T, k kind) {
		db, ctx := k.open(t), context.Background()
		b := branch("", "x")
		for _, name := range names {
			if first, err := db.Once(ctx, name, sell(k.dialect, "once")); !first || err != nil {
				t.Errorf("Once %q: %t, %v", name, first, err)
			}
			p := newTCC(t, name, db)
			b.Coordinator = name
			must(t, p.Prepare(ctx, b))
			if ids, err := p.InDoubt(ctx, name); err != nil || len(ids) != 1 || ids[0] != b.Transaction {
				t.Errorf("%q lists %v, %v", name, ids, err)
			}
		}
		wantStock(t, db.DB, "once", 0, len(names))
		wantStock(t, db.DB, "x", len(names), 0)
		for _, name := range names {
			b.Coordinator = name
			must(t, newTCC(t, name, db).Commit(ctx, b))
		}
		wantStock(t, db.DB, "x", 0, len(names))
	})
}

// TestPurgeOnce forgets keys that are old.
func TestPurgeOnce(t *testing.T) {
	each(t, kinds, func(t *testing.T, k kind) {
		db, ctx := k.open(t), context.Background()
		for _, key := range []string{"old", "new"} {
			_, err := db.Once(ctx, key, sell(k.dialect, key))
			must(t, err)
		}
		_, err := db.DB.Exec("UPDATE dtc_once SET at = at - 7200000 WHERE id = 'old'")
		must(t, err)
		if n, err := db.PurgeOnce(ctx, time.Now().Add(-90*time.Minute)); n != 1 || err != nil {
			t.Errorf("PurgeOnce: %d, %v", n, err)
		}
		for key, want := range map[string]bool{"old": true, "new": false} {
			if first, err := db.Once(ctx, key, sell(k.dialect, key)); first != want || err != nil {
				t.Errorf("%s after the purge: %t, %v", key, first, err)
			}
		}
	})
}
