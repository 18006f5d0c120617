package dtc_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// says fails the test unless the text of err is exactly that.
func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// An error about a name says which name is wrong, where it stands and why, once.
func TestContractTexts_Names(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		ok(t, r.Register(newTwo(t, "a")))
		kind := `dtc: invalid name "a": a participant never changes its kind: "a" was registered as two-phase, not one-phase`
		says(t, r.Register(newTwo(t, "b"), newOne(t, "a"), newTwo(t, "c")), kind)
		says(t, r.Enlist(background, r.begin(), newOne(t, "a"), nil), kind)
		nameless := `dtc: Config.Name: invalid name "": it is required with a participant.Recoverer, as "r" is`
		says(t, r.Register(newRecoverer(t, "r")), nameless)
		says(t, r.Enlist(background, r.begin(), newRecoverer(t, "r"), nil), nameless)
		says(t, r.execute(newRecoverer(t, "r")), nameless)
		says(t, r.Register(newTwo(t, "x\ny")), `dtc: invalid name "x\ny": it has a control character`)
		says(t, r.Register(nil), `dtc: invalid name "": the participant is nil`)

		says(t, second(r.Begin(background, &dtc.TxOptions{Label: "a\nb"})), `dtc: TxOptions.Label is "a\nb": it has a control character`)
		long := &dtc.TxOptions{Label: strings.Repeat("x", 129)}
		says(t, second(r.Begin(background, long)), `dtc: TxOptions.Label is "`+strings.Repeat("x", 40)+`": it has 129 bytes, the limit is 128`)
	})
}

func TestContractTexts_NamesAtOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, c := range map[string]dtc.Config{
			`dtc: Config.Name: invalid name "a\x00": it has a control character`: {Name: "a\x00"},
			`dtc: Config.Participants[1]: invalid name "": it is empty; Config.Participants[2]: invalid name "": the participant is nil`: {
				Participants: []participant.Participant{newTwo(t, "a"), newTwo(t, ""), nil}},
			`dtc: Config.Participants[1]: invalid name "a": a participant never changes its kind, and an earlier one of that name is of another`: {
				Participants: []participant.Participant{newTwo(t, "a"), newOne(t, "a"), newTwo(t, "b")}},
			`dtc: open: dtc: Config.Name: invalid name "": it is required with a participant.Recoverer`: {
				Participants: []participant.Participant{newRecoverer(t, "r")}},
		} {
			err := second(dtc.Open(quietSystem(), c))
			says(t, err, want)
			is(t, err, dtc.ErrInvalidName)
		}
		ok(t, start(t, dtc.Config{Participants: []participant.Participant{newTwo(t, "a"), newTwo(t, "a")}}).Close())

		d := newDisk(t)
		ok(t, start(t, dtc.Config{Name: "shop", Journal: d.journal()}).Close())
		j := d.journal()
		err := second(dtc.Open(quietSystem(), dtc.Config{Name: "bank", Journal: j}))
		if e := as[*dtc.InvalidNameError](t, err); e.Field != "Config.Name" || e.Name != "bank" {
			t.Errorf("%+v", e)
		}
		ok(t, j.Close())
	})
}

// A duration that stands for never is refused where no timer could keep it, and
// the error names the value and the limit. The longest that is taken does no
// harm.
func TestContractTexts_Durations(t *testing.T) {
	const most = 100 * 365 * 24 * time.Hour
	fields := func(d time.Duration) dtc.Config {
		return dtc.Config{
			TransactionTimeout: d, ParticipantTimeout: d, Retention: d, RecoveryInterval: d, Retry: dtc.Backoff{Initial: d, Max: d},
		}
	}
	err := second(dtc.Open(quietSystem(), fields(math.MaxInt64)))
	for _, e := range all[*dtc.ConfigError](err) {
		says(t, e, "dtc: "+e.Field+" is 2562047h47m16.854775807s: must be at most 876000h0m0s (100 years)")
	}
	if n := len(all[*dtc.ConfigError](err)); n != 6 {
		t.Errorf("%d durations are refused, want 6: %v", n, err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := start(t, fields(most))
		says(t, second(r.Begin(background, &dtc.TxOptions{Timeout: most + 1})),
			"dtc: TxOptions.Timeout is 876000h0m0.000000001s: must be at most 876000h0m0s (100 years)")
		says(t, second(r.Begin(background, &dtc.TxOptions{Timeout: -1})), "dtc: TxOptions.Timeout is -1ns: must be positive")
		ok(t, r.execute(newTwo(t, "a"), newOne(t, "b")))
		slow := newTwo(t, "slow")
		slow.next(rollback, late(time.Hour))
		began := time.Now()
		err := r.Run(background, nil, func(tx *dtc.Tx) error {
			ok(t, tx.Enlist(background, slow, nil))
			return errWork
		})
		is(t, err, dtc.ErrRolledBack, errWork)
		isNot(t, err, dtc.ErrOutcomeUnknown)
		if took := time.Since(began); took != time.Hour {
			t.Errorf("Run waited %v for a rollback of an hour", took)
		}
	})
}

// A text is one line, whatever is in it.
func TestContractTexts_OneLine(t *testing.T) {
	cause := errors.Join(errors.New("dtc: first"), errors.New("second\r\nthird\n"))
	id := uuid.Must(uuid.NewV7())
	for _, err := range []error{
		&dtc.RolledBackError{ID: id, Causes: []error{nil, cause}}, &dtc.OutcomeUnknownError{ID: id, Err: cause},
		&dtc.NotActiveError{ID: id, Err: cause}, &dtc.ParticipantFailedToCommitError{Participant: "p", Err: cause},
		&dtc.ParticipantFailedToRollbackError{Participant: "p", Err: cause},
	} {
		if !strings.HasSuffix(err.Error(), ": first; second; third") || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%T says %q", err, err)
		}
	}
	says(t, &dtc.ParticipantFailedToCommitError{Participant: "p"}, `dtc: participant "p" failed to commit`)

	err := second(dtc.Open(quietSystem(), dtc.Config{MaxTransactions: -1, MaxCalls: -2}))
	says(t, err, "dtc: Config.MaxTransactions is -1: must be at least 1; Config.MaxCalls is -2: must be at least 1")
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		a, b := newOne(t, "a"), newOne(t, "b")
		err := r.Run(background, nil, func(tx *dtc.Tx) error { ok(t, r.Commit(background, tx.ID())); return cause })
		says(t, err, "dtc: first; second; third; already committed")

		a.every(rollback, fails(cause))
		b.every(rollback, fails(cause))
		err = r.Rollback(background, r.begin(a, b))
		says(t, err, `dtc: participant "a" failed to roll back: first; second; third; participant "b" failed to roll back: first; second; third`)
		if n := len(all[*dtc.ParticipantFailedToRollbackError](err)); n != 2 {
			t.Errorf("%d failures, want 2: %v", n, err)
		}
		a.every(rollback, nil)
		b.every(rollback, nil)
		pass(time.Minute)
	})
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: f})
		f.on(puts(journal.Commit, burns), nil)
		err := r.execute(newTwo(t, "a"), newTwo(t, "b"))
		is(t, err, dtc.ErrOutcomeUnknown, dtc.ErrJournalFailed, errDisk)
		for _, err := range []error{err, second(r.Begin(background, nil)), r.execute(newTwo(t, "a"))} {
			is(t, err, dtc.ErrJournalFailed, errDisk)
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q", err)
			}
		}
	})
}

// After Close every method says so, whatever else is wrong with the call.
func TestContractTexts_Closed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{})
		var kept *dtc.Tx
		ok(t, r.Run(background, nil, func(tx *dtc.Tx) error { kept = tx; return nil }))
		ok(t, r.Close())
		bad, id := &dtc.TxOptions{Timeout: -1, Label: "\n", ID: uuid.Max}, uuid.Nil
		work := func(*dtc.Tx) error { t.Error("called"); return nil }
		for what, err := range map[string]error{
			"Register": r.Register(nil), "Register none": r.Register(), "Begin": second(r.Begin(background, bad)),
			"Run": r.Run(background, bad, work), "Execute": r.Execute(background, bad, dtc.Enlistment{}),
			"Enlist": r.Enlist(background, id, nil, nil), "Tx.Enlist": kept.Enlist(background, nil, nil),
			"Commit": r.Commit(background, id), "Rollback": r.Rollback(background, id),
			"Outcome": second(r.Outcome(background, id)), "Inspect": second(r.Inspect(background, id)),
			"Transactions": second(r.Transactions(background, dtc.Filter{})), "Participants": second(r.Participants(background)),
			"Retry": r.Retry(background, id), "Resolve": r.Resolve(background, id, dtc.Resolution{}), "Drain": r.Drain(background),
		} {
			if !errors.Is(err, dtc.ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", what, err)
			}
		}
		done, cancel := context.WithCancel(background)
		cancel()
		is(t, r.Commit(done, id), context.Canceled)
		ok(t, r.Close())
	})
}

// Execute goes on with a transaction that is active, and rolls it back where
// that cannot be.
func TestContractTexts_ExecuteActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dtc.Config{MaxParticipants: 2})
		for name, c := range map[string]struct {
			list []dtc.Enlistment
			want dtc.Outcome
			is   error
		}{
			"the same":        {[]dtc.Enlistment{{newTwo(t, "a"), []byte(secret)}}, dtc.Committed, nil},
			"one more":        {[]dtc.Enlistment{{newTwo(t, "b"), nil}}, dtc.Committed, nil},
			"another payload": {[]dtc.Enlistment{{newTwo(t, "a"), []byte("other")}}, dtc.RolledBack, dtc.ErrAlreadyEnlisted},
			"too many":        {[]dtc.Enlistment{{newTwo(t, "b"), nil}, {newTwo(t, "c"), nil}}, dtc.RolledBack, nil},
		} {
			id := r.begin(newTwo(t, "a"))
			err := r.Execute(background, &dtc.TxOptions{ID: id}, c.list...)
			if (err == nil) != (c.want == dtc.Committed) || err != nil && !errors.Is(err, dtc.ErrRolledBack) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%s: %v", name, err)
			}
			r.outcome(id, c.want)
		}
	})
}

// A request that was taken up when ctx ended may have been done: the answer
// says that nobody knows.
func TestContractTexts_TakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{Journal: newDisk(t).journal()}
		r := start(t, dtc.Config{Journal: f})
		id, err := r.Begin(background, &dtc.TxOptions{Durable: true, Label: "order 7"})
		ok(t, err)
		slow := func(journal.Batch) error { pass(time.Second); return nil }
		f.on(slow, nil)
		ctx, cancel := context.WithTimeout(background, time.Millisecond)
		defer cancel()
		a := newTwo(t, "a")
		err = r.Enlist(ctx, id, a, nil)
		is(t, err, dtc.ErrOutcomeUnknown, context.DeadlineExceeded)
		ok(t, r.Enlist(background, id, a, nil)) // tells that it is
		ok(t, r.Commit(background, id))
		pass(time.Minute)
		d, err := r.Inspect(background, id)
		ok(t, err)
		if d.Label != "" || d.Outcome != dtc.Committed {
			t.Errorf("of a finished transaction only the outcome is kept: %+v", d)
		}
	})
}
