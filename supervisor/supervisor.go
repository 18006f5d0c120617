package supervisor

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
)

// Config is the configuration of a coordinator's actors; package dtc documents
// and fills it.
type Config struct {
	Limits           actors.Limits             // of the actors
	MaxTransactions  int                       // live at a time
	MaxHistory       int                       // outcomes kept, and parked transactions listed
	Retention        time.Duration             // of outcomes
	RecoverySlots    int                       // parked transactions taken up at a time
	RecoveryInterval time.Duration             // between two questions for branches in doubt
	WaitForSlot      bool                      // instead of refusing
	Journal          journal.Journal           // the supervisor does not close it
	Participants     []participant.Participant // known before recovery begins
	Observer         *actors.Observer          // hears of every step
}

// Supervisor is the root of a coordinator's actors, as the rest of the process
// holds it.
type Supervisor struct {
	actors.Ref
	flags
	*Directory
	*Registry
	Log   *actors.Log
	Slots *actors.Slots
	// Incarnation is an id from the moment the journal had been read: every
	// transaction before it is in the journal, or rolled back.
	Incarnation uuid.UUID

	config     Config
	env        *actors.Env
	system     *actor.ActorSystem
	dispatcher *actors.Dispatcher
	writer     actors.Ref
}

// root is the supervisor actor.
type root struct {
	*Supervisor
	context actor.Context

	props *actor.Props // of transactions
	next  actor.Actor  // what the next spawned transaction is

	children map[string]*child               // transactions, by process id
	reviving map[*child]bool                 // those whose actor has failed and stopped, until they have another
	names    []string                        // of stopped transactions' actors, to be used again
	named    int                             // how many names there are
	waiting  actors.Waiting[*messages.Begin] // for a slot, first come first served
	parked   parking
	doubts   doubts
	timer    *time.Timer
	timerSet time.Time
	tickNo   uint64
	closing  *closing
	drained  []chan<- struct{}
}

// child is a transaction that has an actor.
type child struct {
	actor   *actors.Transaction
	handle  *actors.Handle
	resumed *parkedEntry // nil for one that began here
	name    string       // of the actor, below the supervisor's
	failed  bool
	unread  bool // it has failed, and the journal could not be read since
	lives   int  // how often it has failed
}

// Receive implements actor.Actor. A panic harms what is being handled and
// nothing else.
func (r *root) Receive(c actor.Context) {
	defer r.guard(c.Message())
	r.context = c
	switch m := c.Message().(type) {
	case *messages.Begin:
		r.begin(m)
	case *actor.Terminated:
		r.terminated(m)
	case *actors.Recovered:
		r.participantRecovered(m.Participant)
	case *Register:
		r.register(m)
	case *Retry:
		r.retry(m)
	case *SettleParked:
		r.settleParked(m)
	case *tick:
		r.tick(m)
	case *scanned:
		r.scanned(m)
	case *revive:
		r.revive(m)
	case *Drain:
		r.drain(m)
	case *Shut:
		r.shut(m)
	case stop:
		r.stop(m)
	case *graceOver:
		r.graceOver()
	case *messages.Inquire:
		r.inquire(m)
	case *actor.Started:
		r.started()
	}
}

// guard keeps a panic from reaching the library, which would suspend the
// mailbox, and answers whoever waits.
func (r *root) guard(message any) {
	p := recover()
	if p == nil {
		return
	}
	r.config.Observer.Emit(actors.Event{
		Kind: actors.EventActorFailed, Reason: fmt.Sprintf("supervisor: %v\n%s", p, debug.Stack()),
	})
	if m, ok := message.(*messages.Begin); ok {
		r.refuse(m, actors.ErrActorFailed)
	}
}

// HandleFailure implements actor.SupervisorStrategy: a transaction that
// panicked is stopped, everybody else goes on with the next message.
func (r *root) HandleFailure(_ *actor.ActorSystem, s actor.Supervisor, who *actor.PID, _ *actor.RestartStatistics, reason, message any) {
	e := actors.Event{Kind: actors.EventActorFailed, Reason: fmt.Sprintf("%T: %v", message, reason)}
	switch c := r.children[who.Id]; {
	case c == nil:
		s.ResumeChildren(who)
	case !c.failed:
		c.failed = true
		e.Transaction = c.handle.ID
		c.actor.Fail(r.system.Root, who)
		s.ResumeChildren(who)
	default: // it failed again, while it saved what it could
		e.Transaction = c.handle.ID
		s.StopChildren(who)
	}
	r.config.Observer.Emit(e) // last, as a listener may end this goroutine
}

// spawn starts the actor of a transaction.
func (r *root) spawn(c *child) {
	r.next = c.actor
	c.name = r.freeName()
	c.handle.Open(r.system.Root, func() *actor.PID {
		r.add(c.handle) // who finds it waits until it is open
		pid, err := r.context.SpawnNamed(r.props, c.name)
		if err != nil {
			panic(err)
		}
		r.children[pid.Id] = c
		return pid
	})
	r.next = nil
}

// freeName is a name for a transaction's actor. Names are used again: the
// library spreads the processes over thousands of maps by name, and new names all
// the time would keep all of them in use. Nobody has the process id of an actor
// that has stopped, as a Ref closes before.
func (r *root) freeName() string {
	last := len(r.names) - 1
	if last < 0 {
		r.named++
		return strconv.Itoa(r.named)
	}
	name := r.names[last]
	r.names = r.names[:last]
	return name
}

// terminated takes the end of an actor. Its slot is free already; the news here
// is that there is room for the next one.
func (r *root) terminated(m *actor.Terminated) {
	c := r.children[m.Who.Id]
	if c == nil {
		r.reopen(m.Who)
		r.closingTerminated()
		return
	}
	delete(r.children, m.Who.Id)
	r.names = append(r.names, c.name)
	if c.failed {
		r.comeBack(c)
		return
	}
	if c.resumed != nil {
		r.parked.stopped(c.resumed)
	}
	switch left := c.actor.Left(); {
	case left != nil:
		r.left(c.handle, left)
	case c.handle.Finished() && r.archive(c.handle):
		r.saveExpired()
		r.schedule()
	}
	if c.resumed != nil {
		r.markFull(c.resumed)
		r.deliver()
	}
	r.admitWaiting()
	r.closingProgress()
}
