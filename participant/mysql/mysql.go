package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/internal/turns"
)

// Options of [New]. The zero value is ready.
type Options struct {
	// Coordinator is the name of the coordinator whose transactions the
	// application begins work for (dtc.Config.Name): it is a part of the branch's
	// XA id, which is settled when the branch begins. [Participant.Begin] needs it;
	// without Begin it is not used. Default: none.
	Coordinator string
	// Work does a branch's work from the branch's payload, in Prepare or in
	// CommitOnePhase. It is called for branches that are enlisted with a payload,
	// and for no other. An error refuses the branch; participant.ErrReadOnly says
	// that there is nothing to commit, and what was done all the same is undone.
	// Many goroutines may call it. Default: none, and every branch is begun with
	// [Participant.Begin].
	Work func(ctx context.Context, tx *Branch, b participant.Branch) error
	// BranchTimeout is how long a branch may hold its connection. One that is not
	// prepared by then is rolled back; one that is prepared stays so, lets go of
	// its connection, and is decided on another. Make it longer than the
	// coordinator's TransactionTimeout. Default: 1 minute.
	BranchTimeout time.Duration
}

const (
	defaultBranchTimeout = time.Minute
	maxName              = 128 // bytes, of a participant's or a coordinator's name
)

// Participant is a database that takes part in transactions. Its methods may be
// called by many goroutines.
type Participant struct {
	name    string
	db      *sql.DB
	options Options
	server  server
	census  census
	// turns are at a *Branch's session, at the *server and at the *census.
	turns turns.Turns[any]

	mu     sync.Mutex
	open   map[participant.Key]*Branch
	closed bool
}

var (
	_ participant.OnePhaseCommitter = (*Participant)(nil)
	_ participant.Recoverer         = (*Participant)(nil)
)

// New makes a participant of the database that db is connected to, under a name of
// 1 to 128 bytes. It makes no connection; the first call that needs one finds out
// what server it is. All processes that serve the participant use the same name,
// and best the same database user. A nil Options means the zero one. It refuses
// bad names with an [*InvalidError].
func New(name string, db *sql.DB, o *Options) (*Participant, error) {
	if o == nil {
		o = new(Options)
	}
	if db == nil {
		return nil, &InvalidError{What: "db", Reason: "is nil"}
	}
	if name == "" {
		return nil, &InvalidError{What: "name", Reason: "is empty"}
	}
	if err := checkName("name", name); err != nil {
		return nil, err
	}
	if err := checkName("Options.Coordinator", o.Coordinator); err != nil {
		return nil, err
	}
	if o.BranchTimeout < 0 {
		return nil, &InvalidError{What: "Options.BranchTimeout", Reason: fmt.Sprintf("is %s, less than nothing", o.BranchTimeout)}
	}
	p := &Participant{name: name, db: db, options: *o, open: make(map[participant.Key]*Branch)}
	if o.BranchTimeout == 0 {
		p.options.BranchTimeout = defaultBranchTimeout
	}
	return p, nil
}

// Name implements participant.Participant.
func (p *Participant) Name() string { return p.name }

// Close lets go of the branches that are open: those that are not prepared are
// rolled back, those that are prepared stay so, and can be decided by another
// Participant of the same name. It waits until their connections are closed.
// Afterwards no branch is begun or prepared: [ErrClosed]. It does not close the
// *sql.DB. A second Close is harmless.
func (p *Participant) Close() error {
	p.mu.Lock()
	p.closed = true
	all := make([]*Branch, 0, len(p.open))
	for _, b := range p.open {
		all = append(all, b)
	}
	p.mu.Unlock()
	for _, b := range all {
		b.drop()
	}
	for _, b := range all {
		<-b.gone
	}
	return nil
}

// find returns the branch if it is open here.
func (p *Participant) find(k participant.Key) *Branch {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[k]
}

// holds tells whether a branch that is open here works on the connection.
func (p *Participant) holds(connection uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.open {
		if b.s.id == connection {
			return true
		}
	}
	return false
}

// add keeps a branch that has been begun.
func (p *Participant) add(b *Branch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if p.open[b.key] != nil {
		return &BusyError{Transaction: b.key.Transaction, Connection: p.open[b.key].s.id}
	}
	p.open[b.key] = b
	return nil
}

func (p *Participant) remove(b *Branch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[b.key] == b {
		delete(p.open, b.key)
	}
}

// key is the branch's key, if a call may be made of it.
func (p *Participant) key(ctx context.Context, b participant.Branch) (participant.Key, error) {
	k := participant.Key{Coordinator: b.Coordinator, Transaction: b.Transaction, Participant: p.name}
	if err := ctx.Err(); err != nil {
		return k, err
	}
	return k, checkKey(k)
}

func checkKey(k participant.Key) error {
	if k.Transaction.Version() != 7 || k.Transaction.Variant() != uuid.RFC4122 {
		return &InvalidError{What: "transaction id", Reason: fmt.Sprintf("%s is no version 7 UUID", k.Transaction)}
	}
	return checkName("coordinator's name", k.Coordinator)
}

func checkName(what, name string) error {
	reason := ""
	switch {
	case len(name) > maxName:
		reason = fmt.Sprintf("has %d bytes, the limit is %d", len(name), maxName)
	case !utf8.ValidString(name):
		reason = "is no UTF-8"
	default:
		for _, r := range name {
			if unicode.IsControl(r) {
				reason = "has a control character"
			}
		}
	}
	if reason == "" {
		return nil
	}
	return &InvalidError{What: what, Reason: reason}
}
