package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
)

// accounts is how many rows the databases have, so that callers rarely meet.
const accounts = 100_000

// addTo is the work of a branch: one row is changed.
const addTo = "UPDATE account SET balance = balance + $1 WHERE id = $2"

// twoDatabases opens pools of two databases on a server each, whose syncs are real.
func twoDatabases(tb testing.TB) []*pgxpool.Pool {
	var pools []*pgxpool.Pool
	for range 2 {
		s := serverstest.DurablePostgres(tb, "max_prepared_transactions=300", "max_connections=300")
		config, err := pgxpool.ParseConfig(s.DSN("postgres"))
		if err != nil {
			tb.Fatal(err)
		}
		config.MaxConns = callers + 10
		pool, err := pgxpool.NewWithConfig(context.Background(), config)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(pool.Close)
		for _, statement := range []string{
			"CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL)",
			fmt.Sprintf("INSERT INTO account SELECT n, 0 FROM generate_series(0, %d) n", accounts-1),
			"CREATE TABLE marker (coordinator text, transaction uuid, participant text, PRIMARY KEY (coordinator, transaction, participant))",
			"VACUUM ANALYZE account",
		} {
			if _, err := pool.Exec(context.Background(), statement); err != nil {
				tb.Fatal(err)
			}
		}
		pools = append(pools, pool)
	}
	return pools
}

// postgresFloor is a hand-written program that does over two databases what the
// coordinator does for its user: works and prepares in both at a time, with a
// marker row each, forces one record to a file, and commits both at a time. It
// knows nothing of failures: whoever crashes in between cleans up by hand.
type postgresFloor struct {
	pools []*pgxpool.Pool
	file  *diskFloor
}

func (f *postgresFloor) transfer() error {
	ctx := context.Background()
	id := uuid.Must(uuid.NewV7())
	if err := inEach(f.pools, func(p *pgxpool.Pool) error { return prepareByHand(ctx, p, id) }); err != nil {
		return err
	}
	if err := f.file.commit(); err != nil {
		return err
	}
	return inEach(f.pools, func(p *pgxpool.Pool) error {
		_, err := p.Exec(ctx, "COMMIT PREPARED '"+id.String()+"'")
		return err
	})
}

func prepareByHand(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) error {
	c, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, addTo, 1, rand.IntN(accounts)); err != nil {
		return err
	}
	var last pgx.Batch
	last.Queue("INSERT INTO marker VALUES ($1, $2, $3)", "bench", id, "orders")
	last.Queue("PREPARE TRANSACTION '" + id.String() + "'")
	return c.SendBatch(ctx, &last).Close()
}

// transferUnsafe commits in both databases, one independent of the other: what
// fails in between stays half done.
func (f *postgresFloor) transferUnsafe() error {
	ctx := context.Background()
	return inEach(f.pools, func(p *pgxpool.Pool) error {
		return pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, addTo, 1, rand.IntN(accounts))
			return err
		})
	})
}

// inEach works in all pools at a time.
func inEach(pools []*pgxpool.Pool, do func(*pgxpool.Pool) error) error {
	var all sync.WaitGroup
	failed := make([]error, len(pools))
	for i, p := range pools {
		all.Go(func() { failed[i] = do(p) })
	}
	all.Wait()
	return errors.Join(failed...)
}
