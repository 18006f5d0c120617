package httpbranch

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// client makes the calls of one service. It is what a one-phase participant needs;
// the other kinds add to it.
type client struct {
	name  string
	base  *url.URL
	shown string // the base in errors

	prepare, commit, rollback, commitOnePhase, committed, inDoubt endpoint

	fixed       http.Header // of every call; what it holds is never changed
	contentType []string
	header      func(context.Context, http.Header) error
	timeout     time.Duration
	exchanger   exchanger
}

// endpoint is where a call goes.
type endpoint struct {
	call   string
	url    *url.URL
	suffix string // of the keys of its calls
}

func (c *client) resolve() {
	for call, e := range map[string]*endpoint{
		callPrepare:        &c.prepare,
		callCommit:         &c.commit,
		callRollback:       &c.rollback,
		callCommitOnePhase: &c.commitOnePhase,
		callCommitted:      &c.committed,
		callInDoubt:        &c.inDoubt,
	} {
		address := *c.base
		address.Path += "/" + call
		if address.RawPath != "" {
			address.RawPath += "/" + call
		}
		*e = endpoint{call, &address, "/" + escape(c.name) + "/" + call}
	}
}

// ofKind gives the client the methods of its kind, and no other.
func (c *client) ofKind(o *Options) participant.Participant {
	two := twoPhase{c}
	switch {
	case o.OnePhase:
		return onePhase{c}
	case o.OnePhaseCommitter && o.Recoverer:
		return recoverableCommitter{onePhaseCommitter{two}, lister{c}}
	case o.OnePhaseCommitter:
		return onePhaseCommitter{two}
	case o.Recoverer:
		return recoverable{two, lister{c}}
	}
	return two
}

type onePhase struct{ *client }

type twoPhase struct{ *client }

type onePhaseCommitter struct{ twoPhase }

type recoverable struct {
	twoPhase
	lister
}

type recoverableCommitter struct {
	onePhaseCommitter
	lister
}

// lister is what a Recoverer has beside its kind.
type lister struct{ of *client }

// Name implements participant.Participant.
func (c *client) Name() string { return c.name }

// Commit implements participant.Participant.
func (c *client) Commit(ctx context.Context, b participant.Branch) error {
	return c.tell(ctx, &c.commit, b)
}

// Rollback implements participant.Participant.
func (c *client) Rollback(ctx context.Context, b participant.Branch) error {
	return c.tell(ctx, &c.rollback, b)
}

// Close implements io.Closer.
func (c *client) Close() error {
	c.exchanger.close()
	return nil
}

// Prepare implements participant.Preparer.
func (t twoPhase) Prepare(ctx context.Context, b participant.Branch) error {
	return t.tell(ctx, &t.prepare, b)
}

// CommitOnePhase implements participant.OnePhaseCommitter.
func (o onePhaseCommitter) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	return o.tell(ctx, &o.commitOnePhase, b)
}

// Committed implements participant.OnePhaseCommitter.
func (o onePhaseCommitter) Committed(ctx context.Context, b participant.Branch) (bool, error) {
	err := o.tell(ctx, &o.committed, b)
	if errors.Is(err, participant.ErrRolledBack) {
		return false, nil
	}
	return err == nil, err
}

// InDoubt implements participant.Recoverer.
func (l lister) InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	return l.of.list(ctx, coordinator)
}
