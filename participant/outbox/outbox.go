package outbox

import (
	"context"
	"fmt"
	"net/url"
	"sync"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/internal/names"
	"github.com/seed-d36415c0/dtc/participant/internal/turns"
)

// Publisher puts messages where others read them. Its methods are called by many
// goroutines, and must end with their context.
type Publisher interface {
	// Check tells whether the message could be published now, with this id; an
	// error is a vote to roll back. It has no effect.
	Check(ctx context.Context, id string, m Message) error
	// Publish stores the message with its id. Nil says that it is stored, as surely
	// as the broker keeps anything. It is called again with the same id after an
	// error, and may be after success.
	Publish(ctx context.Context, id string, m Message) error
}

// Options of [New]. The zero value is ready.
type Options struct {
	// Store remembers what became of branches; nil means a new
	// participant.MemoryStore. One in a file, such as package filestore's, keeps a
	// restart from publishing again what was acknowledged. It may be shared.
	Store participant.Store
}

// Outbox is a participant that publishes messages. Its methods may be called by
// many goroutines.
type Outbox struct {
	name      string
	publisher Publisher
	store     participant.Store
	turns     turns.Turns[participant.Key] // at branches
	// stored counts, by participant.Key, the messages that are stored of branches
	// whose Commit is not acknowledged yet: they are as few as those.
	stored sync.Map
}

var _ participant.Preparer = (*Outbox)(nil)

// New makes the participant with this name. A nil Options means the zero one. It
// refuses a name that is none, and no publisher, with an [*OptionError].
func New(name string, p Publisher, o *Options) (*Outbox, error) {
	if !names.Fits(name) {
		return nil, &OptionError{"name", "must be 1 to 128 bytes of UTF-8 without control characters"}
	}
	if p == nil {
		return nil, &OptionError{"publisher", "must not be nil"}
	}
	out := &Outbox{name: name, publisher: p}
	if o != nil {
		out.store = o.Store
	}
	if out.store == nil {
		out.store = new(participant.MemoryStore)
	}
	return out, nil
}

// Name implements participant.Participant.
func (o *Outbox) Name() string { return o.name }

// Prepare implements participant.Preparer: it checks that the messages can be
// published. It refuses with [*PayloadError], [*MessageError] or [*PublishError],
// and leaves no trace.
func (o *Outbox) Prepare(ctx context.Context, b participant.Branch) error {
	return o.track(ctx, b, func(s participant.State) error {
		switch s {
		case participant.Committed:
			return nil
		case participant.RolledBack:
			return participant.ErrRolledBack
		case participant.Forgotten:
			return &participant.ForgottenError{Transaction: b.Transaction}
		}
		return o.check(ctx, b)
	})
}

// Commit implements participant.Participant: it publishes the messages. It fails
// with a [*PublishError] until all of them are stored.
func (o *Outbox) Commit(ctx context.Context, b participant.Branch) error {
	return o.track(ctx, b, func(s participant.State) error {
		switch s {
		case participant.Committed:
			return nil
		case participant.RolledBack:
			return participant.ErrRolledBack
		}
		// Unknown and forgotten branches too: what the coordinator has decided is
		// in its journal, and need not have been prepared in this process.
		if err := o.publish(ctx, b); err != nil {
			return err
		}
		if err := o.save(ctx, b, participant.Committed); err != nil {
			return err
		}
		o.stored.Delete(b.Key())
		return nil
	})
}

// Rollback implements participant.Participant: it remembers that nothing is to be
// published. It refuses a branch of which something is published with
// participant.ErrCommitted.
func (o *Outbox) Rollback(ctx context.Context, b participant.Branch) error {
	return o.track(ctx, b, func(s participant.State) error {
		_, begun := o.stored.Load(b.Key())
		switch {
		case begun || s == participant.Committed:
			return participant.ErrCommitted
		case s == participant.RolledBack || s == participant.Forgotten:
			return nil
		}
		return o.save(ctx, b, participant.RolledBack)
	})
}

// track calls act with the branch's state, one call of a branch at a time.
func (o *Outbox) track(ctx context.Context, b participant.Branch, act func(participant.State) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := o.turns.Take(ctx, b.Key()); err != nil {
		return err
	}
	defer o.turns.End(b.Key())
	s, err := o.store.Load(ctx, b.Key())
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return act(s)
}

func (o *Outbox) save(ctx context.Context, b participant.Branch, s participant.State) error {
	if err := o.store.Save(ctx, b.Key(), s); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

func (o *Outbox) check(ctx context.Context, b participant.Branch) error {
	messages, err := decode(b.Payload)
	if err != nil {
		return err
	}
	if len(messages) == 0 {
		return participant.ErrReadOnly
	}
	for i, m := range messages {
		if err := o.publisher.Check(ctx, id(b, i), m); err != nil {
			return &PublishError{Number: i, Subject: m.Subject, Err: err}
		}
	}
	return nil
}

// publish takes one message after the other, so that they are stored in order, and
// begins with the first that is not stored.
func (o *Outbox) publish(ctx context.Context, b participant.Branch) error {
	messages, err := decode(b.Payload)
	if err != nil {
		return err
	}
	stored, _ := o.stored.Load(b.Key())
	next, _ := stored.(int)
	for i := next; i < len(messages); i++ {
		if err := o.publisher.Publish(ctx, id(b, i), messages[i]); err != nil {
			return &PublishError{Number: i, Subject: messages[i].Subject, Err: err}
		}
		o.stored.Store(b.Key(), i+1)
	}
	return nil
}

// id names the branch's message for all time. The names are escaped, so that no
// two messages have the same id, and that it can be a header's value.
func id(b participant.Branch, n int) string {
	return fmt.Sprintf("%s/%s/%s/%d", b.Transaction, url.QueryEscape(b.Coordinator), url.QueryEscape(b.Participant), n)
}
