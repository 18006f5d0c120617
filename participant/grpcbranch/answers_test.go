package grpcbranch_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
)

// stub answers as a test says. It claims to be of any kind.
type stub struct {
	participantpb.UnimplementedParticipantServiceServer
	prepare   func(context.Context, *messages.Prepare) (*messages.Voted, error)
	commit    func(context.Context, *messages.Commit) (*messages.Acked, error)
	rollback  func(context.Context, *messages.Rollback) (*messages.Acked, error)
	onePhase  func(context.Context, *messages.Commit) (*messages.Acked, error)
	committed func(context.Context, *participantpb.CommittedRequest) (*participantpb.CommittedResponse, error)
	inDoubt   func(context.Context, *participantpb.InDoubtRequest) (*participantpb.InDoubtResponse, error)
}

func (s *stub) Describe(_ context.Context, m *participantpb.DescribeRequest) (*participantpb.DescribeResponse, error) {
	return &participantpb.DescribeResponse{Participant: m.Participant, Prepares: true, CommitsOnePhase: true, Recovers: true}, nil
}
func (s *stub) Prepare(ctx context.Context, m *messages.Prepare) (*messages.Voted, error) {
	return s.prepare(ctx, m)
}
func (s *stub) Commit(ctx context.Context, m *messages.Commit) (*messages.Acked, error) {
	return s.commit(ctx, m)
}
func (s *stub) Rollback(ctx context.Context, m *messages.Rollback) (*messages.Acked, error) {
	return s.rollback(ctx, m)
}
func (s *stub) CommitOnePhase(ctx context.Context, m *messages.Commit) (*messages.Acked, error) {
	return s.onePhase(ctx, m)
}
func (s *stub) Committed(ctx context.Context, m *participantpb.CommittedRequest) (*participantpb.CommittedResponse, error) {
	return s.committed(ctx, m)
}
func (s *stub) InDoubt(ctx context.Context, m *participantpb.InDoubtRequest) (*participantpb.InDoubtResponse, error) {
	return s.inDoubt(ctx, m)
}

// Answers that are none, or say two things, are never taken for one.
func TestForeignAnswers(t *testing.T) {
	foreign := uuid.Must(uuid.NewV7())
	for name, spoil := range map[string]func(id *[]byte, participant *string, attempt *uint32){
		"nothing":           func(id *[]byte, p *string, n *uint32) { *id, *p, *n = nil, "", 0 },
		"other transaction": func(id *[]byte, _ *string, _ *uint32) { *id = foreign[:] },
		"long transaction":  func(id *[]byte, _ *string, _ *uint32) { *id = append(*id, 0) },
		"other participant": func(_ *[]byte, p *string, _ *uint32) { *p = "money" },
		"earlier attempt":   func(_ *[]byte, _ *string, n *uint32) { *n-- },
	} {
		t.Run(name, func(t *testing.T) {
			p := newClient(t, "stock", serveStub(t, &stub{
				prepare: func(_ context.Context, m *messages.Prepare) (*messages.Voted, error) {
					v := m.Yes()
					spoil(&v.Transaction, &v.Participant, &v.Attempt)
					return v, nil
				},
				commit: func(_ context.Context, m *messages.Commit) (*messages.Acked, error) {
					a := m.Done()
					spoil(&a.Transaction, &a.Participant, &a.Attempt)
					return a, nil
				},
				rollback: func(_ context.Context, m *messages.Rollback) (*messages.Acked, error) {
					a := m.Done()
					spoil(&a.Transaction, &a.Participant, &a.Attempt)
					return a, nil
				},
				onePhase: func(_ context.Context, m *messages.Commit) (*messages.Acked, error) {
					a := m.AlreadyRolledBack()
					spoil(&a.Transaction, &a.Participant, &a.Attempt)
					return a, nil
				},
				committed: func(_ context.Context, m *participantpb.CommittedRequest) (*participantpb.CommittedResponse, error) {
					a := &participantpb.CommittedResponse{Transaction: m.Branch.Transaction, Participant: m.Branch.Participant,
						Attempt: m.Attempt, Outcome: messages.Outcome_OUTCOME_ROLLED_BACK}
					spoil(&a.Transaction, &a.Participant, &a.Attempt)
					return a, nil
				},
			}), whole())
			b := newBranch("stock", nil)
			_, committed := as[participant.OnePhaseCommitter](t, p).Committed(ctx, b)
			for call, err := range map[string]error{
				"Prepare":        as[participant.Preparer](t, p).Prepare(ctx, b),
				"Commit":         p.Commit(ctx, b),
				"Rollback":       p.Rollback(ctx, b),
				"CommitOnePhase": as[participant.OnePhaseCommitter](t, p).CommitOnePhase(ctx, b),
				"Committed":      committed,
			} {
				var wrong *grpcbranch.AnswerError
				if !errors.As(err, &wrong) || wrong.Call != call || errors.Is(err, participant.ErrRolledBack) {
					t.Errorf("%s: %v", call, err)
				}
			}
		})
	}
}

func TestVotes(t *testing.T) {
	for name, c := range map[string]struct {
		vote       messages.Vote
		rolledBack bool
		reason     string
		check      func(error) bool
	}{
		"yes":                  {vote: messages.Vote_VOTE_YES, check: func(err error) bool { return err == nil }},
		"read-only":            {vote: messages.Vote_VOTE_READ_ONLY, check: func(err error) bool { return err == participant.ErrReadOnly }},
		"no":                   {reason: "\nshelf\n\tempty\x00", check: refusal("shelf; empty", false)},
		"no, silent":           {check: refusal("", false)},
		"no, rolled back":      {rolledBack: true, reason: "before", check: refusal("before", true)},
		"unknown":              {vote: 77, check: refusal("", false)},
		"unknown, rolled back": {vote: 77, rolledBack: true, check: isAnswerError},
		"yes, rolled back":     {vote: messages.Vote_VOTE_YES, rolledBack: true, check: isAnswerError},
		"long reason":          {reason: strings.Repeat("é", 5000), check: refusal(strings.Repeat("é", 512), false)},
	} {
		p := newClient(t, "stock", serveStub(t, &stub{prepare: func(_ context.Context, m *messages.Prepare) (*messages.Voted, error) {
			v := m.Yes()
			v.Vote, v.RolledBack, v.Reason = c.vote, c.rolledBack, c.reason
			return v, nil
		}}), nil)
		if err := as[participant.Preparer](t, p).Prepare(ctx, newBranch("stock", nil)); !c.check(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func refusal(reason string, rolledBack bool) func(error) bool {
	return func(err error) bool {
		var refused *grpcbranch.RefusedError
		return errors.As(err, &refused) && refused.Reason == reason && refused.RolledBack == rolledBack &&
			errors.Is(err, participant.ErrRolledBack) == rolledBack && !errors.Is(err, participant.ErrReadOnly)
	}
}

func isAnswerError(err error) bool {
	var wrong *grpcbranch.AnswerError
	return errors.As(err, &wrong) && !errors.Is(err, participant.ErrRolledBack)
}

func TestAcknowledgements(t *testing.T) {
	for name, c := range map[string]struct {
		done, rolledBack bool
		commit, rollback func(error) bool
	}{
		"done":              {true, false, isNil, isNil},
		"not done":          {false, false, refusal("why", false), refusal("why", false)},
		"rolled back":       {false, true, refusal("why", true), refusal("why", false)},
		"done, rolled back": {true, true, isAnswerError, isNil},
	} {
		answer := func(a *messages.Acked) (*messages.Acked, error) {
			a.Done, a.RolledBack, a.Reason = c.done, c.rolledBack, "why"
			return a, nil
		}
		commit := func(_ context.Context, m *messages.Commit) (*messages.Acked, error) { return answer(m.Done()) }
		p := newClient(t, "stock", serveStub(t, &stub{
			commit: commit, onePhase: commit,
			rollback: func(_ context.Context, m *messages.Rollback) (*messages.Acked, error) { return answer(m.Done()) },
		}), whole())
		b := newBranch("stock", nil)
		if err := p.Commit(ctx, b); !c.commit(err) {
			t.Errorf("%s: Commit: %v", name, err)
		}
		if err := as[participant.OnePhaseCommitter](t, p).CommitOnePhase(ctx, b); !c.commit(err) {
			t.Errorf("%s: CommitOnePhase: %v", name, err)
		}
		if err := p.Rollback(ctx, b); !c.rollback(err) {
			t.Errorf("%s: Rollback: %v", name, err)
		}
	}
}

func isNil(err error) bool { return err == nil }

// What became of a branch is told in so many words.
func TestCommitted_Outcomes(t *testing.T) {
	for outcome, want := range map[messages.Outcome]bool{
		messages.Outcome_OUTCOME_COMMITTED:   true,
		messages.Outcome_OUTCOME_ROLLED_BACK: true,
		messages.Outcome_OUTCOME_UNKNOWN:     false,
		messages.Outcome_OUTCOME_ACTIVE:      false,
		9:                                    false,
	} {
		p := newClient(t, "stock", serveStub(t, &stub{
			committed: func(_ context.Context, m *participantpb.CommittedRequest) (*participantpb.CommittedResponse, error) {
				return &participantpb.CommittedResponse{Transaction: m.Branch.Transaction, Participant: m.Branch.Participant,
					Attempt: m.Attempt, Outcome: outcome}, nil
			},
		}), whole())
		got, err := as[participant.OnePhaseCommitter](t, p).Committed(ctx, newBranch("stock", nil))
		if (err == nil) != want || got != (outcome == messages.Outcome_OUTCOME_COMMITTED) || !want && !isAnswerError(err) {
			t.Errorf("%s: %t, %v", outcome, got, err)
		}
	}
}

func TestInDoubt_Answers(t *testing.T) {
	id := uuid.Must(uuid.NewV7())
	many := make([][]byte, 300_000) // more than the 4 MiB that other answers may have
	for i := range many {
		many[i] = id[:]
	}
	for name, c := range map[string]struct {
		answer *participantpb.InDoubtResponse
		want   int // -1 is an error
	}{
		"none":              {&participantpb.InDoubtResponse{Participant: "stock", Coordinator: "c"}, 0},
		"many":              {&participantpb.InDoubtResponse{Participant: "stock", Coordinator: "c", Transactions: many}, len(many)},
		"nothing":           {&participantpb.InDoubtResponse{}, -1},
		"other participant": {&participantpb.InDoubtResponse{Participant: "money", Coordinator: "c"}, -1},
		"other coordinator": {&participantpb.InDoubtResponse{Participant: "stock", Coordinator: "d"}, -1},
		"short id":          {&participantpb.InDoubtResponse{Participant: "stock", Coordinator: "c", Transactions: [][]byte{id[:], id[:15]}}, -1},
	} {
		p := newClient(t, "stock", serveStub(t, &stub{
			inDoubt: func(context.Context, *participantpb.InDoubtRequest) (*participantpb.InDoubtResponse, error) {
				return c.answer, nil
			},
		}), whole())
		ids, err := as[participant.Recoverer](t, p).InDoubt(ctx, "c")
		if c.want < 0 && !isAnswerError(err) || c.want >= 0 && (err != nil || len(ids) != c.want) {
			t.Errorf("%s: %d ids, %v", name, len(ids), err)
		}
	}
}
