package grpcbranch

import (
	"context"
	"reflect"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
	"github.com/seed-d36415c0/dtc/participant/internal/names"
)

// Kind is what a participant can do beside Commit and Rollback.
type Kind uint8

const (
	// TwoPhase: it is a participant.Preparer.
	TwoPhase Kind = iota
	// OnePhase: it has Commit and Rollback alone.
	OnePhase
	// OnePhaseCommitter: it is a participant.OnePhaseCommitter.
	OnePhaseCommitter
)

func (k Kind) String() string {
	switch k {
	case TwoPhase:
		return "two-phase"
	case OnePhase:
		return "one-phase"
	case OnePhaseCommitter:
		return "two-phase with one-phase commit"
	}
	return "unknown"
}

// Options of [New]. The zero value is ready.
type Options struct {
	// Kind is what the served participant can do. It may be less than that: an
	// OnePhaseCommitter can be used as TwoPhase. Defaults to TwoPhase.
	Kind Kind
	// Recoverer says that it is a participant.Recoverer as well. Defaults to false.
	Recoverer bool
	// CallOptions go with every call: credentials of the caller, say. With
	// grpc.WaitForReady, a Prepare waits for a service that is down until the call's
	// time is up; without, it fails at once, or after the tries of [DialOptions], and
	// the transaction is rolled back.
	// Defaults to none.
	CallOptions []grpc.CallOption
}

func (o Options) describe() string {
	if o.Recoverer {
		return o.Kind.String() + ", Recoverer"
	}
	return o.Kind.String() + ", no Recoverer"
}

// New makes a participant of the one that is served under the name at the other end
// of the connection. Nothing is sent: the service need not be there yet. A nil
// Options means the zero one.
//
// The result is a participant.Preparer, OnePhaseCommitter and Recoverer exactly as
// the Options say; these are found with participant.As. It may be used by many
// goroutines, and needs no closing. It fails with a [*ConfigError].
//
// Its calls end with their context, and then nobody knows what they have done. They
// answer [*RefusedError], [*CallError] or [*AnswerError], and [*KindError] before the
// first branch.
func New(name string, conn grpc.ClientConnInterface, o *Options) (participant.Participant, error) {
	if o == nil {
		o = new(Options)
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	if v := reflect.ValueOf(conn); conn == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, &ConfigError{Field: "conn", Value: "nil", Reason: "a connection is needed"}
	}
	if o.Kind > OnePhaseCommitter {
		return nil, &ConfigError{Field: "Options.Kind", Value: uint8(o.Kind), Reason: "must be TwoPhase, OnePhase or OnePhaseCommitter"}
	}
	c := &client{name: name, service: participantpb.NewParticipantServiceClient(conn), options: *o}
	c.options.CallOptions = slices.Clone(o.CallOptions)
	p := c.ofKind()
	if o.Recoverer {
		p = &recoverer{Participant: p, client: c}
	}
	return p, nil
}

// checkName checks the name of a participant.
func checkName(name string) error {
	if !names.Fits(name) {
		return &ConfigError{Field: "name", Value: oneLine(name), Reason: "must be 1 to 128 bytes of UTF-8 without control characters"}
	}
	return nil
}

// client makes the calls of one participant.
type client struct {
	name     string
	service  participantpb.ParticipantServiceClient
	options  Options
	attempts atomic.Uint32 // numbers the calls, so that an answer to another one shows
	known    atomic.Bool   // the service has said that it is of the kind
}

func (c *client) ofKind() participant.Participant {
	switch c.options.Kind {
	case OnePhase:
		return &onePhase{c}
	case OnePhaseCommitter:
		return &onePhaseCommitter{&twoPhase{c}}
	}
	return &twoPhase{c}
}

// Name implements participant.Participant.
func (c *client) Name() string { return c.name }

// Rollback implements participant.Participant.
func (c *client) Rollback(ctx context.Context, b participant.Branch) error {
	q := &messages.Rollback{Branch: branchOf(b), Attempt: c.attempts.Add(1)}
	acked, err := c.service.Rollback(ctx, q, c.options.CallOptions...)
	if err != nil {
		return c.failed("Rollback", err)
	}
	if err := c.check("Rollback", q, acked); err != nil || acked.GetDone() {
		return err
	}
	// What is rolled back is acknowledged, so rolled_back has no meaning here.
	return c.refused("Rollback", acked.GetReason(), false)
}

// commit asks for a commit, by either of the calls that do.
func (c *client) commit(ctx context.Context, name string, b participant.Branch, call commitCall) error {
	q := &messages.Commit{Branch: branchOf(b), Attempt: c.attempts.Add(1)}
	acked, err := call(ctx, q, c.options.CallOptions...)
	if err != nil {
		return c.failed(name, err)
	}
	if err := c.check(name, q, acked); err != nil {
		return err
	}
	switch {
	case acked.GetDone() && acked.GetRolledBack():
		return &AnswerError{Participant: c.name, Call: name, Reason: "it says both done and rolled_back"}
	case acked.GetDone():
		return nil
	}
	return c.refused(name, acked.GetReason(), acked.GetRolledBack())
}

type commitCall func(context.Context, *messages.Commit, ...grpc.CallOption) (*messages.Acked, error)

// branchOf is the branch as a message.
func branchOf(b participant.Branch) *messages.Branch {
	return &messages.Branch{
		Coordinator: b.Coordinator,
		Transaction: b.Transaction[:],
		Participant: b.Participant,
		Payload:     b.Payload,
	}
}

// never is when the time of a call without a deadline is up: the end of the year
// 9999, which services in every language can read.
const never = 253402300799999

// expires is when the context's time is up, in milliseconds since 1970-01-01 UTC.
func expires(ctx context.Context) int64 {
	if deadline, ok := ctx.Deadline(); ok {
		return min(deadline.UnixMilli(), never)
	}
	return int64(never)
}
