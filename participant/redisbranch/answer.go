package redisbranch

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// answer is what a script returns: a word, and what belongs to it.
type answer []any

// text is the answer's n-th part; the word is the one at 0.
func (a answer) text(n int) string {
	if n >= len(a) {
		return ""
	}
	s, _ := a[n].(string)
	return s
}

// outcome is what a call of a branch answers.
func outcome(what string, b participant.Branch, a answer, err error) error {
	if err != nil {
		return fmt.Errorf("redisbranch: %s: %w", what, err)
	}
	return a.err(b.Transaction)
}

// err says in Go what the script said.
func (a answer) err(id uuid.UUID) error {
	switch a.text(0) {
	case "ok":
		return nil
	case "rolled back":
		return participant.ErrRolledBack
	case "committed":
		return participant.ErrCommitted
	case "not prepared":
		return participant.ErrNotPrepared
	case "forgotten":
		return &participant.ForgottenError{Transaction: id}
	case "refused":
		return &RefusedError{Step: a.text(1), Reason: strings.TrimPrefix(a.text(2), "ERR ")} // which Redis adds
	case "failed":
		return &ScriptError{Step: a.text(1), Reason: a.text(2)}
	case "torn":
		return &TornError{Transaction: id, Step: a.text(1), Reason: a.text(2)}
	case "not torn":
		return ErrNotTorn
	case "lost":
		return ErrLost
	}
	return fmt.Errorf("redisbranch: the script answered %q", a.text(0))
}
