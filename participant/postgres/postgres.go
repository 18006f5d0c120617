package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/internal/names"
)

// Options of [New]. The zero value is ready.
type Options struct {
	// Work does the work of a branch that [Participant.Begin] did not open, in the
	// transaction that it is given and with nothing else. It is called in Prepare
	// and CommitOnePhase, again where a call comes again after it failed; its error
	// is a vote to roll back. Nil refuses such branches.
	Work func(ctx context.Context, tx pgx.Tx, b participant.Branch) error
	// TxOptions are how Begin and Work's transactions begin, such as their isolation
	// level. CommitQuery is not used. Defaults to what the server does.
	TxOptions pgx.TxOptions
	// BranchTimeout is how long a branch may be open, from Begin to Prepare. After
	// it the branch is rolled back, as the coordinator would have done if it had
	// been enlisted. It must be longer than the coordinator's transactions may
	// take. Defaults to a minute.
	BranchTimeout time.Duration
	// Coordinator is the name of the coordinator (Config.Name) whose transactions
	// Begin is called with. Where it is given, InDoubt lists open branches too, and
	// one whose transaction is over is rolled back before BranchTimeout. Defaults to
	// none.
	Coordinator string
	// Connections is how many connections phase two has at most, beside the
	// application's pool. Defaults to as many as that has, and at most 16.
	Connections int32
	// Schema is where the participant's tables are. Defaults to "dtc".
	Schema string
}

const (
	defaultBranchTimeout = time.Minute
	defaultSchema        = "dtc"
	maxConnections       = 16
	// maxEnded is how many branches that have ended here are remembered in memory.
	// What must be remembered is in the database.
	maxEnded = 10_000
)

// Participant is a database as a participant. Its methods may be called by many
// goroutines.
type Participant struct {
	name    string
	options Options
	pool    *pgxpool.Pool // the application's: open branches
	settler *pgxpool.Pool // its own: phase two
	sql     statements

	ended participant.MemoryStore // read-only and rolled back branches of this process

	mu       sync.Mutex
	closed   bool
	branches map[uuid.UUID]*branch // begun, and neither prepared nor over
}

var (
	_ participant.OnePhaseCommitter = (*Participant)(nil)
	_ participant.Recoverer         = (*Participant)(nil)
)

// New makes a participant of the database that the pool connects to. The pool
// stays the application's, and must be open until Close has returned. Phase two's
// own pool is configured like it, hooks included; these get the coordinator's
// contexts there. New does not connect: call [Participant.Migrate] before the first branch, once or always. A
// nil Options means the zero one.
//
// It refuses with [*OptionError] or [*GidError].
func New(name string, pool *pgxpool.Pool, o *Options) (*Participant, error) {
	if pool == nil {
		return nil, &OptionError{Option: "pool", Value: nil, Reason: "is required"}
	}
	if o == nil {
		o = new(Options)
	}
	config := pool.Config()
	p := &Participant{
		name:     name,
		options:  o.withDefaults(config.MaxConns),
		pool:     pool,
		branches: make(map[uuid.UUID]*branch),
	}
	p.ended.Limit = maxEnded
	if err := p.validate(); err != nil {
		return nil, err
	}
	p.sql = statementsFor(p.options.Schema, config.ConnConfig.DefaultQueryExecMode)
	config.MaxConns, config.MinConns, config.MinIdleConns = p.options.Connections, 0, 0
	settler, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	p.settler = settler
	return p, nil
}

func (o Options) withDefaults(size int32) Options {
	if o.BranchTimeout == 0 {
		o.BranchTimeout = defaultBranchTimeout
	}
	if o.Connections == 0 {
		o.Connections = min(size, maxConnections)
	}
	if o.Schema == "" {
		o.Schema = defaultSchema
	}
	return o
}

func (p *Participant) validate() error {
	o := p.options
	switch {
	case !names.Fits(p.name):
		return &OptionError{"name", fmt.Sprintf("%.40s", p.name), "must be 1 to 128 bytes of UTF-8 without control characters"}
	case o.Coordinator != "" && !names.Fits(o.Coordinator):
		return &OptionError{"Options.Coordinator", fmt.Sprintf("%.40s", o.Coordinator), "must be up to 128 bytes of UTF-8 without control characters"}
	case !names.Fits(o.Schema) || len(o.Schema) > maxIdentifier:
		return &OptionError{"Options.Schema", fmt.Sprintf("%.80s", o.Schema), "must be 1 to 63 bytes of UTF-8 without control characters"}
	case o.BranchTimeout < 0:
		return &OptionError{"Options.BranchTimeout", o.BranchTimeout.String(), "must not be negative"}
	case o.Connections < 0:
		return &OptionError{"Options.Connections", o.Connections, "must not be negative"}
	case o.TxOptions.CommitQuery != "":
		return &OptionError{"Options.TxOptions.CommitQuery", o.TxOptions.CommitQuery, "the coordinator decides"}
	}
	coordinator := o.Coordinator
	if coordinator == "" {
		coordinator = "c" // the shortest
	}
	_, err := p.gid(participant.Branch{Coordinator: coordinator})
	return err
}

const maxIdentifier = 63

// Name implements participant.Participant.
func (p *Participant) Name() string { return p.name }

func (p *Participant) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Close rolls the open branches back and gives the connections up. Prepared ones
// stay as they are. The application's pool stays open. A second Close is harmless;
// afterwards calls answer [ErrClosed].
func (p *Participant) Close() {
	p.mu.Lock()
	open := make([]*branch, 0, len(p.branches))
	for _, b := range p.branches {
		open = append(open, b)
	}
	p.closed = true
	p.mu.Unlock()
	var all sync.WaitGroup
	for _, b := range open {
		all.Go(func() { p.abandon(b, "the participant was closed") })
	}
	all.Wait()
	p.settler.Close()
}
