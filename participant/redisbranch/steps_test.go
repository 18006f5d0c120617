package redisbranch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/redisbranch"
)

// A step that fails after a write is run once; a person mends it.
func TestTorn(t *testing.T) {
	s := openShop(t)
	const wrong = `redis.call('INCR', KEYS[3])
		redis.call('LPUSH', KEYS[1], 'oops')`
	const refuses = `redis.call('INCR', KEYS[3])
		return redis.error_reply('changed my mind')`
	two, err := redisbranch.OpenTCC(t.Context(), "shop", s.client, redisbranch.TCC{Confirm: wrong, Cancel: refuses}, nil)
	ok(t, err)
	one, err := redisbranch.OpenSaga(t.Context(), "shop", s.client, redisbranch.Saga{Do: wrong}, nil)
	ok(t, err)
	undone, err := redisbranch.OpenSaga(t.Context(), "shop", s.client, redisbranch.Saga{Undo: wrong}, nil)
	ok(t, err)
	type calls []func(context.Context, participant.Branch) error
	for step, c := range map[string]struct {
		before, repeated calls
		after            func(context.Context, participant.Branch) error
	}{
		"Confirm": {calls{two.Prepare}, calls{two.Commit, two.Commit, two.Rollback}, two.Commit},
		"Cancel":  {calls{two.Prepare}, calls{two.Rollback, two.Rollback}, two.Rollback},
		"Do":      {nil, calls{one.Commit, one.Commit, one.Rollback}, one.Rollback},
		"Undo":    {calls{undone.Commit}, calls{undone.Rollback, undone.Rollback, undone.Commit}, undone.Rollback},
	} {
		ok(t, s.client.Set(t.Context(), "{shop}:taken", 0, 0).Err())
		b := newBranch()
		for _, call := range c.before {
			ok(t, call(t.Context(), b))
		}
		for _, call := range c.repeated {
			var torn *redisbranch.TornError
			if err := call(t.Context(), b); !errors.As(err, &torn) || torn.Step != step || torn.Transaction != b.Transaction {
				t.Fatalf("%s answered %v", step, err)
			}
		}
		s.counts(stockAtFirst, 0, 1)
		ids, err := two.InDoubt(t.Context(), "till")
		ok(t, err)
		if !slices.Contains(ids, b.Transaction) {
			t.Errorf("%s: the torn branch is not listed", step)
		}
		key := "dtc:{shop}:branch:shop:till:" + b.Transaction.String()
		if ttl, err := s.client.PTTL(t.Context(), key).Result(); ttl != -1 || err != nil {
			t.Errorf("%s: the torn branch expires in %v, %v", step, ttl, err)
		}
		ok(t, two.Mend(t.Context(), b))
		if err := two.Mend(t.Context(), b); !errors.Is(err, redisbranch.ErrNotTorn) {
			t.Errorf("the second Mend answered %v", err)
		}
		ok(t, c.after(t.Context(), b))
		s.counts(stockAtFirst, 0, 1)
	}
}

// A step that fails before a write has no effect, and can be run again.
func TestFailsClean(t *testing.T) {
	s := openShop(t)
	p, err := redisbranch.OpenTCC(t.Context(), "shop", s.client, redisbranch.TCC{
		Try:     `redis.call('GET', KEYS[1]) if ARGV[1] then error('no ' .. ARGV[1]) end`,
		Confirm: `redis.call('LLEN', KEYS[1]) redis.call('INCR', KEYS[3])`,
	}, nil)
	ok(t, err)
	refused, b := newBranch(), newBranch()
	refused.Payload = payload("way")
	var failed *redisbranch.ScriptError
	if err := p.Prepare(t.Context(), refused); !errors.As(err, &failed) || !strings.Contains(failed.Reason, "no way") {
		t.Errorf("Prepare answered %v", err)
	}
	ok(t, p.Rollback(t.Context(), refused))
	ok(t, p.Prepare(t.Context(), b))
	if err := p.Commit(t.Context(), b); !errors.As(err, &failed) || failed.Step != "Confirm" {
		t.Errorf("Commit answered %v", err)
	}
	ok(t, s.client.Del(t.Context(), "{shop}:left").Err())
	ok(t, p.Commit(t.Context(), b))
	ok(t, p.Commit(t.Context(), b))
	s.counts(0, 0, 1)
}

// Whatever a step wrote with, and whatever it did then, it has torn its branch.
func TestTorn_ByWhatever(t *testing.T) {
	s := openShop(t)
	for name, try := range map[string]string{
		"other types":  `redis.setresp(3) redis.call('INCR', KEYS[3]) error('oops')`,
		"subcommand":   `redis.call('XGROUP', 'CREATE', KEYS[2], 'g', '$', 'MKSTREAM') error('oops')`,
		"lower case":   `redis.call('incr', KEYS[3]) error('oops')`,
		"caught":       `redis.pcall('INCR', KEYS[3]) redis.call('NONE')`,
		"not a string": `redis.call('INCR', KEYS[3]) error({})`,
	} {
		p, err := redisbranch.OpenTCC(t.Context(), "shop", s.client, redisbranch.TCC{Try: try}, nil)
		ok(t, err)
		if err := p.Prepare(t.Context(), newBranch()); !errors.As(err, new(*redisbranch.TornError)) {
			t.Errorf("%s: Prepare answered %v", name, err)
		}
	}
}

// The barrier's own variables are out of a step's reach.
func TestStepIsApart(t *testing.T) {
	s := openShop(t)
	for _, name := range []string{"record", "branch", "open", "id", "time", "payload", "state", "held", "now", "settle", "run"} {
		p, err := redisbranch.OpenTCC(t.Context(), "shop", s.client, redisbranch.TCC{Try: name + " = 'spoiled'"}, nil)
		ok(t, err)
		if err := p.Prepare(t.Context(), newBranch()); !errors.As(err, new(*redisbranch.ScriptError)) {
			t.Errorf("a step that sets %s: Prepare answered %v", name, err)
		}
	}
}
