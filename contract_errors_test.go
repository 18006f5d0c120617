package dtc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
)

// Each error with data is its sentinel and no other, is found through wrapping,
// and names what it is about.
func TestContractErrors(t *testing.T) {
	id, cause := uuid.Must(uuid.NewV7()), errors.New("cause")
	sentinels := []error{
		dtc.ErrRolledBack, dtc.ErrOutcomeUnknown, dtc.ErrCommitted, dtc.ErrTransactionNotFound, dtc.ErrNotActive,
		dtc.ErrAlreadyEnlisted, dtc.ErrParticipantFailedToCommit, dtc.ErrParticipantFailedToRollback, dtc.ErrTimeout,
		dtc.ErrTooManyTransactions, dtc.ErrTooManyParticipants, dtc.ErrPayloadTooLarge, dtc.ErrInvalidName,
		dtc.ErrInvalidID, dtc.ErrJournalFailed, dtc.ErrClosed, dtc.ErrUnsettled,
	}
	for _, c := range []struct {
		err      error
		sentinel error
		wraps    bool
		says     []string
	}{
		{&dtc.RolledBackError{ID: id, Causes: []error{cause}}, dtc.ErrRolledBack, true, []string{id.String(), "cause"}},
		{&dtc.RolledBackError{ID: id}, dtc.ErrRolledBack, false, []string{id.String()}},
		{&dtc.OutcomeUnknownError{ID: id, Err: cause}, dtc.ErrOutcomeUnknown, true, []string{id.String(), "cause"}},
		{&dtc.OutcomeUnknownError{ID: id}, dtc.ErrOutcomeUnknown, false, []string{id.String()}},
		{&dtc.TransactionNotFoundError{ID: id}, dtc.ErrTransactionNotFound, false, []string{id.String()}},
		{&dtc.NotActiveError{ID: id, Participant: "p", Outcome: dtc.Committed, Err: cause}, dtc.ErrNotActive, true, []string{id.String(), `"p"`, "committed", "cause"}},
		{&dtc.NotActiveError{ID: id}, dtc.ErrNotActive, false, []string{id.String()}},
		{&dtc.AlreadyEnlistedError{ID: id, Participant: "p"}, dtc.ErrAlreadyEnlisted, false, []string{id.String(), `"p"`}},
		{&dtc.ParticipantFailedToCommitError{ID: id, Participant: "p", Err: cause}, dtc.ErrParticipantFailedToCommit, true, []string{`"p"`, "cause"}},
		{&dtc.ParticipantFailedToRollbackError{ID: id, Participant: "p", Err: cause}, dtc.ErrParticipantFailedToRollback, true, []string{`"p"`, "cause"}},
		{&dtc.TimeoutError{ID: id, Phase: "prepare", After: 5 * time.Second}, dtc.ErrTimeout, false, []string{"prepare", "5s"}},
		{&dtc.TooManyTransactionsError{Limit: 100}, dtc.ErrTooManyTransactions, false, []string{"100"}},
		{&dtc.TooManyParticipantsError{ID: id, Limit: 10}, dtc.ErrTooManyParticipants, false, []string{id.String(), "10"}},
		{&dtc.TooManyParticipantsError{Limit: 10000}, dtc.ErrTooManyParticipants, false, []string{"registered", "10000"}},
		{&dtc.PayloadTooLargeError{Participant: "p", Size: 7, Limit: 5}, dtc.ErrPayloadTooLarge, false, []string{`"p"`, "7", "5"}},
		{&dtc.InvalidNameError{Name: "a\nb", Reason: "why", Err: cause}, dtc.ErrInvalidName, true, []string{`"a\nb"`, "why"}},
		{&dtc.InvalidIDError{ID: id, Reason: "why"}, dtc.ErrInvalidID, false, []string{id.String(), "why"}},
	} {
		wrapped := fmt.Errorf("order 7: %w", errors.Join(errors.New("other"), c.err))
		for _, s := range sentinels {
			if errors.Is(wrapped, s) != (s == c.sentinel) {
				t.Errorf("%T: errors.Is(%v) is %v", c.err, s, errors.Is(wrapped, s))
			}
		}
		if errors.Is(wrapped, cause) != c.wraps {
			t.Errorf("%T wraps its cause: %v", c.err, !c.wraps)
		}
		for _, part := range c.says {
			if !strings.Contains(c.err.Error(), part) {
				t.Errorf("%T says %q, and not %q", c.err, c.err, part)
			}
		}
		if !strings.HasPrefix(c.err.Error(), "dtc: ") || strings.Count(c.err.Error(), "dtc: ") != 1 {
			t.Errorf("%T says %q: want one prefix", c.err, c.err)
		}
	}
	for i, a := range sentinels {
		for _, b := range sentinels[i+1:] {
			if errors.Is(a, b) || errors.Is(b, a) {
				t.Errorf("%v is %v", a, b)
			}
		}
	}
}

// All that is wrong with a configuration is named at once.
func TestContractErrors_Config(t *testing.T) {
	bad := dtc.Config{
		Name: strings.Repeat("n", 65), MaxTransactions: -1, MaxParticipants: -1, MaxPayload: -1, MaxCalls: -1, MaxHistory: -1,
		RecoverySlots: -1, TransactionTimeout: -1, ParticipantTimeout: -1, Retention: -1, RecoveryInterval: -1,
		Retry:        dtc.Backoff{Initial: -1, Max: -2, Factor: 0.5, Jitter: 2},
		Participants: []participant.Participant{newTwo(t, ""), nil},
	}
	_, err := dtc.Open(quietSystem(), bad)
	is(t, err, dtc.ErrInvalidName)
	fields := map[string]bool{}
	for _, e := range all[*dtc.ConfigError](err) {
		fields[e.Field] = true
	}
	for _, want := range []string{
		"MaxTransactions", "MaxParticipants", "MaxPayload", "MaxCalls", "MaxHistory", "RecoverySlots", "TransactionTimeout",
		"ParticipantTimeout", "Retention", "RecoveryInterval", "Retry.Initial", "Retry.Max", "Retry.Factor", "Retry.Jitter",
	} {
		if !fields["Config."+want] {
			t.Errorf("does not name %s: %v", want, err)
		}
	}
	if n := len(all[*dtc.InvalidNameError](err)); n != 3 {
		t.Errorf("%d names are refused, want 3: %v", n, err)
	}
	as[*dtc.ConfigError](t, second(dtc.Open(nil, dtc.Config{})))
	if got := dtc.Outcome(77).String(); got == "" {
		t.Error("an unheard-of outcome has no words")
	}
	for o, want := range map[dtc.Outcome]string{dtc.Unknown: "unknown", dtc.Active: "active", dtc.Committed: "committed", dtc.RolledBack: "rolled back"} {
		if o.String() != want {
			t.Errorf("%d is %q, want %q", o, o, want)
		}
	}
}

// Every call with an id that nobody knows says so, with the id.
func TestContractErrors_NotFound(t *testing.T) {
	r := start(t, dtc.Config{})
	p := newTwo(t, "p")
	for _, id := range []uuid.UUID{uuid.Must(uuid.NewV7()), uuid.New(), uuid.Nil, uuid.Max} {
		for how, err := range map[string]error{
			"Enlist": r.Enlist(background, id, p, nil), "Commit": r.Commit(background, id), "Rollback": r.Rollback(background, id),
			"Outcome": second(r.Outcome(background, id)), "Inspect": second(r.Inspect(background, id)), "Retry": r.Retry(background, id),
		} {
			if e := as[*dtc.TransactionNotFoundError](t, err); e.ID != id || !errors.Is(err, dtc.ErrTransactionNotFound) {
				t.Errorf("%s of %s: %v", how, id, err)
			}
		}
	}
	p.expect("")
	r.live(0)
}
