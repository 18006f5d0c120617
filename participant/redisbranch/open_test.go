package redisbranch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant/redisbranch"
)

func TestOpen_RefusesServersThatLose(t *testing.T) {
	for name, c := range map[string]struct{ setting, value string }{
		"no file":        {"appendonly", "no"},
		"sync too late":  {"appendfsync", "everysec"},
		"evicts":         {"maxmemory-policy", "allkeys-lru"},
		"evicts expired": {"maxmemory-policy", "volatile-ttl"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openShop(t)
			ok(t, s.client.ConfigSet(t.Context(), c.setting, c.value).Err())
			_, err := redisbranch.OpenTCC(t.Context(), "shop", s.client, tcc, nil)
			var setting *redisbranch.SettingError
			if !errors.As(err, &setting) || setting.Setting != c.setting || setting.Value != c.value {
				t.Fatalf("Open answered %v", err)
			}
			if n, err := s.client.Exists(t.Context(), "dtc:{shop}:participant:shop").Result(); n != 0 || err != nil {
				t.Errorf("the refused participant has left %d records, %v", n, err)
			}
			s.twoPhase(&redisbranch.Options{AcceptLoss: true})
		})
	}
}

// A user with no rights but those that the package asks for, and CONFIG GET or not.
func TestOpen_LimitedRights(t *testing.T) {
	s := openShop(t)
	admin := s.client
	rights := append([]any{"ACL", "SETUSER", "app", "on", ">secret", "~dtc:{shop}:*", "~{shop}:*", "+get", "+incr", "+decr"},
		"+eval", "+evalsha", "+script|load", "+command|info", "+time", "+hmget", "+hset", "+exists", "+del", "+persist", "+pexpireat",
		"+sadd", "+srem", "+smembers")
	ok(t, admin.Do(t.Context(), rights...).Err())
	s.client = newClient(t, s.server.Addr(), func(o *redis.Options) { o.Username, o.Password = "app", "secret" })
	_, err := redisbranch.OpenSaga(t.Context(), "shop", s.client, action, nil)
	var setting *redisbranch.SettingError
	if !errors.As(err, &setting) || setting.Err == nil || strings.Contains(err.Error(), "secret") {
		t.Fatalf("Open answered %v", err)
	}
	p := s.onePhase(&redisbranch.Options{AcceptLoss: true})
	ok(t, p.Commit(t.Context(), newBranch()))
	ok(t, admin.Do(t.Context(), "ACL", "SETUSER", "app", "+config|get").Err())
	calls := s.calls()
	for _, ph := range phases {
		b := newBranch()
		for _, call := range append(slices.Clone(ph.before), ph.call) {
			ok(t, calls[call](t.Context(), b))
		}
	}
	torn, err := redisbranch.OpenTCC(t.Context(), "shop", s.client, redisbranch.TCC{Try: "redis.call('INCR', KEYS[3]) error('oops')"}, nil)
	ok(t, err)
	b := newBranch()
	if err := torn.Prepare(t.Context(), b); !errors.As(err, new(*redisbranch.TornError)) {
		t.Errorf("Prepare answered %v", err)
	}
	if ids, err := torn.InDoubt(t.Context(), "till"); err != nil || !slices.Contains(ids, b.Transaction) {
		t.Errorf("in doubt: %v, %v", ids, err)
	}
	ok(t, torn.Mend(t.Context(), b))
}

func TestOpen_Refuses(t *testing.T) {
	s := openShop(t)
	open := func(name string, client redis.UniversalClient, steps redisbranch.TCC, o *redisbranch.Options) error {
		_, err := redisbranch.OpenTCC(t.Context(), name, client, steps, o)
		return err
	}
	var script *redisbranch.ScriptError
	if err := open("shop", s.client, redisbranch.TCC{Cancel: "if then"}, nil); !errors.As(err, &script) || script.Step != "Cancel" {
		t.Errorf("a step that is not Lua: %v", err)
	}
	deaf := newClient(t, s.server.Addr(), func(o *redis.Options) { o.ContextTimeoutEnabled = false })
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	for name, client := range map[string]redis.UniversalClient{"deaf": deaf, "none": nil, "ring": ring} {
		var bad *redisbranch.ClientError
		if err := open("shop", client, tcc, nil); !errors.As(err, &bad) {
			t.Errorf("client %s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"no name":           open("", s.client, tcc, nil),
		"long name":         open(strings.Repeat("x", 129), s.client, tcc, nil),
		"braces":            open("shop", s.client, tcc, &redisbranch.Options{Tag: "a}b"}),
		"negative remember": open("shop", s.client, tcc, &redisbranch.Options{Remember: -1}),
		"short remember":    open("shop", s.client, tcc, &redisbranch.Options{Remember: time.Microsecond}),
	} {
		var option *redisbranch.OptionError
		if !errors.As(err, &option) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ok(t, s.server.Kill())
	if err := open("shop", s.client, tcc, nil); err == nil || errors.As(err, new(*redisbranch.SettingError)) {
		t.Errorf("a server that is down: %v", err)
	}
}

func TestBadPayloads(t *testing.T) {
	s := openShop(t)
	two, one := s.twoPhase(nil), s.onePhase(nil)
	for _, bad := range []string{"{", `{"key": []}`, `{"keys": [1]}`, `{} {}`, `{"args": [` + strings.Repeat(`"",`, 1000) + `""]}`} {
		b := newBranch()
		b.Payload = []byte(bad)
		for _, call := range []func(context.Context) error{
			func(ctx context.Context) error { return two.Prepare(ctx, b) },
			func(ctx context.Context) error { return one.Commit(ctx, b) },
		} {
			var payload *redisbranch.PayloadError
			if err := call(t.Context()); !errors.As(err, &payload) {
				t.Errorf("payload %.20q: %v", bad, err)
			}
		}
		ok(t, two.Rollback(t.Context(), b))
	}
	for _, c := range []redisbranch.Call{{Args: []string{"\xff"}}, {Keys: []string{"\xff"}}, {Keys: make([]string, redisbranch.MaxWords+1)}} {
		if _, err := c.Encode(); !errors.As(err, new(*redisbranch.PayloadError)) {
			t.Errorf("Encode answered %v", err)
		}
	}
	b := newBranch()
	b.Transaction = uuid.New()
	if err := two.Prepare(t.Context(), b); !errors.As(err, new(*redisbranch.IDError)) {
		t.Errorf("an id without time: %v", err)
	}
}

// Names that hold what separates the parts of a key are kept apart.
func TestHostileNames(t *testing.T) {
	s := openShop(t)
	const name = "a:b {c}"
	p, err := redisbranch.OpenTCC(t.Context(), name, s.client, tcc, nil)
	ok(t, err)
	one, other := newBranch(), newBranch()
	one.Coordinator, other.Coordinator = "x:y", "x"
	ok(t, p.Prepare(t.Context(), one))
	ok(t, p.Prepare(t.Context(), other))
	for _, b := range []string{"x:y", "x"} {
		ids, err := p.InDoubt(t.Context(), b)
		ok(t, err)
		if len(ids) != 1 {
			t.Errorf("%d branches of %q", len(ids), b)
		}
	}
	keys, err := s.client.Keys(t.Context(), "dtc:*").Result()
	ok(t, err)
	for _, key := range keys {
		if !strings.HasPrefix(key, "dtc:{a%3Ab+%7Bc%7D}:") {
			t.Errorf("key %q is not in the participant's slot", key)
		}
	}
}

// A cluster runs a script in one slot: the participant's.
func TestCluster(t *testing.T) {
	t.Parallel() // the server takes two seconds to know that it is a cluster
	server := serverstest.Redis(t, "cluster-enabled yes")
	node := newClient(t, server.Addr(), nil)
	ok(t, node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr()}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { ok(t, client.Close()) })
	eventually(t, func(ctx context.Context) error { return client.Set(ctx, "{shop}:left", stockAtFirst, 0).Err() })
	p, err := redisbranch.OpenTCC(t.Context(), "shop", client, tcc, nil)
	ok(t, err)
	b := newBranch()
	ok(t, p.Prepare(t.Context(), b))
	for _, key := range []string{"left", "{left}:{shop}", "{}{shop}", "{shop"} {
		elsewhere := newBranch()
		elsewhere.Payload = call("{shop}:left", "{shop}:reserved", key, nil)
		if err := p.Prepare(t.Context(), elsewhere); !errors.As(err, new(*redisbranch.PayloadError)) {
			t.Errorf("a key of another slot, %s: %v", key, err)
		}
		ok(t, p.Rollback(t.Context(), elsewhere))
	}
	ids, err := p.InDoubt(t.Context(), "till")
	ok(t, err)
	if len(ids) != 1 || ids[0] != b.Transaction {
		t.Errorf("in doubt: %v", ids)
	}
	b.Payload = nil
	ok(t, p.Commit(t.Context(), b))
	(&shop{t: t, server: server, client: node}).counts(stockAtFirst-1, 0, 1)
	ok(t, client.ConfigSet(t.Context(), "appendfsync", "no").Err())
	if _, err := redisbranch.OpenTCC(t.Context(), "shop", client, tcc, nil); !errors.As(err, new(*redisbranch.SettingError)) {
		t.Errorf("Open answered %v", err)
	}
}
