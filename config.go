package dtc

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/protocol"
	"github.com/seed-d36415c0/dtc/supervisor"
)

// Config is how a coordinator works. The zero Config is complete: it keeps its
// journal in memory and has the defaults that each field states. No duration may
// be longer than 100 years (876,000 hours), which is as good as never.
type Config struct {
	// Name is this coordinator's identity, 1 to 64 bytes of UTF-8 without control
	// characters. It is stored in the journal, which belongs to that name from then
	// on, and every participant sees it in [participant.Branch]. Required with a
	// participant.Recoverer, which lists its branches by it.
	//
	// Defaults to the journal's name, if it has one, and else to none.
	Name string

	// MaxTransactions is how many transactions may be live: begun, and neither
	// finished nor parked. Defaults to 100.
	MaxTransactions int
	// WaitForSlot has Begin wait for its turn when all are taken, first come first
	// served, instead of refusing at once. Defaults to false.
	WaitForSlot bool
	// MaxParticipants is how many participants a transaction may have. Defaults to
	// 10.
	MaxParticipants int
	// MaxPayload is how many bytes an enlistment's payload may have. Defaults to
	// 64 KiB.
	MaxPayload int
	// MaxCalls is how many calls that may block run at one participant at a time;
	// others wait. Defaults to 128, or MaxTransactions where that is more.
	MaxCalls int

	// TransactionTimeout is the time from begin to decision, unless TxOptions says
	// otherwise. Defaults to 30 s.
	TransactionTimeout time.Duration
	// ParticipantTimeout is the time for one call of a participant, and how long
	// Commit and Rollback wait for acknowledgements past the decision. Defaults to
	// 5 s.
	ParticipantTimeout time.Duration
	// Retry is how long to wait before a participant is told the decision again.
	Retry Backoff

	// Retention is how long the outcome of a finished transaction is kept. Defaults
	// to 1 h.
	Retention time.Duration
	// MaxHistory is how many such outcomes are kept. It is also how many parked
	// transactions are listed in memory; with a journal that lasts there may be more.
	// Defaults to 100,000.
	MaxHistory int
	// RecoverySlots is how many parked transactions are delivered at a time, beside
	// MaxTransactions. Defaults to 10.
	RecoverySlots int
	// RecoveryInterval is how often a participant.Recoverer is asked for branches in
	// doubt. Defaults to 30 s.
	RecoveryInterval time.Duration

	// Journal keeps what must not be forgotten. The coordinator closes it, unless
	// Open fails. Defaults to journal.Memory(), which forgets everything with the
	// process.
	Journal journal.Journal
	// Participants are registered before recovery begins; see Coordinator.Register.
	Participants []participant.Participant

	// Logger gets one line per step: progress at debug, rollbacks at info, what will
	// be tried again at warn (one line a second for each participant), what needs a
	// person at error. Payloads are never logged. Defaults to slog.Default(); see
	// SlogHandler for loggers of package log/slog.
	Logger *slog.Logger
	// OnEvent is called with every step, by the actor that takes it: in order for
	// each transaction, concurrently for different ones. It must not block, and must
	// not wait for the coordinator. Defaults to none.
	OnEvent func(Event)
}

// Backoff is how long to wait before a participant is told again: Initial after
// the first failure, Factor times longer after each further one, up to Max, each
// time shorter or longer by up to the share Jitter. Zero fields have the
// defaults 50 ms, 30 s, 2 and 0.2; a negative Jitter is none.
type Backoff = actors.Backoff

// ConfigError says which field of a [Config] or of [TxOptions] cannot be used.
type ConfigError struct {
	Field  string
	Value  any
	Reason string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("dtc: %s is %v: %s", e.Field, e.Value, e.Reason)
}

// maxDuration keeps sums of a duration and a time of ours from overflowing.
const maxDuration = 100 * 365 * 24 * time.Hour

// checkDuration refuses a duration that no timer can keep.
func checkDuration(field string, v time.Duration) error {
	switch {
	case v <= 0:
		return &ConfigError{field, v, "must be positive"}
	case v > maxDuration:
		return &ConfigError{field, v, fmt.Sprintf("must be at most %v (100 years)", maxDuration)}
	}
	return nil
}

// withDefaults returns the configuration with every field set.
func (c Config) withDefaults() Config {
	number := func(v *int, fallback int) {
		if *v == 0 {
			*v = fallback
		}
	}
	duration := func(v *time.Duration, fallback time.Duration) {
		if *v == 0 {
			*v = fallback
		}
	}
	number(&c.MaxTransactions, 100)
	number(&c.MaxParticipants, 10)
	number(&c.MaxPayload, 64<<10)
	number(&c.MaxCalls, max(128, c.MaxTransactions))
	number(&c.MaxHistory, 100_000)
	number(&c.RecoverySlots, 10)
	duration(&c.TransactionTimeout, 30*time.Second)
	duration(&c.ParticipantTimeout, 5*time.Second)
	duration(&c.Retention, time.Hour)
	duration(&c.RecoveryInterval, 30*time.Second)
	duration(&c.Retry.Initial, 50*time.Millisecond)
	duration(&c.Retry.Max, max(30*time.Second, c.Retry.Initial))
	if c.Retry.Factor == 0 {
		c.Retry.Factor = 2
	}
	if c.Retry.Jitter == 0 {
		c.Retry.Jitter = 0.2
	}
	if c.Journal == nil {
		c.Journal = journal.Memory()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// validate returns all that is wrong, at once.
func (c Config) validate() error {
	var all []error
	atLeast := func(field string, v, least int) {
		if v < least {
			all = append(all, &ConfigError{"Config." + field, v, fmt.Sprintf("must be at least %d", least)})
		}
	}
	duration := func(field string, v time.Duration) {
		all = append(all, checkDuration("Config."+field, v))
	}
	atLeast("MaxTransactions", c.MaxTransactions, 1)
	atLeast("MaxParticipants", c.MaxParticipants, 1)
	atLeast("MaxPayload", c.MaxPayload, 1)
	atLeast("MaxCalls", c.MaxCalls, 1)
	atLeast("MaxHistory", c.MaxHistory, 1)
	atLeast("RecoverySlots", c.RecoverySlots, 1)
	duration("TransactionTimeout", c.TransactionTimeout)
	duration("ParticipantTimeout", c.ParticipantTimeout)
	duration("Retention", c.Retention)
	duration("RecoveryInterval", c.RecoveryInterval)
	duration("Retry.Initial", c.Retry.Initial)
	duration("Retry.Max", c.Retry.Max)
	if c.Retry.Max < c.Retry.Initial {
		all = append(all, &ConfigError{"Config.Retry.Max", c.Retry.Max, "must not be less than Retry.Initial"})
	}
	if c.Retry.Factor < 1 {
		all = append(all, &ConfigError{"Config.Retry.Factor", c.Retry.Factor, "must be at least 1"})
	}
	if c.Retry.Jitter > 1 {
		all = append(all, &ConfigError{"Config.Retry.Jitter", c.Retry.Jitter, "must not be more than 1"})
	}
	if c.Name != "" {
		all = append(all, checkName("Config.Name", c.Name, maxCoordinatorName))
	}
	return join(append(all, c.checkParticipants()...)...)
}

// checkParticipants returns what is wrong with the participants, as far as that
// can be told without a journal.
func (c Config) checkParticipants() (all []error) {
	kinds := make(map[string]protocol.Branch)
	for i, p := range c.Participants {
		field := fmt.Sprintf("Config.Participants[%d]", i)
		if err := checkParticipant(field, p); err != nil {
			all = append(all, err)
			continue
		}
		kind := actors.Describe(p)
		if known, ok := kinds[kind.Name]; ok && known != kind {
			all = append(all, &InvalidNameError{
				Field: field, Name: kind.Name, Err: supervisor.ErrKind,
				Reason: supervisor.ErrKind.Error() + ", and an earlier one of that name is of another",
			})
		}
		kinds[kind.Name] = kind
	}
	return all
}

func (c Config) supervisor() supervisor.Config {
	return supervisor.Config{
		Limits: actors.Limits{
			Coordinator:        c.Name,
			MaxParticipants:    c.MaxParticipants,
			MaxCalls:           c.MaxCalls,
			ParticipantTimeout: c.ParticipantTimeout,
			Retry:              c.Retry,
		},
		MaxTransactions:  c.MaxTransactions,
		MaxHistory:       c.MaxHistory,
		Retention:        c.Retention,
		RecoverySlots:    c.RecoverySlots,
		RecoveryInterval: c.RecoveryInterval,
		WaitForSlot:      c.WaitForSlot,
		Journal:          c.Journal,
		Participants:     c.Participants,
		Observer:         actors.NewObserver(c.Logger, c.OnEvent),
	}
}

// Limits of names, in bytes.
const (
	maxCoordinatorName = 64
	maxParticipantName = 128
)

// checkParticipant refuses a participant without a name. Field is where it
// stands; empty for one that was handed to a call.
func checkParticipant(field string, p participant.Participant) error {
	if p == nil {
		return &InvalidNameError{Field: field, Reason: "the participant is nil"}
	}
	return checkName(field, p.Name(), maxParticipantName)
}

func checkName(field, name string, limit int) error {
	reason := unfit(name, limit)
	if reason == "" {
		return nil
	}
	if len(name) > limit {
		name = strings.ToValidUTF8(name[:limit], "?") + "…"
	}
	return &InvalidNameError{Field: field, Name: name, Reason: reason}
}

// unfit says why a name could not stand in a journal, a log line or a resource's
// own transaction id; empty if it can.
func unfit(name string, limit int) (reason string) {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > limit:
		return fmt.Sprintf("it has %d bytes, the limit is %d", len(name), limit)
	case !utf8.ValidString(name):
		return "it is not valid UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "it has a control character"
	}
	return ""
}
