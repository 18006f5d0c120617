package postgres_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-d36415c0/dtc/internal/servers"
)

// BenchmarkTwoPhase prepares and commits branches of one row each, by the
// participant and by a program written for that alone: the same statements and
// the same marker rows, in as few round trips. On a disk that syncs.
func BenchmarkTwoPhase(b *testing.B) {
	s, err := servers.Start(servers.Postgres, &servers.Options{Durable: true, Settings: []string{"max_prepared_transactions=300"}})
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	w := worldAt(b, s.DSN("postgres"), "orders", nil, size(16))
	_, err = w.pool.Exec(w.ctx, "INSERT INTO accounts SELECT g, 100 FROM generate_series(11, 100000) g")
	w.must(err)
	var row atomic.Int64
	for name, once := range map[string]func(id int64) error{"participant": w.once, "hand": w.onceByHand} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(8)
			b.RunParallel(func(loop *testing.PB) {
				for loop.Next() {
					if err := once(1 + row.Add(1)%100000); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

var background = context.Background()

const update = "UPDATE accounts SET balance = balance + 1 WHERE id = $1"

func (w *world) once(id int64) error {
	b := newBranch()
	tx, err := w.p.Begin(background, b.Transaction)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(background, update, id); err != nil {
		return err
	}
	if err := w.p.Prepare(background, b); err != nil {
		return err
	}
	return w.p.Commit(background, b)
}

func (w *world) onceByHand(id int64) error {
	b := newBranch()
	conn, err := w.pool.Acquire(background)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx, err := conn.Begin(background)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(background, update, id); err != nil {
		return err
	}
	const mark = "INSERT INTO dtc.branches VALUES ($1, $2, $3, true)"
	statement, err := conn.Conn().Prepare(background, mark, mark)
	if err != nil {
		return err
	}
	gid := "'hand/" + b.Transaction.String() + "'"
	batch := new(pgconn.Batch)
	batch.ExecStatement(statement, [][]byte{b.Transaction[:], []byte("shop"), []byte("orders")}, []int16{pgx.BinaryFormatCode, 0, 0}, nil)
	batch.ExecParams("PREPARE TRANSACTION "+gid, nil, nil, nil, nil)
	if _, err := conn.Conn().PgConn().ExecBatch(background, batch).ReadAll(); err != nil {
		return err
	}
	_, err = conn.Exec(background, "COMMIT PREPARED "+gid)
	return err
}
