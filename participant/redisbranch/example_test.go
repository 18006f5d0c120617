package redisbranch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdslog "log/slog"
	"path/filepath"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/redisbranch"
)

// office sells seats for points.
type office struct {
	seats  *redisbranch.TwoPhase
	points *redisbranch.OnePhase
}

func openOffice(ctx context.Context, client *redis.Client) (o office, err error) {
	o.seats, err = redisbranch.OpenTCC(ctx, "seats", client, redisbranch.TCC{
		Try: `if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply('taken') end
			redis.call('SET', KEYS[1], ARGV[1])`,
		Cancel: `redis.call('DEL', KEYS[1])`,
	}, nil)
	if err != nil {
		return o, err
	}
	o.points, err = redisbranch.OpenSaga(ctx, "points", client, redisbranch.Saga{
		Do: `if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then return redis.error_reply('not enough points') end
			redis.call('DECRBY', KEYS[1], ARGV[1])`,
		Undo: `redis.call('INCRBY', KEYS[1], ARGV[1])`,
	}, nil)
	return o, err
}

func (o office) participants() []participant.Participant {
	return []participant.Participant{o.seats, o.points}
}

// book has a customer pay with points and get a seat, or neither.
func (o office) book(ctx context.Context, coordinator *dtc.Coordinator, price string) error {
	seat, err := redisbranch.Call{Keys: []string{"{seats}:17a"}, Args: []string{"alice"}}.Encode()
	if err != nil {
		return err
	}
	payment, err := redisbranch.Call{Keys: []string{"{points}:alice"}, Args: []string{price}}.Encode()
	if err != nil {
		return err
	}
	return coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
		if err := tx.Enlist(ctx, o.seats, seat); err != nil {
			return err
		}
		return tx.Enlist(ctx, o.points, payment)
	})
}

func Example() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	office, err := openOffice(context.Background(), client)
	if err != nil {
		fmt.Println(err)
		return
	}
	coordinator, err := dtc.Open(quietSystem(), dtc.Config{Name: "till", Participants: office.participants()}) // with a Journal on disk
	if err != nil {
		fmt.Println(err)
		return
	}
	defer coordinator.Close()
	fmt.Println(office.book(context.Background(), coordinator, "50"))
}

func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.DiscardHandler)
	}))
}

// What the example does, and that it does neither where the points are too few.
func TestExample(t *testing.T) {
	s := openShop(t)
	office, err := openOffice(t.Context(), s.client)
	ok(t, err)
	coordinator, err := dtc.Open(quietSystem(), quiet(dtc.Config{Name: "till", Participants: office.participants()}))
	ok(t, err)
	defer coordinator.Close()
	ok(t, s.client.Set(t.Context(), "{points}:alice", 70, 0).Err())
	var refused *redisbranch.RefusedError
	if err := office.book(t.Context(), coordinator, "100"); !errors.Is(err, dtc.ErrRolledBack) || !errors.As(err, &refused) {
		t.Errorf("a seat for too many points: %v", err)
	}
	if n, err := s.client.Exists(t.Context(), "{seats}:17a").Result(); n != 0 || err != nil {
		t.Errorf("the seat is taken: %v", err)
	}
	ok(t, office.book(t.Context(), coordinator, "50"))
	if left, err := number(s.client, "{points}:alice"); left != 20 || err != nil {
		t.Errorf("%d points are left, %v", left, err)
	}
	if err := office.book(t.Context(), coordinator, "1"); !errors.As(err, &refused) || refused.Reason != "taken" {
		t.Errorf("a seat twice: %v", err)
	}
}

func quiet(c dtc.Config) dtc.Config {
	c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	return c
}

// A coordinator that comes back finds prepared branches of which its journal knows
// nothing, and has no payload for them.
func TestRecovery(t *testing.T) {
	s := openShop(t)
	p := s.twoPhase(nil)
	journal, err := pebble.Open(filepath.Join(t.TempDir(), "journal"), nil)
	ok(t, err)
	lost, other := newBranch(), newBranch()
	other.Coordinator = "another till"
	for _, b := range []participant.Branch{lost, other} {
		ok(t, p.Prepare(t.Context(), b))
	}
	s.counts(stockAtFirst-2, 2, 0)
	coordinator, err := dtc.Open(quietSystem(), quiet(dtc.Config{
		Name: "till", Journal: journal, Participants: []participant.Participant{p},
	}))
	ok(t, err)
	defer coordinator.Close()
	eventually(t, func(ctx context.Context) error {
		ids, err := p.InDoubt(ctx, "till")
		if err == nil && len(ids) > 0 {
			err = fmt.Errorf("in doubt: %v", ids)
		}
		return err
	})
	s.counts(stockAtFirst-1, 1, 0)
	id := uuid.Must(uuid.NewV7())
	ok(t, coordinator.Execute(t.Context(), &dtc.TxOptions{ID: id}, dtc.Enlistment{Participant: p, Payload: payload()}))
	s.counts(stockAtFirst-2, 1, 1)
}
