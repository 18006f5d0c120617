package dtc_test

import (
	"bytes"
	stdslog "log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
)

// count fails the test unless so many lines hold all of these.
func (l *lines) count(t *testing.T, want int, parts ...string) {
	t.Helper()
	if got := l.with(parts...); len(got) != want {
		t.Errorf("%d lines with %q, want %d:\n%s", len(got), parts, want, l)
	}
}

// One line for each step, with what is needed to follow one transaction.
func TestContractLogs_Commit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a, b := newTwo(t, "a"), newOne(t, "b")
		a.every(prepare, late(time.Second))
		id, err := r.Begin(background, &dtc.TxOptions{Label: "order 7"})
		ok(t, err)
		r.enlist(id, a, b)
		ok(t, r.Commit(background, id))
		synctest.Wait()
		mine := []string{"transaction=" + id.String(), `label="order 7"`}
		for message, want := range map[string]int{
			"transaction began": 1, "participant enlisted": 2, "commit asked": 1, "record forced": 2,
			"participant called": 3, "participant answered": 3, "transaction decided": 1, "transaction ended": 1,
		} {
			r.log.count(t, want, append(mine, "level=DEBUG", `msg="`+message+`"`)...)
		}
		r.log.count(t, 1, append(mine, `msg="transaction decided"`, "outcome=committed", "duration=1s")...)
		r.log.count(t, 1, append(mine, `msg="participant answered"`, "participant=a", "op=prepare", "duration=1s")...)
		r.log.count(t, 0, "level=INFO")
		r.log.count(t, 0, "level=WARN")
		r.log.count(t, 0, "level=ERROR")
		r.log.count(t, 14, mine...)
	})
}

// A rollback is told at info, with its reason.
func TestContractLogs_Rollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a := newTwo(t, "a")
		a.next(prepare, refuse)
		is(t, r.execute(a), dtc.ErrRolledBack)
		r.log.count(t, 1, "level=INFO", `msg="transaction decided"`, `outcome="rolled back"`, "participant=a", "op=prepare", errRefused.Error())
		ok(t, r.Rollback(background, r.begin(a)))
		r.log.count(t, 2, "level=INFO", `msg="transaction decided"`, `outcome="rolled back"`)
		r.begin(a)
		pass(31 * time.Second)
		r.log.count(t, 1, "level=INFO", `msg="transaction decided"`, "30s")
		r.log.count(t, 0, "level=ERROR")
	})
}

// Warnings of one participant come once a second, and say what was left out.
func TestContractLogs_WarningsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxTransactions: 51})
		a := newTwo(t, "a")
		a.every(commit, refuse)
		for range 50 {
			go func() { ok(t, r.execute(a)) }()
		}
		pass(4 * time.Second)
		told := r.log.with("level=WARN", `msg="participant will be told again"`, "participant=a")
		if len(told) == 0 || len(told) > 5 {
			t.Errorf("%d warnings in four seconds:\n%s", len(told), strings.Join(told, ""))
		}
		if len(r.events.of(dtc.EventRetry)) < 200 {
			t.Errorf("%d events: they are not limited", len(r.events.of(dtc.EventRetry)))
		}
		if last := told[len(told)-1]; !strings.Contains(last, "left out") {
			t.Errorf("does not say what was left out: %s", last)
		}
		b := newTwo(t, "b")
		b.next(commit, refuse)
		ok(t, r.execute(b))
		r.log.count(t, 1, "level=WARN", `msg="participant will be told again"`, "participant=b")
		a.every(commit, nil)
		pass(time.Minute)
	})
}

// What needs a person is told at error; nothing else is.
func TestContractLogs_Errors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: j})
		a := newTwo(t, "a")
		a.next(rollback, refuse, panics("boom"))
		ok(t, r.Rollback(background, r.begin(a)))
		a.next(prepare, panics("boom"))
		is(t, r.execute(a), dtc.ErrRolledBack)
		r.log.count(t, 0, "level=ERROR")
		j.on(puts(journal.Commit, burns), nil)
		is(t, r.execute(a), dtc.ErrOutcomeUnknown)
		r.log.count(t, 1, "level=ERROR", `msg="journal failed"`, errDisk.Error())
		r.log.count(t, 1, "level=ERROR", `msg="outcome unknown"`)
	})
}

// Recovery is told, too.
func TestContractLogs_Recovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r := start(t, dtc.Config{Journal: d.journal()})
		a := newTwo(t, "a")
		a.every(commit, refuse)
		id := r.begin(a)
		ok(t, r.Commit(background, id))
		synctest.Wait()
		r.log.count(t, 1, "level=WARN", `msg="transaction parked"`, id.String(), "participant=a")
		ok(t, r.Close())
		after := reopen(t, d, newTwo(t, "a"))
		synctest.Wait()
		after.log.count(t, 1, `msg="transaction resumed"`, id.String())
		after.log.count(t, 1, `msg="transaction ended"`, id.String(), "outcome=committed")
		after.log.count(t, 0, `msg="transaction decided"`)
	})
}

// At a level that is off nothing is logged, and a logger of log/slog serves.
func TestContractLogs_SlogHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text lines
		std := stdslog.NewTextHandler(&text, &stdslog.HandlerOptions{Level: stdslog.LevelInfo})
		r := start(t, dtc.Config{Logger: slog.New(dtc.SlogHandler(std)).With("app", "shop")})
		a := newTwo(t, "a")
		ok(t, r.execute(a))
		if text.String() != "" {
			t.Errorf("logged: %s", text.String())
		}
		ok(t, r.Rollback(background, r.begin(a)))
		text.count(t, 1, "level=INFO", `msg="transaction decided"`, `outcome="rolled back"`, "app=shop")
	})

	var text bytes.Buffer
	std := stdslog.NewTextHandler(&text, nil)
	l := slog.New(dtc.SlogHandler(std)).WithGroup("g").With("n", 1)
	l.Warn("hello", "s", "x y", "d", time.Second, "f", 1.5, "b", true, "u", uint64(7),
		slog.Group("h", slog.String("k", "v")), "v", valuer{}, "e", errRefused)
	for _, want := range []string{
		"level=WARN", "msg=hello", "g.n=1", `g.s="x y"`, "g.d=1s", "g.f=1.5", "g.b=true", "g.u=7", "g.h.k=v", "g.v=resolved",
		`g.e="` + errRefused.Error() + `"`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q lacks %s", text.String(), want)
		}
	}
}

type valuer struct{}

func (valuer) LogValue() slog.Value { return slog.StringValue("resolved") }
