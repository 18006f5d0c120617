package sqlbranch_test

import (
	"context"
	"errors"
	"testing"
)

// BenchmarkBranches prepares and commits branches that work on rows of their own,
// 10 at a time; a server's syncs are not real.
func BenchmarkBranches(b *testing.B) {
	for _, k := range []kind{postgres, mariaDB, mariaDB.with("in the text", "?interpolateParams=true"), sqlite} {
		b.Run(k.name, func(b *testing.B) {
			db := k.open(b)
			db.DB.SetMaxIdleConns(20)
			p := newTCC(b, "tcc", db)
			b.SetParallelism(5)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					br := branch("tcc", "")
					br.Payload = []byte(br.Transaction.String())
					if err := errors.Join(p.Prepare(context.Background(), br), p.Commit(context.Background(), br)); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
