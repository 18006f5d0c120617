package actors

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc/protocol"
)

// Observer passes events on to the application and makes the log from them. It
// costs next to nothing where nobody listens and the level is off. It may be
// used from every goroutine.
type Observer struct {
	logger *slog.Logger
	listen func(Event)

	mu     sync.Mutex
	warned map[string]time.Time // when a participant was last warned of
	hushed map[string]int       // how many warnings were left out since
}

// NewObserver returns an observer; listen may be nil.
func NewObserver(logger *slog.Logger, listen func(Event)) *Observer {
	return &Observer{
		logger: logger,
		listen: listen,
		warned: make(map[string]time.Time),
		hushed: make(map[string]int),
	}
}

// warnEvery is how often one participant is warned of.
const warnEvery = time.Second

// level is how important an event is: progress at debug, rollbacks and hand
// work at info, what will be tried again at warn, what needs a person at error.
func (e *Event) level() slog.Level {
	switch e.Kind {
	case EventDecided:
		if e.Outcome == protocol.OutcomeRolledBack {
			return slog.LevelInfo
		}
	case EventSettled, EventHealthy:
		return slog.LevelInfo
	case EventRetry, EventParked, EventUnhealthy, EventUnregistered, EventInDoubt:
		return slog.LevelWarn
	case EventDoubt, EventBroken, EventActorFailed, EventJournalFailed:
		return slog.LevelError
	case EventForced:
		if e.Err != nil {
			return slog.LevelError
		}
	}
	return slog.LevelDebug
}

// Wants tells whether anybody hears of progress: whether it is worth making the
// event of a step in which nothing goes wrong.
func (o *Observer) Wants() bool {
	return o.listen != nil || o.logs(slog.LevelDebug)
}

// logs tells whether the level is on. A log handler that panics hears nothing.
func (o *Observer) logs(l slog.Level) (on bool) {
	defer func() { _ = recover() }()
	return o.logger.Enabled(context.Background(), l)
}

// Emit passes an event on. A panic of the listener or of the log handler goes
// no further.
func (o *Observer) Emit(e Event) {
	e.Time = time.Now()
	if o.listen != nil {
		o.guard(func() { o.listen(e) })
	}
	level := e.level()
	if !o.logs(level) {
		return
	}
	if level == slog.LevelWarn && e.Participant != "" && !o.mayWarn(&e) {
		return
	}
	o.guard(func() { o.logger.LogAttrs(context.Background(), level, e.Kind.String(), e.attrs()...) })
}

// mayWarn keeps the warnings of one participant to one a second, and has the
// next one say how many were left out.
func (o *Observer) mayWarn(e *Event) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := e.Kind.String() + e.Participant
	if last, ok := o.warned[key]; ok && e.Time.Sub(last) < warnEvery {
		o.hushed[key]++
		return false
	}
	if len(o.warned) >= maxWarned {
		clear(o.warned)
		clear(o.hushed)
	}
	o.warned[key] = e.Time
	if n := o.hushed[key]; n > 0 {
		e.Reason = fmt.Sprintf("%d like this were left out", n)
		delete(o.hushed, key)
	}
	return true
}

// maxWarned bounds the memory of what was warned of.
const maxWarned = 10_000

func (e *Event) attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 10)
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	if e.Transaction != uuid.Nil {
		attrs = append(attrs, slog.String("transaction", e.Transaction.String()))
	}
	text("label", e.Label)
	text("participant", e.Participant)
	if e.Op != protocol.NoOp {
		text("op", e.Op.String())
	}
	if e.Attempt > 0 {
		attrs = append(attrs, slog.Uint64("attempt", uint64(e.Attempt)))
	}
	if e.Record != protocol.NoRecord {
		text("record", e.Record.String())
	}
	if e.Outcome != protocol.Unknown {
		text("outcome", e.Outcome.String())
	}
	if e.Duration > 0 {
		attrs = append(attrs, slog.Duration("duration", e.Duration))
	}
	text("reason", e.Reason)
	if e.Err != nil {
		text("error", fmt.Sprint(e.Err)) // which takes an Error that panics
	}
	return attrs
}

func (o *Observer) guard(f func()) {
	defer func() {
		if p := recover(); p != nil && o.listen != nil {
			o.logPanic(p)
		}
	}()
	f()
}

// logPanic says that the application's listener panicked, unless logging itself
// is what panics. It says so once a second.
func (o *Observer) logPanic(p any) {
	defer func() { _ = recover() }()
	if !o.mayWarn(&Event{Time: time.Now()}) {
		return
	}
	o.logger.Error("event listener panicked", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
}
