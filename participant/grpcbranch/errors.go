package grpcbranch

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
)

// ConfigError says what [New] or [Register] cannot use.
type ConfigError struct {
	// Field is the argument or the field of the options.
	Field  string
	Value  any
	Reason string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("grpcbranch: %s %v: %s", e.Field, e.Value, e.Reason)
}

// RefusedError is a no of the participant: a vote to roll back, or the answer that
// a branch is not committed or not rolled back.
type RefusedError struct {
	Participant string
	// Call is the method: Prepare, Commit, Rollback or CommitOnePhase.
	Call string
	// Reason is the participant's own, in one line, cut at messages.MaxReason bytes.
	Reason string
	// RolledBack: the branch was rolled back before, or is now, for good. The error is
	// a participant.ErrRolledBack then.
	RolledBack bool
}

func (e *RefusedError) Error() string {
	reason := e.Reason
	if reason == "" {
		reason = "no reason given"
	}
	return fmt.Sprintf("grpcbranch: participant %q refused %s: %s", e.Participant, e.Call, reason)
}

// Is makes it a participant.ErrRolledBack where the answer says so.
func (e *RefusedError) Is(target error) bool {
	return e.RolledBack && target == participant.ErrRolledBack
}

// CallError says that a call ended with a status code instead of an answer. It is a
// context.DeadlineExceeded or a context.Canceled where the code is.
type CallError struct {
	Participant string
	// Call is the method of the service.
	Call string
	// Code is the status code, Message what came with it.
	Code    codes.Code
	Message string

	err error
}

func (e *CallError) Error() string {
	return fmt.Sprintf("grpcbranch: participant %q: %s: %s: %s", e.Participant, e.Call, e.Code, e.Message)
}

// Unwrap returns gRPC's own error, so that status.FromError works.
func (e *CallError) Unwrap() error { return e.err }

// Is makes it the context's error where the code is.
func (e *CallError) Is(target error) bool {
	return e.Code == codes.DeadlineExceeded && target == context.DeadlineExceeded ||
		e.Code == codes.Canceled && target == context.Canceled
}

// Final tells whether the code is a no: the same call again would be refused again.
// Else nobody knows what the call has done. It says nothing of calls that came
// before, so the branch is rolled back all the same.
func (e *CallError) Final() bool {
	switch e.Code {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange, codes.NotFound, codes.AlreadyExists,
		codes.Unimplemented, codes.PermissionDenied, codes.Unauthenticated:
		return true
	}
	return false
}

// AnswerError says that what came back is not the answer to the question. It counts
// as no answer at all.
type AnswerError struct {
	Participant string
	// Call is the method of the service.
	Call string
	// Reason says what is wrong with the answer.
	Reason string
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("grpcbranch: participant %q: %s: not an answer to the call: %s", e.Participant, e.Call, e.Reason)
}

// KindError says that the participant that is served is not what the client's
// [Options] say. No branch has been begun.
type KindError struct {
	Participant string
	// Want is what the Options say, Served what the service says: the Kind, and
	// whether it is a Recoverer.
	Want, Served Options
}

func (e *KindError) Error() string {
	return fmt.Sprintf("grpcbranch: participant %q is served as %s, but the client's Options say %s",
		e.Participant, e.Served.describe(), e.Want.describe())
}

// oneLine makes text from elsewhere fit for an error or a status: UTF-8, one line, of
// bounded length.
func oneLine(text string) string {
	if len(text) > messages.MaxReason {
		end := messages.MaxReason
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	lines := strings.FieldsFunc(strings.ToValidUTF8(text, "?"), unicode.IsControl)
	return strings.Join(lines, "; ")
}
