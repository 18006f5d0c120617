package supervisor

import (
	"errors"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
)

// flags are what everybody may read of the supervisor actor's state.
type flags struct {
	// stopping: no new transaction is taken.
	stopping atomic.Bool
	// overflow: more transactions have been parked than the directory lists, so
	// that one which it does not hold may be in the journal. It stays so.
	overflow atomic.Bool
}

// Open reads the journal, starts the actors, and returns when they take work.
// The configuration is complete. When it fails nothing is left running, and the
// journal is still open.
func Open(system *actor.ActorSystem, config Config) (*Supervisor, error) {
	s := &Supervisor{
		Registry:   &Registry{},
		Slots:      &actors.Slots{Limit: config.MaxTransactions},
		config:     config,
		system:     system,
		dispatcher: actors.NewDispatcher(),
	}
	s.Directory = NewDirectory(config.MaxHistory, config.Retention)
	s.Log = actors.NewLog(config.Journal, &s.writer, func(err error) {
		config.Observer.Emit(actors.Event{Kind: actors.EventJournalFailed, Err: err})
	})
	s.env = &actors.Env{
		Limits:     config.Limits,
		Log:        s.Log,
		Observer:   config.Observer,
		Supervisor: &s.Ref,
		Retire:     s.Retire,
		Gateway:    s.Registry.Gateway,
	}
	r := &root{
		Supervisor: s,
		children:   make(map[string]*child),
		reviving:   make(map[*child]bool),
		parked: parking{
			limit:  config.MaxHistory,
			slots:  config.RecoverySlots,
			byID:   make(map[uuid.UUID]*parkedEntry),
			queues: make(map[string]*queue),
		},
		doubts: doubts{running: make(map[string]bool), suspected: make(map[string]map[uuid.UUID]bool)},
	}
	r.props = s.dispatcher.Props(func() actor.Actor { return r.next })
	if err := r.load(); err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	s.Ref.Open(system.Root, func() *actor.PID {
		return system.Root.Spawn(s.dispatcher.Props(func() actor.Actor { return r },
			actor.WithGuardian(actor.NewOneForOneStrategy(0, 0, resume)),
			actor.WithSupervisor(actor.NewOneForOneStrategy(0, 0, resume))))
	})
	s.Send(&Register{Participants: config.Participants, Done: started})
	if err := <-started; err != nil {
		s.Halt()
		return nil, err
	}
	return s, nil
}

// resume lets an actor that panicked go on with the next message.
func resume(any) actor.Directive { return actor.ResumeDirective }

// Halt closes the tree and returns when every actor has stopped. The second
// time it does nothing.
func (s *Supervisor) Halt() {
	done := make(chan struct{})
	if s.Send(&Shut{Done: done}) {
		<-done
		s.dispatcher.Close()
	}
}

// started spawns the journal writer.
func (r *root) started() {
	if !r.Log.Immediate() {
		r.writer.Open(r.system.Root, func() *actor.PID {
			return r.context.Spawn(r.dispatcher.Props(func() actor.Actor { return actors.NewWriter(r.Log) }))
		})
	}
}

// Register makes participants known by name. It is answered to Done.
type Register struct {
	Participants []participant.Participant
	Done         chan<- error
}

func (r *root) register(m *Register) {
	if entered, ok := r.registerAll(m); ok {
		r.scanEach(entered)
		r.deliver()
		r.schedule()
	}
}

// errUnnamed says that a participant panicked when it was asked who it is, or
// ended the goroutine.
var errUnnamed = errors.New("participant panicked while it was registered")

// registerAll always answers, whatever the participants do.
func (r *root) registerAll(m *Register) (entered []*actors.Gateway, ok bool) {
	answer := errUnnamed
	defer func() { m.Done <- answer }()
	for _, p := range m.Participants {
		g, err := r.registerOne(p)
		if err != nil {
			answer = err
			return nil, false
		}
		entered = append(entered, g)
	}
	answer = nil
	return entered, true
}

func (r *root) registerOne(p participant.Participant) (*actors.Gateway, error) {
	g, err := r.Match(p)
	if err != nil || g != nil {
		return g, err
	}
	if r.closing != nil {
		return nil, actors.ErrClosed
	}
	if r.Registry.size() >= MaxRegistered {
		return nil, ErrTooManyNames
	}
	g = actors.NewGateway(p)
	if g.Branch.Recoverable && r.config.Limits.Coordinator == "" {
		return nil, ErrNameless
	}
	r.openGateway(g)
	r.Registry.enter(g)
	r.rekey(g.Branch.Name)
	return g, nil
}

func (r *root) openGateway(g *actors.Gateway) {
	g.Open(r.system.Root, func() *actor.PID {
		return r.context.Spawn(r.dispatcher.Props(func() actor.Actor { return actors.NewGatewayActor(r.env, g) }))
	})
}

// reopen gives a gateway a new actor whose actor somebody else has stopped: a
// participant that is an actor knows its address.
func (r *root) reopen(stopped *actor.PID) {
	if r.closing != nil {
		return // they stop as they should
	}
	for _, g := range r.Registry.Gateways() {
		if stopped.Equal(g.PID()) {
			r.openGateway(g)
		}
	}
}

// rekey queues what waits for a participant that nobody had registered.
func (r *root) rekey(name string) {
	for queued, q := range r.parked.queues {
		if queued != name && r.Registry.Gateway(queued) != nil {
			continue
		}
		q.told = false
		entries := append([]*parkedEntry(nil), q.entries...)
		for _, e := range entries {
			r.parked.take(e)
			r.parked.put(e, r.Registry.Gateway)
		}
	}
}

// saveExpired has the journal drop what has left the history.
func (r *root) saveExpired() {
	if writes := r.expiry(); writes != nil {
		r.Log.Append(messages.Append{Writes: writes})
	}
}
