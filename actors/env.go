package actors

import "time"

// Env is what the actors of one coordinator share. It does not change after the
// start, and everything in it may be used from every goroutine.
type Env struct {
	Limits Limits
	// Log is the way to the journal.
	Log *Log
	// Observer hears of every step.
	Observer *Observer
	// Supervisor is the address of the supervisor.
	Supervisor *Ref
	// Retire returns when a transaction that has finished did so: no two finish at
	// the same instant.
	Retire func(*Handle) time.Time
	// Gateway finds a registered participant's gateway; nil if there is none.
	Gateway func(name string) *Gateway
}

// Limits are the bounds of one coordinator; see Config in package dtc.
type Limits struct {
	Coordinator        string
	MaxParticipants    int
	MaxCalls           int
	ParticipantTimeout time.Duration
	Retry              Backoff
}
