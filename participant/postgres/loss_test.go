package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/internal/servers"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// phases are what can be done to a branch before the server, or the way to it, is
// lost, and what it must come to when that is back.
var phases = []struct {
	name string
	make func(w *world, b participant.Branch)
	then func(w *world, b participant.Branch)
}{
	{"open", func(w *world, b participant.Branch) { w.begin(b) }, func(w *world, b participant.Branch) {
		if err := w.p.Prepare(w.ctx, b); err == nil {
			w.t.Error("an open branch has outlived its connection")
		}
		w.must(w.p.Rollback(w.ctx, b))
		w.has(b, 0)
	}},
	{"open, one-phase", func(w *world, b participant.Branch) { w.begin(b) }, func(w *world, b participant.Branch) {
		if err := w.p.CommitOnePhase(w.ctx, b); err == nil {
			w.t.Error("an open branch has outlived its connection")
		}
		if is, err := w.p.Committed(w.ctx, b); is || err != nil {
			w.t.Error(is, err)
		}
		w.has(b, 0)
	}},
	{"prepared, commit", (*world).prepare, func(w *world, b participant.Branch) {
		ids, err := w.p.InDoubt(w.ctx, "shop")
		if err != nil || len(ids) != 1 || ids[0] != b.Transaction {
			w.t.Error(ids, err)
		}
		w.must(w.p.Prepare(w.ctx, b))
		w.must(w.p.Commit(w.ctx, b))
		w.has(b, 1)
	}},
	{"prepared, rollback", (*world).prepare, func(w *world, b participant.Branch) {
		w.must(w.p.Rollback(w.ctx, b))
		w.has(b, 0)
	}},
	{"committed", func(w *world, b participant.Branch) {
		w.prepare(b)
		w.must(w.p.Commit(w.ctx, b))
	}, func(w *world, b participant.Branch) {
		w.must(w.p.Commit(w.ctx, b))
		w.has(b, 1)
	}},
	{"committed, one-phase", func(w *world, b participant.Branch) {
		w.begin(b)
		w.must(w.p.CommitOnePhase(w.ctx, b))
	}, func(w *world, b participant.Branch) {
		if is, err := w.p.Committed(w.ctx, b); !is || err != nil {
			w.t.Error(is, err)
		}
		w.must(w.p.CommitOnePhase(w.ctx, b))
		w.has(b, 1)
	}},
	{"rolled back", func(w *world, b participant.Branch) {
		w.prepare(b)
		w.must(w.p.Rollback(w.ctx, b))
	}, func(w *world, b participant.Branch) {
		w.must(w.p.Rollback(w.ctx, b))
		w.is(w.p.Commit(w.ctx, b), participant.ErrRolledBack)
		w.is(w.p.Prepare(w.ctx, b), participant.ErrRolledBack)
		w.has(b, 0)
	}},
}

// TestServer kills the server in every phase, and starts it again; and pauses it.
func TestServer(t *testing.T) {
	s := serverstest.Postgres(t)
	w := worldAt(t, s.DSN("postgres"), "orders", nil)
	t.Run("killed", func(t *testing.T) { killed(t, s, w) })
	t.Run("paused", func(t *testing.T) {
		w.t, w.ctx = t, newContext(t)
		paused(w, s)
	})
}

func killed(t *testing.T, s *servers.Server, w *world) {
	for _, phase := range phases {
		t.Run(phase.name, func(t *testing.T) {
			w.t, w.ctx = t, newContext(t)
			b := newBranch()
			phase.make(w, b)
			w.must(s.Kill())
			down(w, newBranch())
			w.must(s.Start())
			w.alive()
			phase.then(w, b)
			w.clean()
		})
	}
}

// alive begins a branch at once, on whatever connections are in the pool.
func (w *world) alive() {
	w.t.Helper()
	b := newBranch()
	w.begin(b)
	w.must(w.p.Rollback(w.ctx, b))
	w.pool.Reset() // for the test's own looks
}

// down makes every call while the server is away: none takes that for an answer.
func down(w *world, b participant.Branch) {
	w.t.Helper()
	_, begin := w.p.Begin(w.ctx, b.Transaction)
	_, committed := w.p.Committed(w.ctx, b)
	_, inDoubt := w.p.InDoubt(w.ctx, "shop")
	_, purge := w.p.Purge(w.ctx, time.Now())
	for call, err := range map[string]error{
		"Begin": begin, "Prepare": w.p.Prepare(w.ctx, b), "Commit": w.p.Commit(w.ctx, b), "Rollback": w.p.Rollback(w.ctx, b),
		"Committed": committed, "InDoubt": inDoubt, "Purge": purge, "Migrate": w.p.Migrate(w.ctx),
	} {
		if err == nil || errors.Is(err, participant.ErrRolledBack) || errors.Is(err, participant.ErrReadOnly) || errors.Is(err, participant.ErrCommitted) {
			w.t.Errorf("%s of a server that is away: %v", call, err)
		}
	}
}

// TestConnectionCut cuts all connections in every phase.
func TestConnectionCut(t *testing.T) {
	dsn := serverstest.PostgresDatabase(t)
	cable := behind(t, dsn)
	w := worldAt(t, dsn, "orders", nil, via(cable))
	for _, phase := range phases {
		t.Run(phase.name, func(t *testing.T) {
			w.t, w.ctx = t, newContext(t)
			b := newBranch()
			phase.make(w, b)
			cable.Cut()
			w.alive()
			phase.then(w, b)
			w.clean()
		})
	}
}

// paused stops the server in every phase: calls answer when their time is up, and
// again when it goes on.
func paused(w *world, s *servers.Server) {
	t := w.t
	prepared, open := newBranch(), newBranch()
	w.prepare(prepared)
	tx := w.begin(open)
	w.must(s.Pause())
	const moment = 50 * time.Millisecond
	_, exec := tx.Exec(shortly(t, moment), "SELECT 1")
	_, committed := w.p.Committed(shortly(t, moment), newBranch())
	_, inDoubt := w.p.InDoubt(shortly(t, moment), "shop")
	for call, err := range map[string]error{
		"Exec": exec, "Commit": w.p.Commit(shortly(t, moment), prepared), "Committed": committed, "InDoubt": inDoubt,
		"Rollback": w.p.Rollback(shortly(t, moment), newBranch()),
	} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", call, err)
		}
	}
	if err := w.p.Prepare(shortly(t, moment), open); !errors.As(err, new(*postgres.BranchError)) {
		t.Errorf("Prepare: %v", err)
	}
	w.must(s.Resume())
	w.must(w.p.Commit(w.ctx, prepared))
	w.must(w.p.Rollback(w.ctx, open))
	w.has(prepared, 1)
	w.has(open, 0)
	w.clean()
}

// TestCutAtRandom cuts the connections at any moment of a branch's life: whatever
// the calls answer, the branch ends as it was told to.
func TestCutAtRandom(t *testing.T) {
	w := newWorld(t, nil)
	cable := behind(t, w.dsn)
	near, far := w.p, w.far(cable, &postgres.Options{Work: effect})
	answers := make(map[string]int)
	for i := range 90 {
		b := newBranch()
		cut := cutSoon(cable)
		switch i % 3 {
		case 0: // Prepare, and what the answer calls for
			if err := far.Prepare(w.ctx, b); err == nil {
				again(w, func() error { return far.Commit(w.ctx, b) })
				w.has(b, 1)
				answers["committed"]++
			} else {
				again(w, func() error { return far.Rollback(w.ctx, b) })
				w.has(b, 0)
				answers["rolled back"]++
			}
		case 1: // one-phase, and the question
			committing := far.CommitOnePhase(w.ctx, b)
			is, err := near.Committed(w.ctx, b)
			w.must(err)
			if committing == nil && !is {
				t.Fatal("committed, and the answer is no")
			}
			w.has(b, map[bool]int{true: 1}[is])
			answers["one-phase"]++
		case 2: // Prepare, and Rollback from elsewhere
			_ = far.Prepare(w.ctx, b)
			w.must(near.Rollback(w.ctx, b))
			w.is(near.Commit(w.ctx, b), participant.ErrRolledBack)
			w.has(b, 0)
		}
		<-cut
	}
	t.Log(answers)
}

// cutSoon cuts the cable at some moment of the next few milliseconds.
func cutSoon(cable *serverstest.Proxy) (done chan struct{}) {
	done = make(chan struct{})
	time.AfterFunc(rand.N(10*time.Millisecond), func() {
		cable.Cut()
		close(done)
	})
	return done
}

// again makes a call of phase two until it succeeds.
func again(w *world, call func() error) {
	w.t.Helper()
	until(w.t, "phase two has succeeded", func() bool { return call() == nil })
}
