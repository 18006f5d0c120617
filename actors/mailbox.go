package actors

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox is an unbounded mailbox with one mutex and room for the first
// messages inside. System messages come first, as in the library's own.
//
// It differs in one more point: a handler that ends its goroutine by
// runtime.Goexit, as a failing test does inside a participant, counts as a
// panic and does not leave the actor deaf.
type mailbox struct {
	mu        sync.Mutex
	running   bool
	suspended bool
	user      queue[any]
	system    queue[any]
	invoker   actor.MessageInvoker
	schedule  actor.Dispatcher
	run       func()
	room      [8]any
}

func newMailbox() actor.Mailbox {
	m := &mailbox{}
	m.user.items, m.system.items = m.room[:0:6], m.room[6:6]
	m.run = m.work
	return m
}

func (m *mailbox) RegisterHandlers(i actor.MessageInvoker, d actor.Dispatcher) {
	m.invoker, m.schedule = i, d
}

func (m *mailbox) Start() {}

func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.user.len()
}

func (m *mailbox) PostUserMessage(message any) {
	m.mu.Lock()
	m.user.push(message)
	wake := !m.running && !m.suspended
	m.wakeAndUnlock(wake)
}

func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.system.push(message)
	m.wakeAndUnlock(!m.running)
}

func (m *mailbox) wakeAndUnlock(wake bool) {
	if wake {
		m.running = true
	}
	m.mu.Unlock()
	if wake {
		m.schedule.Schedule(m.run)
	}
}

// work handles messages until there are none. Invariant: at most one work runs
// for a mailbox, namely while running is true.
func (m *mailbox) work() {
	var current any
	finished := false
	defer func() {
		if finished {
			return
		}
		reason := recover()
		if reason == nil {
			reason = "the handler ended its goroutine"
		}
		m.invoker.EscalateFailure(reason, current)
		m.schedule.Schedule(m.run)
	}()
	for {
		message, system, ok := m.next()
		if !ok {
			finished = true
			return
		}
		current = message
		if system {
			m.invoker.InvokeSystemMessage(message)
		} else {
			m.invoker.InvokeUserMessage(message)
		}
	}
}

// next takes the next message to handle; ok is false when there is none, and
// then the mailbox is no longer running.
func (m *mailbox) next() (message any, system, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.system.len() > 0 {
		message = m.system.pop()
		switch message.(type) {
		case *actor.SuspendMailbox:
			m.suspended = true
		case *actor.ResumeMailbox:
			m.suspended = false
		default:
			return message, true, true
		}
	}
	if m.suspended || m.user.len() == 0 {
		m.running = false
		return nil, false, false
	}
	return m.user.pop(), false, true
}
