package grpcbranch_test

import (
	"context"
	"errors"
	"testing"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
)

// A branch, Prepare and Commit, whose participant does nothing; beside it the same
// two calls of gRPC with the same messages and nothing around them.
func BenchmarkBranch(b *testing.B) {
	payload := take(0)
	b.Run("participant", func(b *testing.B) {
		p := newClient(b, "stock", serve(b, &script{name: "stock", prepare: fine, commit: fine}), nil)
		preparer := as[participant.Preparer](b, p)
		together(b, func(ctx context.Context) error {
			branch := newBranch("stock", payload)
			return errors.Join(preparer.Prepare(ctx, branch), p.Commit(ctx, branch))
		})
	})
	b.Run("bare", func(b *testing.B) {
		conn := serveStub(b, &stub{
			prepare: func(_ context.Context, m *messages.Prepare) (*messages.Voted, error) { return m.Yes(), nil },
			commit:  func(_ context.Context, m *messages.Commit) (*messages.Acked, error) { return m.Done(), nil },
		})
		s := participantpb.NewParticipantServiceClient(conn)
		together(b, func(ctx context.Context) error {
			branch := newBranch("stock", payload)
			m := &messages.Branch{Coordinator: "c", Transaction: branch.Transaction[:], Participant: "stock", Payload: payload}
			_, prepared := s.Prepare(ctx, &messages.Prepare{Branch: m, Attempt: 1})
			_, committed := s.Commit(ctx, &messages.Commit{Branch: m, Attempt: 1})
			return errors.Join(prepared, committed)
		})
	})
}

// together has 100 callers work at a time, after one alone.
func together(b *testing.B, work func(context.Context) error) {
	for name, callers := range map[string]int{"one caller": 0, "100 callers": 50} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			if callers == 0 {
				for b.Loop() {
					if err := work(ctx); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := work(ctx); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
