package redisbranch

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/seed-d36415c0/dtc/participant"
)

// base is what both kinds of participant have.
type base struct {
	name    string
	client  redis.UniversalClient
	options Options
}

// open checks everything, and makes the participant's record where there is none.
func open(ctx context.Context, name string, client redis.UniversalClient, o *Options, scripts ...script) (*base, error) {
	options, err := o.checked(name)
	if err != nil {
		return nil, err
	}
	if err := checkClient(client); err != nil {
		return nil, err
	}
	b := &base{name: name, client: client, options: options}
	if err := b.start(ctx, scripts); err != nil {
		return nil, fmt.Errorf("redisbranch: open %q: %w", name, err)
	}
	return b, nil
}

func (p *base) start(ctx context.Context, scripts []script) error {
	server, err := p.server(ctx)
	if err != nil {
		return err
	}
	if !p.options.AcceptLoss {
		if err := checkServer(ctx, server); err != nil {
			return err
		}
	}
	for _, s := range scripts {
		if err := s.load(ctx, server); err != nil {
			return err
		}
	}
	remember := strconv.FormatInt(p.options.Remember.Milliseconds(), 10)
	return openScript.Run(ctx, p.client, []string{p.record()}, remember).Err()
}

// server is where the participant lives: in a cluster the primary that has its
// slot now.
func (p *base) server(ctx context.Context) (redis.Cmdable, error) {
	if c, ok := p.client.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, p.record())
	}
	return p.client, nil
}

// Name implements participant.Participant.
func (p *base) Name() string { return p.name }

// record, branch and openSet are the participant's keys. The parts are escaped,
// so that no two of them make the same key.
func (p *base) record() string { return p.key("participant", p.name) }

func (p *base) branch(b participant.Branch) string {
	return p.key("branch", p.name, b.Coordinator, b.Transaction.String())
}

func (p *base) openSet(coordinator string) string { return p.key("open", p.name, coordinator) }

func (p *base) key(parts ...string) string {
	key := "dtc:{" + p.options.Tag + "}"
	for _, part := range parts {
		key += ":" + url.QueryEscape(part)
	}
	return key
}

// begin runs the branch's first step, unless the payload is bad.
func (p *base) begin(ctx context.Context, s script, b participant.Branch) error {
	c, err := p.decode(b.Payload)
	if err != nil {
		return err
	}
	a, err := p.run(ctx, s.Script, b, c)
	return outcome(s.step, b, a, err)
}

// finish runs a step of a branch that was begun, if Redis knows it. It is run with
// the payload that Redis holds: the coordinator has none for a branch that it
// knows from InDoubt alone, and a bad one was never begun.
func (p *base) finish(ctx context.Context, s script, b participant.Branch) error {
	c, err := p.decode(b.Payload)
	if err != nil {
		b.Payload, c = nil, Call{}
	}
	a, err := p.run(ctx, s.Script, b, c)
	if err == nil && a.text(0) == "payload" {
		b.Payload = []byte(a.text(1))
		if c, err = p.decode(b.Payload); err == nil {
			a, err = p.run(ctx, s.Script, b, c)
		}
	}
	return outcome(s.step, b, a, err)
}

// decode reads a payload. In a cluster it refuses keys of other slots, which Redis
// would do later, and then in Rollback too.
func (p *base) decode(payload []byte) (Call, error) {
	c, err := decode(payload)
	if err != nil {
		return c, err
	}
	if _, ok := p.client.(*redis.ClusterClient); ok {
		for i, key := range c.Keys {
			if hashTag(key) != p.options.Tag {
				return c, &PayloadError{fmt.Sprintf("key %d has not the hash tag {%s} that it needs in a cluster", i+1, p.options.Tag)}
			}
		}
	}
	return c, nil
}

// run runs a script with the branch's keys and the call that is in its payload.
func (p *base) run(ctx context.Context, s *redis.Script, b participant.Branch, c Call) (answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.Transaction.Version() != 7 {
		return nil, &IDError{b.Transaction}
	}
	keys := append([]string{p.record(), p.branch(b), p.openSet(b.Coordinator)}, c.Keys...)
	args := []any{b.Transaction.String(), milliseconds(b.Transaction), b.Payload}
	for _, word := range c.Args {
		args = append(args, word)
	}
	return s.Run(ctx, p.client, keys, args...).Slice()
}

// milliseconds is the time in a version 7 id, since 1970.
func milliseconds(id uuid.UUID) int64 {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return ms
}

// Mend records that a person has mended the data of a torn branch, and settles
// the branch: as committed where Confirm had failed, for the person has finished
// it; as rolled back where another step had, for the person has undone it. A
// branch that is not torn is refused with [ErrNotTorn]. Only coordinator and
// transaction of the branch are looked at.
func (p *base) Mend(ctx context.Context, b participant.Branch) error {
	b.Payload = nil
	a, err := p.run(ctx, mendScript, b, Call{})
	return outcome("mend", b, a, err)
}
