package grpcbranch

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch/participantpb"
	"github.com/seed-d36415c0/dtc/participant/internal/turns"
)

// ServiceOptions of [Register]. The zero value is ready.
type ServiceOptions struct {
	// Logger gets a line at error, with the stack, for each panic of a participant.
	// Defaults to slog.Default().
	Logger *slog.Logger
}

// Register has a server serve the participants by their names, which it must be told
// before it serves. It can be called once for each server. A nil ServiceOptions means
// the zero one.
//
// It fails with a [*ConfigError], and has registered nothing then: with two
// participants of one name, with a name that is none, with a participant that is an
// actor, and with a server that has such a service already.
func Register(r grpc.ServiceRegistrar, o *ServiceOptions, participants ...participant.Participant) error {
	if o == nil {
		o = new(ServiceOptions)
	}
	// The registrar would end the process.
	if server, ok := r.(interface {
		GetServiceInfo() map[string]grpc.ServiceInfo
	}); ok {
		name := participantpb.ParticipantService_ServiceDesc.ServiceName
		if _, registered := server.GetServiceInfo()[name]; registered {
			return &ConfigError{Field: "server", Value: name, Reason: "is registered already; give all participants to one Register"}
		}
	}
	s := &service{log: o.Logger, served: make(map[string]*served)}
	for _, p := range participants {
		if err := s.add(p); err != nil {
			return err
		}
	}
	participantpb.RegisterParticipantServiceServer(r, s)
	return nil
}

// service serves participants.
type service struct {
	participantpb.UnimplementedParticipantServiceServer
	log    *slog.Logger
	served map[string]*served
	turns  turns.Turns[participant.Key] // at branches
	quick  turns.Turns[string]          // at participants that are NonBlocking, by name
}

// served is one participant.
type served struct {
	participant.Participant
	nonBlocking bool
}

func (s *service) add(p participant.Participant) error {
	if p == nil {
		return &ConfigError{Field: "participants", Value: "nil", Reason: "a participant is needed"}
	}
	name := p.Name()
	if err := checkName(name); err != nil {
		return err
	}
	if s.served[name] != nil {
		return &ConfigError{Field: "name", Value: name, Reason: "two participants have it"}
	}
	if _, ok := participant.As[participant.MessageDriven](p); ok {
		return &ConfigError{Field: "participant", Value: name, Reason: "is an actor, which takes messages and no calls"}
	}
	_, nonBlocking := participant.As[participant.NonBlocking](p)
	s.served[name] = &served{Participant: p, nonBlocking: nonBlocking}
	return nil
}

// find returns the participant of that name, and its T: it lacks what the call is
// for if it has none.
func find[T any](s *service, name, call string) (p *served, t T, err error) {
	p = s.served[name]
	if p == nil {
		return nil, t, status.Errorf(codes.NotFound, "no participant %q is served here", oneLine(name[:min(len(name), 128)]))
	}
	t, ok := participant.As[T](p.Participant)
	if !ok {
		return nil, t, status.Errorf(codes.Unimplemented, "participant %q has no %s", name, call)
	}
	return p, t, nil
}

// branch calls the participant when no other call of the branch is under way. What
// the participant said is an answer; err is a status.
func (s *service) branch(ctx context.Context, call string, p *served, m *messages.Branch,
	do func(participant.Branch) error) (said, err error) {
	id, err := m.ID()
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	b := participant.Branch{Coordinator: m.GetCoordinator(), Transaction: id, Participant: m.GetParticipant(), Payload: m.GetPayload()}
	if err := s.turns.Take(ctx, b.Key()); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	defer s.turns.End(b.Key())
	return s.guard(ctx, call, p, func() error { return do(b) })
}

// guard calls the participant when it is its turn. A panic becomes a status, and so
// does a failure when the call's time is up: nobody waits for an answer then.
func (s *service) guard(ctx context.Context, call string, p *served, do func() error) (said, err error) {
	if p.nonBlocking {
		if err := s.quick.Take(ctx, p.Name()); err != nil {
			return nil, status.FromContextError(err).Err()
		}
		defer s.quick.End(p.Name())
	}
	defer func() {
		if v := recover(); v != nil {
			s.logger().ErrorContext(ctx, "grpcbranch: a participant panicked", "participant", p.Name(), "call", call,
				"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = status.Errorf(codes.Internal, "participant %q panicked; the log of its service says where", p.Name())
		}
	}()
	if err := ctx.Err(); err != nil { // it may have ended while others had their turn
		return nil, status.FromContextError(err).Err()
	}
	said = do()
	if ended := ctx.Err(); said != nil && ended != nil {
		return nil, status.FromContextError(ended).Err()
	}
	return said, nil
}

func (s *service) logger() *slog.Logger {
	if s.log != nil {
		return s.log
	}
	return slog.Default()
}
