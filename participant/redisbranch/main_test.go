package redisbranch_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/seed-d36415c0/dtc/internal/servers"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/redisbranch"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{})
	goleak.VerifyTestMain(m)
}

// silence keeps the client's complaints about killed servers out of the output.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// The steps of the tests. KEYS: what is left, what is reserved, what was taken.
// Each branch moves one piece; "dear" is refused.
var (
	tcc = redisbranch.TCC{
		Try: `if ARGV[1] == 'dear' then return redis.error_reply('too dear') end
			if tonumber(redis.call('GET', KEYS[1]) or '0') < 1 then return redis.error_reply('sold out') end
			redis.call('DECR', KEYS[1])
			redis.call('INCR', KEYS[2])`,
		Confirm: `redis.call('DECR', KEYS[2])
			redis.call('INCR', KEYS[3])`,
		Cancel: `redis.call('DECR', KEYS[2])
			redis.call('INCR', KEYS[1])`,
	}
	action = redisbranch.Saga{
		Do: `if ARGV[1] == 'dear' then return redis.error_reply('too dear') end
			redis.call('DECR', KEYS[1])
			return redis.call('INCR', KEYS[3])`,
		Undo: `redis.call('DECR', KEYS[3])
			redis.call('INCR', KEYS[1])`,
	}
)

const stockAtFirst = 10_000

// shop is a client of a Redis server and the participants that it serves.
type shop struct {
	t      testing.TB
	server *servers.Server
	client *redis.Client
}

func openShop(t testing.TB, settings ...string) *shop {
	t.Helper()
	s := &shop{t: t, server: serverstest.Redis(t, settings...)}
	s.client = newClient(t, s.server.Addr(), nil)
	ok(t, s.client.Set(t.Context(), "{shop}:left", stockAtFirst, 0).Err())
	return s
}

func newClient(t testing.TB, addr string, change func(*redis.Options)) *redis.Client {
	o := &redis.Options{Addr: addr, ContextTimeoutEnabled: true, DialerRetries: 1}
	if change != nil {
		change(o)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() }) // some tests close it
	return c
}

func (s *shop) twoPhase(o *redisbranch.Options) *redisbranch.TwoPhase {
	s.t.Helper()
	p, err := redisbranch.OpenTCC(s.t.Context(), "shop", s.client, tcc, o)
	ok(s.t, err)
	return p
}

func (s *shop) onePhase(o *redisbranch.Options) *redisbranch.OnePhase {
	s.t.Helper()
	p, err := redisbranch.OpenSaga(s.t.Context(), "shop", s.client, action, o)
	ok(s.t, err)
	return p
}

// counts expects so many pieces to be left, reserved and taken.
func (s *shop) counts(left, reserved, taken int) {
	s.t.Helper()
	for key, want := range map[string]int{"left": left, "reserved": reserved, "taken": taken} {
		got, err := number(s.client, "{shop}:"+key)
		ok(s.t, err)
		if got != want {
			s.t.Errorf("%s is %d, not %d", key, got, want)
		}
	}
}

func number(c redis.Cmdable, key string) (int, error) {
	text, err := c.Get(context.Background(), key).Result()
	if err == redis.Nil {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

func payload(args ...string) []byte {
	return call("{shop}:left", "{shop}:reserved", "{shop}:taken", args)
}

func call(left, reserved, taken string, args []string) []byte {
	data, err := redisbranch.Call{Keys: []string{left, reserved, taken}, Args: args}.Encode()
	if err != nil {
		panic(err)
	}
	return data
}

func newBranch() participant.Branch { return branchOf(time.Now()) }

// branchOf makes a branch of a transaction that began at the time.
func branchOf(at time.Time) participant.Branch {
	id := uuid.Must(uuid.NewV7())
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return participant.Branch{Coordinator: "till", Transaction: id, Participant: "shop", Payload: payload()}
}

// eventually makes the call until it succeeds.
func eventually(t testing.TB, act func(context.Context) error) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := act(ctx)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("still failing: %v", err)
		}
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var serial atomic.Int64

func unused(what string) string { return fmt.Sprintf("{shop}:%s:%d", what, serial.Add(1)) }
