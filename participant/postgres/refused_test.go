package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/seed-d36415c0/dtc/participant/postgres"
)

func TestPoolIsExhausted(t *testing.T) {
	w := newWorld(t, &postgres.Options{Work: effect}, size(2))
	one, two, three := newBranch(), newBranch(), newBranch()
	w.begin(one)
	w.begin(two)
	_, begin := w.p.Begin(shortly(t, 20*time.Millisecond), three.Transaction)
	work := w.p.Prepare(shortly(t, 20*time.Millisecond), three)
	for _, err := range []error{begin, work} {
		var full *postgres.PoolError
		if !errors.As(err, &full) || full.Max != 2 || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	// The others can end all the same.
	w.must(w.p.Rollback(w.ctx, three))
	w.must(w.p.Prepare(w.ctx, one))
	w.begin(newBranch())
	w.must(w.p.Commit(w.ctx, one))
	w.must(w.p.Rollback(w.ctx, two))
	w.has(one, 1)
}

func TestRefusedNames(t *testing.T) {
	w := newWorld(t, nil)
	long := strings.Repeat("x", 129)
	for option, try := range map[string]func() (*postgres.Participant, error){
		"pool":   func() (*postgres.Participant, error) { return postgres.New("p", nil, nil) },
		"name":   func() (*postgres.Participant, error) { return postgres.New("", w.pool, nil) },
		"name ":  func() (*postgres.Participant, error) { return postgres.New(long, w.pool, nil) },
		"name  ": func() (*postgres.Participant, error) { return postgres.New("a\x00b", w.pool, nil) },
		"Options.Schema": func() (*postgres.Participant, error) {
			return postgres.New("p", w.pool, &postgres.Options{Schema: long[:64]})
		},
		"Options.Coordinator": func() (*postgres.Participant, error) {
			return postgres.New("p", w.pool, &postgres.Options{Coordinator: long})
		},
		"Options.BranchTimeout": func() (*postgres.Participant, error) {
			return postgres.New("p", w.pool, &postgres.Options{BranchTimeout: -1})
		},
		"Options.Connections": func() (*postgres.Participant, error) {
			return postgres.New("p", w.pool, &postgres.Options{Connections: -1})
		},
		"Options.TxOptions.CommitQuery": func() (*postgres.Participant, error) {
			return postgres.New("p", w.pool, &postgres.Options{TxOptions: pgx.TxOptions{CommitQuery: "x"}})
		},
	} {
		var refused *postgres.OptionError
		if _, err := try(); !errors.As(err, &refused) || refused.Option != strings.TrimSpace(option) {
			t.Errorf("%s: %v", option, err)
		}
	}
	for _, o := range []*postgres.Options{{Coordinator: long[:60]}, nil} {
		var tooLong *postgres.GidError
		name := strings.Repeat("é", 64) // six bytes each, escaped
		if _, err := postgres.New(name, w.pool, o); !errors.As(err, &tooLong) || tooLong.Limit != 199 {
			t.Errorf("a name of 384 bytes, escaped: %v", err)
		}
	}
}

// TestLongestGid prepares with names that are just short enough, and with strange
// ones.
func TestLongestGid(t *testing.T) {
	w := newWorld(t, nil)
	for _, names := range [][2]string{
		{strings.Repeat("p", 100), strings.Repeat("c", 57)},
		{`a'b\c/d" é%`, `/'';--`}, {"p", ""}, {"a/b", "c"}, {"a", "b/c"},
	} {
		p := w.participant(names[0], &postgres.Options{Work: effect})
		b := newBranch()
		b.Coordinator = names[1]
		w.must(p.Prepare(w.ctx, b))
		if ids, err := p.InDoubt(w.ctx, names[1]); len(ids) != 1 || err != nil {
			t.Error(names, ids, err)
		}
		w.must(p.Commit(w.ctx, b))
		w.has(b, 1)
		b.Transaction, b.Coordinator = uuid.Must(uuid.NewV7()), strings.Repeat("c", 200-42-len(names[0]))
		if err := p.Prepare(w.ctx, b); !errors.As(err, new(*postgres.GidError)) {
			t.Error(err)
		}
	}
	w.clean()
}

func TestRefusedCalls(t *testing.T) {
	w := newWorld(t, &postgres.Options{Work: effect})
	b := newBranch()
	b.Transaction = uuid.New() // version 4: it carries no time
	_, begin := w.p.Begin(w.ctx, b.Transaction)
	_, query := w.p.BeginTx(w.ctx, newBranch().Transaction, pgx.TxOptions{CommitQuery: "x"})
	_, purge := w.p.Purge(w.ctx, time.Now().Add(time.Hour))
	for _, err := range []error{begin, query, purge, w.p.Prepare(w.ctx, b), w.p.CommitOnePhase(w.ctx, b)} {
		if !errors.As(err, new(*postgres.OptionError)) {
			t.Error(err)
		}
	}
	ended, cancel := context.WithCancel(w.ctx)
	cancel()
	_, begin = w.p.Begin(ended, newBranch().Transaction)
	_, committed := w.p.Committed(ended, newBranch())
	_, inDoubt := w.p.InDoubt(ended, "shop")
	for _, err := range []error{begin, committed, inDoubt, w.p.Prepare(ended, newBranch()), w.p.Rollback(ended, newBranch())} {
		w.is(err, context.Canceled)
	}
	w.clean()
}
