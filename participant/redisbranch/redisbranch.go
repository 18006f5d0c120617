package redisbranch

import (
	"context"
	"errors"
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
	if !p.options.AcceptLoss {
		if err := checkServer(ctx, p.client, p.record()); err != nil {
			return err
		}
	}
	for _, s := range scripts {
		if err := s.load(ctx, p.client); err != nil {
			return err
		}
	}
	remember := strconv.FormatInt(p.options.Remember.Milliseconds(), 10)
	return openScript.Run(ctx, p.client, []string{p.record()}, remember).Err()
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

// call runs a script of the branch. Where Redis holds another payload than the
// coordinator gave, which has none for a branch that it knows from InDoubt alone,
// it is run again with the one that Redis holds.
func (p *base) call(ctx context.Context, s script, b participant.Branch) error {
	a, err := p.run(ctx, s.Script, b)
	if err == nil && a.code == "payload" {
		b.Payload = []byte(a.text(1))
		a, err = p.run(ctx, s.Script, b)
	}
	if err != nil {
		return fmt.Errorf("redisbranch: %s: %w", s.step, err)
	}
	return a.err(b.Transaction)
}

// begin runs the branch's first step, unless the payload is bad.
func (p *base) begin(ctx context.Context, s script, b participant.Branch) error {
	if _, err := p.decode(b.Payload); err != nil {
		return err
	}
	return p.call(ctx, s, b)
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

// run runs a script with the branch's keys. A payload that is bad was never
// prepared, and is taken for one without keys.
func (p *base) run(ctx context.Context, s *redis.Script, b participant.Branch) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	if b.Transaction.Version() != 7 {
		return answer{}, &IDError{b.Transaction}
	}
	c, err := p.decode(b.Payload)
	if err != nil {
		c = Call{}
	}
	keys := append([]string{p.record(), p.branch(b), p.openSet(b.Coordinator)}, c.Keys...)
	args := []any{b.Transaction.String(), milliseconds(b.Transaction), b.Payload}
	for _, word := range c.Args {
		args = append(args, word)
	}
	reply, err := s.Run(ctx, p.client, keys, args...).Slice()
	if err != nil {
		return answer{}, err
	}
	return newAnswer(reply)
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
	a, err := p.run(ctx, mendScript, b)
	if err != nil {
		return fmt.Errorf("redisbranch: mend: %w", err)
	}
	return a.err(b.Transaction)
}

// isAnswer tells whether the error is what Redis answered, and not the loss of an
// answer.
func isAnswer(err error) bool {
	var answered redis.Error
	return errors.As(err, &answered)
}
