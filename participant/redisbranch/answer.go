package redisbranch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// answer is what a script returns: a word, and what belongs to it.
type answer struct {
	code string
	rest []any
}

func newAnswer(reply []any) (answer, error) {
	if len(reply) == 0 {
		return answer{}, errors.New("redisbranch: the script returned nothing")
	}
	code, ok := reply[0].(string)
	if !ok {
		return answer{}, fmt.Errorf("redisbranch: the script returned a %T", reply[0])
	}
	return answer{code, reply[1:]}, nil
}

// text is the answer's n-th part, counted from 1.
func (a answer) text(n int) string {
	if n > len(a.rest) {
		return ""
	}
	s, _ := a.rest[n-1].(string)
	return s
}

// err says in Go what the script said.
func (a answer) err(id uuid.UUID) error {
	switch a.code {
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
	return fmt.Errorf("redisbranch: the script answered %q", a.code)
}
