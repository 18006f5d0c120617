package redisbranch

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Errors of a participant's calls. They come wrapped.
var (
	// ErrLost: the participant's record is gone from Redis, and with it all that
	// was known of its branches. Opening the participant again makes a new one.
	ErrLost = errors.New("redisbranch: the participant's record is gone from Redis: its data was lost, open the participant again")
	// ErrNotTorn refuses Mend of a branch that is not torn.
	ErrNotTorn = errors.New("redisbranch: branch is not torn")
)

// RefusedError says that a step returned an error and wrote nothing. From Prepare
// and a one-phase Commit it is a vote to roll back.
type RefusedError struct {
	// Step is the field of [TCC] or [Saga], such as "Try".
	Step string
	// Reason is what the step said.
	Reason string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("redisbranch: %s refused: %s", e.Step, e.Reason)
}

// ScriptError says that a step is not Lua, or failed before it wrote anything: a
// mistake in it, data that is not what it expects, or a server that takes no
// writes now.
type ScriptError struct {
	// Step is the field of [TCC] or [Saga], such as "Try".
	Step string
	// Reason is what Redis said.
	Reason string
}

func (e *ScriptError) Error() string {
	return fmt.Sprintf("redisbranch: %s failed: %s", e.Step, e.Reason)
}

// TornError says that a step failed after it had written, now or earlier. No call
// of the branch does anything until its Mend.
type TornError struct {
	Transaction uuid.UUID
	// Step is the field of [TCC] or [Saga], such as "Try".
	Step string
	// Reason is what Redis or the step said.
	Reason string
}

func (e *TornError) Error() string {
	return fmt.Sprintf("redisbranch: %s of transaction %s failed after it had written, see Mend: %s", e.Step, e.Transaction, e.Reason)
}

// SettingError refuses a server that may lose what it acknowledged, or that does
// not tell.
type SettingError struct {
	// Setting is the name in redis.conf.
	Setting string
	// Value is what it is, Want what it must be. Value is empty where Err says why
	// it is not known.
	Value, Want string
	Err         error
}

func (e *SettingError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("redisbranch: the server does not tell its %s (allow CONFIG GET, or set Options.AcceptLoss): %s", e.Setting, e.Err)
	}
	return fmt.Sprintf("redisbranch: the server has %s %q, set %q or Options.AcceptLoss", e.Setting, e.Value, e.Want)
}

// Unwrap returns why the setting is not known; nil where it is.
func (e *SettingError) Unwrap() error { return e.Err }

// ClientError refuses a client with which calls would outlive their time, or
// whose options cannot be seen.
type ClientError struct {
	Reason string
}

func (e *ClientError) Error() string { return "redisbranch: bad client: " + e.Reason }

// OptionError refuses a name or option.
type OptionError struct {
	// Option is the field of [Options], or "name".
	Option, Reason string
}

func (e *OptionError) Error() string { return fmt.Sprintf("redisbranch: %s %s", e.Option, e.Reason) }

// PayloadError refuses a payload that is not the encoding of a [Call].
type PayloadError struct {
	Reason string
}

func (e *PayloadError) Error() string { return "redisbranch: bad payload: " + e.Reason }

// IDError refuses a transaction id that carries no time.
type IDError struct {
	Transaction uuid.UUID
}

func (e *IDError) Error() string {
	return fmt.Sprintf("redisbranch: transaction %s has no version 7 id, which carries its time", e.Transaction)
}
