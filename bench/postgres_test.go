package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// BenchmarkPostgres compares transactions over two PostgreSQL databases, the
// journal on disk, with a hand-written program that does the same, and shows what
// two commits cost that nothing holds together.
func BenchmarkPostgres(b *testing.B) {
	for _, callers := range callerCounts {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			for b.Loop() {
				c := onPostgres(b, slowCalls(callers))
				c.report(b)
				b.ReportMetric(c.unsafe.perSecond, "unsafe/s")
			}
		})
	}
}

// postgresComparison is a comparison over two databases.
type postgresComparison struct {
	comparison
	unsafe sample // two commits that nothing holds together
}

func onPostgres(tb testing.TB, l load) postgresComparison {
	pools := twoDatabases(tb)
	floor := &postgresFloor{pools, newDiskFloor(tb, tb.TempDir(), 0)}
	defer func() {
		if err := floor.file.close(); err != nil {
			tb.Error(err)
		}
	}()
	j := openJournal(tb, filepath.Join(tb.TempDir(), "journal"), vfs.Default)
	w := open(tb, dtc.Config{Journal: j}, inPostgres(tb, pools))
	defer w.close(tb)
	all := l.race(tb, floor.transfer, w.execute, floor.transferUnsafe)
	return postgresComparison{against(all[0], all[1]), median(all[2])}
}

// inPostgres returns a participant for each database, which does the same work as
// the floor.
func inPostgres(tb testing.TB, pools []*pgxpool.Pool) []participant.Participant {
	var all []participant.Participant
	for i, pool := range pools {
		p, err := postgres.New(fmt.Sprintf("orders%d", i), pool, &postgres.Options{
			Connections: callers + 10,
			Work: func(ctx context.Context, tx pgx.Tx, _ participant.Branch) error {
				_, err := tx.Exec(ctx, addTo, 1, rand.IntN(accounts))
				return err
			},
		})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(p.Close)
		if err := p.Migrate(context.Background()); err != nil {
			tb.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}
