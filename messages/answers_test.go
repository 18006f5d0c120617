package messages_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/seed-d36415c0/dtc/messages"
	"google.golang.org/protobuf/proto"
)

const attempt = 7

var (
	id     = uuid.Must(uuid.NewV7())
	branch = &messages.Branch{
		Coordinator: "shop",
		Transaction: id[:],
		Participant: "stock",
		Payload:     []byte("3 apples"),
	}
	errEmpty = errors.New("shelf is empty")
)

func TestVoted(t *testing.T) {
	prepare := &messages.Prepare{Branch: branch, Attempt: attempt}
	for name, c := range map[string]struct {
		got  *messages.Voted
		want *messages.Voted // what is said beside transaction, participant and attempt
	}{
		"yes":         {prepare.Yes(), &messages.Voted{Vote: messages.Vote_VOTE_YES}},
		"read-only":   {prepare.ReadOnly(), &messages.Voted{Vote: messages.Vote_VOTE_READ_ONLY}},
		"no":          {prepare.No(errEmpty), &messages.Voted{Reason: "shelf is empty"}},
		"no reason":   {prepare.No(nil), &messages.Voted{}},
		"rolled back": {prepare.AlreadyRolledBack(), &messages.Voted{RolledBack: true, Reason: "the branch was rolled back before"}},
	} {
		c.want.Transaction, c.want.Participant, c.want.Attempt = id[:], "stock", attempt
		sameOnTheWire(t, name, c.got, c.want)
	}
}

func TestAcked(t *testing.T) {
	commit := &messages.Commit{Branch: branch, Attempt: attempt}
	rollback := &messages.Rollback{Branch: branch, Attempt: attempt}
	for name, c := range map[string]struct {
		got  *messages.Acked
		want *messages.Acked // what is said beside transaction, participant and attempt
	}{
		"committed":              {commit.Done(), &messages.Acked{Done: true}},
		"not committed":          {commit.Failed(errEmpty), &messages.Acked{Reason: "shelf is empty"}},
		"not committed, silent":  {commit.Failed(nil), &messages.Acked{}},
		"rolled back before":     {commit.AlreadyRolledBack(), &messages.Acked{RolledBack: true, Reason: "the branch was rolled back before"}},
		"rolled back":            {rollback.Done(), &messages.Acked{Done: true}},
		"not rolled back":        {rollback.Failed(errEmpty), &messages.Acked{Reason: "shelf is empty"}},
		"not rolled back, quiet": {rollback.Failed(nil), &messages.Acked{}},
	} {
		c.want.Transaction, c.want.Participant, c.want.Attempt = id[:], "stock", attempt
		sameOnTheWire(t, name, c.got, c.want)
	}
}

func TestDecided(t *testing.T) {
	inquire := branch.Inquire()
	sameOnTheWire(t, "inquire", inquire, &messages.Inquire{Transaction: id[:], Participant: "stock"})
	sameOnTheWire(t, "decided", inquire.Decided(messages.Outcome_OUTCOME_COMMITTED), &messages.Decided{
		Transaction: id[:],
		Participant: "stock",
		Outcome:     messages.Outcome_OUTCOME_COMMITTED,
	})
}

// A message without a branch is answered too, and the answer names nothing.
func TestAnswers_NoBranch(t *testing.T) {
	sameOnTheWire(t, "prepare", new(messages.Prepare).No(errEmpty), &messages.Voted{Reason: "shelf is empty"})
	sameOnTheWire(t, "commit", new(messages.Commit).Failed(errEmpty), &messages.Acked{Reason: "shelf is empty"})
	sameOnTheWire(t, "rollback", new(messages.Rollback).Done(), &messages.Acked{Done: true})
}

func TestReason_IsBoundedText(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"at the limit":     {strings.Repeat("a", messages.MaxReason), strings.Repeat("a", messages.MaxReason)},
		"over the limit":   {strings.Repeat("a", messages.MaxReason+1), strings.Repeat("a", messages.MaxReason)},
		"inside a letter":  {strings.Repeat("a", messages.MaxReason-1) + "é", strings.Repeat("a", messages.MaxReason-1)},
		"not UTF-8":        {"bad \xff byte", "bad \uFFFD byte"},
		"not UTF-8 at all": {strings.Repeat("\xff", 2*messages.MaxReason), "\uFFFD"},
	} {
		voted := (&messages.Prepare{Branch: branch}).No(errors.New(c.text))
		if voted.Reason != c.want {
			t.Errorf("%s: %d bytes of reason, want %d", name, len(voted.Reason), len(c.want))
		}
		if _, err := proto.Marshal(voted); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sameOnTheWire sends a message over the wire and compares what arrives.
func sameOnTheWire(t *testing.T, name string, got, want proto.Message) {
	t.Helper()
	wire, err := proto.Marshal(got)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	arrived := want.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(wire, arrived); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !proto.Equal(arrived, want) {
		t.Errorf("%s: got %v, want %v", name, arrived, want)
	}
}
