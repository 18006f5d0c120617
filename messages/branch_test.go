package messages_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/seed-d36415c0/dtc/messages"
)

func TestID(t *testing.T) {
	for name, got := range map[string]func(transaction []byte) (uuid.UUID, error){
		"branch":  func(b []byte) (uuid.UUID, error) { return (&messages.Branch{Transaction: b}).ID() },
		"voted":   func(b []byte) (uuid.UUID, error) { return (&messages.Voted{Transaction: b}).ID() },
		"acked":   func(b []byte) (uuid.UUID, error) { return (&messages.Acked{Transaction: b}).ID() },
		"inquire": func(b []byte) (uuid.UUID, error) { return (&messages.Inquire{Transaction: b}).ID() },
		"decided": func(b []byte) (uuid.UUID, error) { return (&messages.Decided{Transaction: b}).ID() },
	} {
		if found, err := got(id[:]); err != nil || found != id {
			t.Errorf("%s: got %v, %v, want %v", name, found, err, id)
		}
		for _, length := range []int{0, 15, 17, 36} {
			wrongLength(t, name, length, func() (uuid.UUID, error) { return got(make([]byte, length)) })
		}
	}
	wrongLength(t, "no branch", 0, new(messages.Prepare).GetBranch().ID)
}

func wrongLength(t *testing.T, name string, length int, id func() (uuid.UUID, error)) {
	t.Helper()
	found, err := id()
	var typed *messages.TransactionIDError
	if !errors.As(err, &typed) || typed.Length != length || found != uuid.Nil {
		t.Errorf("%s of %d bytes: got %v, %v", name, length, found, err)
		return
	}
	if text := err.Error(); !strings.HasSuffix(text, "bytes, want 16") {
		t.Errorf("%s: %q does not name the limit", name, text)
	}
}

func TestExpired(t *testing.T) {
	until := time.UnixMilli(1_700_000_000_000)
	prepare := &messages.Prepare{ExpiresUnixMs: until.UnixMilli()}
	for _, c := range []struct {
		now  time.Time
		want bool
	}{
		{until.Add(-time.Hour), false},
		{until, false},
		{until.Add(time.Millisecond), true},
		{until.Add(time.Hour), true},
	} {
		if got := prepare.Expired(c.now); got != c.want {
			t.Errorf("%v after the limit: expired %v, want %v", c.now.Sub(until), got, c.want)
		}
	}
	if !new(messages.Prepare).Expired(until) {
		t.Error("a Prepare that states no limit must be refused")
	}
}
