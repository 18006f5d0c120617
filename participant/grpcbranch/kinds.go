package grpcbranch

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
)

// onePhase is a participant with Commit and Rollback alone.
type onePhase struct{ *client }

func (p *onePhase) Commit(ctx context.Context, b participant.Branch) error {
	if err := p.checkKind(ctx); err != nil {
		return err
	}
	return p.commit(ctx, "Commit", b, p.service.Commit)
}

// twoPhase is a participant that prepares.
type twoPhase struct{ *client }

func (p *twoPhase) Commit(ctx context.Context, b participant.Branch) error {
	return p.commit(ctx, "Commit", b, p.service.Commit)
}

func (p *twoPhase) Prepare(ctx context.Context, b participant.Branch) error {
	if err := p.checkKind(ctx); err != nil {
		return err
	}
	q := &messages.Prepare{Branch: branchOf(b), Attempt: p.attempts.Add(1), ExpiresUnixMs: expires(ctx)}
	voted, err := p.service.Prepare(ctx, q, p.options.CallOptions...)
	if err != nil {
		return p.failed("Prepare", err)
	}
	if err := p.check("Prepare", q, voted); err != nil {
		return err
	}
	switch vote := voted.GetVote(); {
	case voted.GetRolledBack() && vote != messages.Vote_VOTE_NO:
		return &AnswerError{Participant: p.name, Call: "Prepare", Reason: fmt.Sprintf("it says both %s and rolled_back", vote)}
	case vote == messages.Vote_VOTE_YES:
		return nil
	case vote == messages.Vote_VOTE_READ_ONLY:
		return participant.ErrReadOnly
	}
	return p.refused("Prepare", voted.GetReason(), voted.GetRolledBack())
}

// onePhaseCommitter is a two-phase participant that can go without Prepare.
type onePhaseCommitter struct{ *twoPhase }

func (p *onePhaseCommitter) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	if err := p.checkKind(ctx); err != nil {
		return err
	}
	return p.commit(ctx, "CommitOnePhase", b, p.service.CommitOnePhase)
}

func (p *onePhaseCommitter) Committed(ctx context.Context, b participant.Branch) (bool, error) {
	q := &participantpb.CommittedRequest{Branch: branchOf(b), Attempt: p.attempts.Add(1)}
	answer, err := p.service.Committed(ctx, q, p.options.CallOptions...)
	if err != nil {
		return false, p.failed("Committed", err)
	}
	if err := p.check("Committed", q, answer); err != nil {
		return false, err
	}
	switch outcome := answer.GetOutcome(); outcome {
	case messages.Outcome_OUTCOME_COMMITTED:
		return true, nil
	case messages.Outcome_OUTCOME_ROLLED_BACK:
		return false, nil
	default:
		return false, &AnswerError{Participant: p.name, Call: "Committed", Reason: fmt.Sprintf("the outcome is %s", outcome)}
	}
}

// recoverer adds the listing of branches.
type recoverer struct {
	participant.Participant
	client *client
}

func (r *recoverer) Unwrap() participant.Participant { return r.Participant }

// maxList is how large an answer of InDoubt may be, in bytes.
const maxList = 64 << 20

func (r *recoverer) InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	c := r.client
	q := &participantpb.InDoubtRequest{Participant: c.name, Coordinator: coordinator}
	options := append([]grpc.CallOption{grpc.MaxCallRecvMsgSize(maxList)}, c.options.CallOptions...)
	answer, err := c.service.InDoubt(ctx, q, options...)
	if err != nil {
		return nil, c.failed("InDoubt", err)
	}
	if answer.GetParticipant() != c.name || answer.GetCoordinator() != coordinator {
		reason := fmt.Sprintf("it lists branches of participant %q and coordinator %q, not %q",
			oneLine(answer.GetParticipant()), oneLine(answer.GetCoordinator()), coordinator)
		return nil, &AnswerError{Participant: c.name, Call: "InDoubt", Reason: reason}
	}
	ids := make([]uuid.UUID, len(answer.GetTransactions()))
	for i, field := range answer.GetTransactions() {
		if ids[i], err = uuid.FromBytes(field); err != nil {
			return nil, &AnswerError{Participant: c.name, Call: "InDoubt", Reason: fmt.Sprintf("transaction id of %d bytes", len(field))}
		}
	}
	return ids, nil
}

// checkKind asks, until it has been answered once, whether the participant can do
// what the options say.
func (c *client) checkKind(ctx context.Context) error {
	if c.known.Load() {
		return nil
	}
	d, err := c.service.Describe(ctx, &participantpb.DescribeRequest{Participant: c.name}, c.options.CallOptions...)
	if err != nil {
		return c.failed("Describe", err)
	}
	if err := c.checkDescription(d); err != nil {
		return err
	}
	c.known.Store(true)
	return nil
}

func (c *client) checkDescription(d *participantpb.DescribeResponse) error {
	if d.GetParticipant() != c.name {
		return &AnswerError{Participant: c.name, Call: "Describe", Reason: fmt.Sprintf("it describes %q", oneLine(d.GetParticipant()))}
	}
	served := Options{Recoverer: d.GetRecovers()}
	switch {
	case !d.GetPrepares():
		served.Kind = OnePhase
	case d.GetCommitsOnePhase():
		served.Kind = OnePhaseCommitter
	}
	want := c.options
	fits := want.Kind == served.Kind || want.Kind == TwoPhase && served.Kind == OnePhaseCommitter
	if !fits || want.Recoverer && !served.Recoverer {
		return &KindError{Participant: c.name, Want: Options{Kind: want.Kind, Recoverer: want.Recoverer}, Served: served}
	}
	return nil
}
