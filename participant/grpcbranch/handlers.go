package grpcbranch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
)

// Describe implements participantpb.ParticipantServiceServer.
func (s *service) Describe(_ context.Context, m *participantpb.DescribeRequest) (*participantpb.DescribeResponse, error) {
	_, p, err := find[participant.Participant](s, m.GetParticipant(), "Describe")
	if err != nil {
		return nil, err
	}
	_, prepares := participant.As[participant.Preparer](p)
	_, commits := participant.As[participant.OnePhaseCommitter](p)
	_, recovers := participant.As[participant.Recoverer](p)
	return &participantpb.DescribeResponse{
		Participant: m.GetParticipant(), Prepares: prepares, CommitsOnePhase: commits, Recovers: recovers,
	}, nil
}

// Prepare implements participantpb.ParticipantServiceServer.
func (s *service) Prepare(ctx context.Context, m *messages.Prepare) (*messages.Voted, error) {
	const call = "Prepare"
	h, p, err := find[participant.Preparer](s, m.GetBranch().GetParticipant(), call)
	if err != nil {
		return nil, err
	}
	said, err := s.branch(ctx, call, h, m.GetBranch(), func(b participant.Branch) error {
		// Here and not before, as an earlier call of the branch may have taken long.
		if now := time.Now(); m.Expired(now) {
			return fmt.Errorf("grpcbranch: Prepare of %q came %d ms after its time by this machine's clock; the coordinator waits no longer",
				b.Participant, now.UnixMilli()-m.GetExpiresUnixMs())
		}
		return p.Prepare(ctx, b)
	})
	switch {
	case err != nil:
		return nil, err
	case said == nil:
		return m.Yes(), nil
	case errors.Is(said, participant.ErrReadOnly):
		return m.ReadOnly(), nil
	}
	voted := m.No(said)
	voted.RolledBack = errors.Is(said, participant.ErrRolledBack)
	return voted, nil
}

// Commit implements participantpb.ParticipantServiceServer.
func (s *service) Commit(ctx context.Context, m *messages.Commit) (*messages.Acked, error) {
	const call = "Commit"
	h, p, err := find[participant.Participant](s, m.GetBranch().GetParticipant(), call)
	if err != nil {
		return nil, err
	}
	said, err := s.branch(ctx, call, h, m.GetBranch(), func(b participant.Branch) error { return p.Commit(ctx, b) })
	return acknowledge(m, said), err
}

// CommitOnePhase implements participantpb.ParticipantServiceServer.
func (s *service) CommitOnePhase(ctx context.Context, m *messages.Commit) (*messages.Acked, error) {
	const call = "CommitOnePhase"
	h, p, err := find[participant.OnePhaseCommitter](s, m.GetBranch().GetParticipant(), call)
	if err != nil {
		return nil, err
	}
	said, err := s.branch(ctx, call, h, m.GetBranch(), func(b participant.Branch) error { return p.CommitOnePhase(ctx, b) })
	return acknowledge(m, said), err
}

// acknowledge answers what the participant said. The reason stays beside rolled_back:
// a refused CommitOnePhase has one.
func acknowledge(m *messages.Commit, said error) *messages.Acked {
	if said == nil {
		return m.Done()
	}
	acked := m.Failed(said)
	acked.RolledBack = errors.Is(said, participant.ErrRolledBack)
	return acked
}

// Rollback implements participantpb.ParticipantServiceServer.
func (s *service) Rollback(ctx context.Context, m *messages.Rollback) (*messages.Acked, error) {
	const call = "Rollback"
	h, p, err := find[participant.Participant](s, m.GetBranch().GetParticipant(), call)
	if err != nil {
		return nil, err
	}
	said, err := s.branch(ctx, call, h, m.GetBranch(), func(b participant.Branch) error { return p.Rollback(ctx, b) })
	switch {
	case err != nil:
		return nil, err
	case said == nil, errors.Is(said, participant.ErrRolledBack):
		return m.Done(), nil
	}
	return m.Failed(said), nil
}

// Committed implements participantpb.ParticipantServiceServer.
func (s *service) Committed(ctx context.Context, m *participantpb.CommittedRequest) (*participantpb.CommittedResponse, error) {
	const call = "Committed"
	h, p, err := find[participant.OnePhaseCommitter](s, m.GetBranch().GetParticipant(), call)
	if err != nil {
		return nil, err
	}
	outcome := messages.Outcome_OUTCOME_ROLLED_BACK
	said, err := s.branch(ctx, call, h, m.GetBranch(), func(b participant.Branch) error {
		committed, err := p.Committed(ctx, b)
		if committed {
			outcome = messages.Outcome_OUTCOME_COMMITTED
		}
		return err
	})
	if err := either(said, err); err != nil {
		return nil, err
	}
	return &participantpb.CommittedResponse{
		Transaction: m.GetBranch().GetTransaction(), Participant: h.Name(), Attempt: m.GetAttempt(), Outcome: outcome,
	}, nil
}

// InDoubt implements participantpb.ParticipantServiceServer.
func (s *service) InDoubt(ctx context.Context, m *participantpb.InDoubtRequest) (*participantpb.InDoubtResponse, error) {
	const call = "InDoubt"
	h, p, err := find[participant.Recoverer](s, m.GetParticipant(), call)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	said, err := s.guard(ctx, call, h, func() (err error) {
		ids, err = p.InDoubt(ctx, m.GetCoordinator())
		return err
	})
	if err := either(said, err); err != nil {
		return nil, err
	}
	list := make([][]byte, len(ids))
	for i := range ids {
		list[i] = ids[i][:]
	}
	return &participantpb.InDoubtResponse{Participant: m.GetParticipant(), Coordinator: m.GetCoordinator(), Transactions: list}, nil
}

// either is the status of a call for which there is no answer that says no.
func either(said, err error) error {
	if said != nil {
		return status.Error(codes.Unknown, oneLine(said.Error()))
	}
	return err
}
