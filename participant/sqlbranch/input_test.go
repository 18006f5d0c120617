package sqlbranch_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

// TestInput refuses what cannot be, before anything is done.
func TestInput(t *testing.T) {
	db, ctx := sqlite.open(t), context.Background()
	d := sqlbranch.SQLite
	long := strings.Repeat("x", 129)
	tccOf := func(name string, db sqlbranch.Database, w sqlbranch.TCC) error {
		_, err := sqlbranch.NewTCC(name, db, w)
		return err
	}
	sagaOf := func(name string, db sqlbranch.Database, w sqlbranch.Saga) error {
		_, err := sqlbranch.NewSaga(name, db, w)
		return err
	}
	once := func(key string) error {
		_, err := db.Once(ctx, key, sell(d, "a"))
		return err
	}
	_, noWork := db.Once(ctx, "a", nil)
	with := func(change func(*participant.Branch)) error {
		b := branch("tcc", "a")
		change(&b)
		return newTCC(t, "tcc", db).Prepare(ctx, b)
	}
	_, purge := db.Purge(ctx, time.Now().Add(-59*time.Minute))
	_, purgeOnce := db.PurgeOnce(ctx, time.Now())
	_, zero := sqlbranch.Database{}.Once(ctx, "a", sell(d, "a"))
	for field, errs := range map[string][]error{
		"name": {tccOf("", db, tcc(d)), tccOf(long, db, tcc(d)), tccOf("\xff", db, tcc(d)), tccOf("a\x00", db, tcc(d)), sagaOf("", db, saga(d))},
		"Database.DB": {tccOf("a", sqlbranch.Database{Dialect: d}, tcc(d)), sagaOf("a", sqlbranch.Database{}, saga(d)), zero,
			sqlbranch.Database{}.Migrate(ctx)},
		"Database.Dialect":   {tccOf("a", sqlbranch.Database{DB: db.DB}, tcc(d)), sqlbranch.Database{DB: db.DB, Dialect: 9}.Migrate(ctx)},
		"TCC.Confirm":        {tccOf("a", db, sqlbranch.TCC{Try: tcc(d).Try, Cancel: tcc(d).Cancel})},
		"Saga.Undo":          {sagaOf("a", db, sqlbranch.Saga{Do: saga(d).Do})},
		"key":                {once(""), once(strings.Repeat("x", 256)), once("\xff")},
		"work":               {noWork},
		"before":             {purge, purgeOnce},
		"Branch.Transaction": {with(func(b *participant.Branch) { b.Transaction = uuid.Nil }), with(func(b *participant.Branch) { b.Transaction = uuid.New() })},
		"Branch.Coordinator": {with(func(b *participant.Branch) { b.Coordinator = long })},
	} {
		for i, err := range errs {
			var invalid *sqlbranch.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != field || strings.Contains(err.Error(), long) {
				t.Errorf("%s, case %d: %v", field, i, err)
			}
		}
	}
}

// TestPayload gives every function the payload that was prepared, also where the
// coordinator has none, and keeps none that has been used.
func TestPayload(t *testing.T) {
	each(t, kinds, func(t *testing.T, k kind) {
		db, ctx := k.open(t), context.Background()
		var got []byte
		see := func(_ context.Context, _ *sql.Tx, b participant.Branch) error {
			got = b.Payload
			return nil
		}
		p, err := sqlbranch.NewTCC("tcc", db, sqlbranch.TCC{Try: see, Confirm: see, Cancel: see})
		must(t, err)
		binary := "\x00\xff'\\"
		for _, payload := range []string{"", "a", binary, strings.Repeat(binary, 1<<18)} {
			for _, end := range []func(context.Context, participant.Branch) error{p.Commit, p.Rollback} {
				b := branch("tcc", payload)
				if payload == "" {
					b.Payload = nil
				}
				must(t, p.Prepare(ctx, b))
				bare := b
				bare.Payload = nil
				must(t, end(ctx, bare))
				if string(got) != payload || (payload == "") != (got == nil) {
					t.Errorf("of a payload of %d bytes %d arrived", len(payload), len(got))
				}
			}
		}
		var kept int
		must(t, db.DB.QueryRow("SELECT COUNT(*) FROM dtc_sqlbranch WHERE payload IS NOT NULL").Scan(&kept))
		if kept != 0 {
			t.Errorf("%d payloads are kept", kept)
		}
	})
}

// TestMigrate is done by several processes at once, and again.
func TestMigrate(t *testing.T) {
	each(t, kinds, func(t *testing.T, k kind) {
		dsn := k.place(t) + k.settings
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				pool, err := sql.Open(k.driver, dsn)
				if err != nil {
					t.Error(err)
					return
				}
				defer pool.Close()
				if err := (sqlbranch.Database{DB: pool, Dialect: k.dialect}).Migrate(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		db := k.openAt(t, dsn)
		for _, statement := range strings.Split(strings.TrimSpace(k.dialect.Schema()), ";\n") {
			if _, err := db.DB.Exec(statement); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
		must(t, newTCC(t, "tcc", db).Prepare(context.Background(), branch("tcc", "a")))
	})
}

// TestNoSecrets looks for the password in what is said of a server that is not
// there, and for the payload in what is said of tables that are not.
func TestNoSecrets(t *testing.T) {
	const secret = "s3cr3t"
	for driver, d := range map[string]sqlbranch.Dialect{"pgx": sqlbranch.PostgreSQL, "mysql": sqlbranch.MySQL, "sqlite": sqlbranch.SQLite} {
		dsn := map[string]string{
			"pgx":    "postgres://dtc:" + secret + "@127.0.0.1:1/x?sslmode=disable",
			"mysql":  "dtc:" + secret + "@tcp(127.0.0.1:1)/x",
			"sqlite": sqliteFile(t),
		}[driver]
		pool, err := sql.Open(driver, dsn)
		must(t, err)
		defer pool.Close()
		p := newTCC(t, "tcc", sqlbranch.Database{DB: pool, Dialect: d})
		if err := p.Prepare(context.Background(), branch("tcc", secret)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", driver, err)
		}
	}
}
