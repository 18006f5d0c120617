package httpbranch

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// Types of problems. The first five have a meaning to the client.
const (
	problemRolledBack  = "urn:dtc:rolled-back"
	problemRefused     = "urn:dtc:refused"
	problemNotPrepared = "urn:dtc:not-prepared"
	problemCommitted   = "urn:dtc:committed"
	problemForgotten   = "urn:dtc:forgotten"

	problemRequest = "urn:dtc:bad-request" // also a payload that is too large or of the wrong type
	problemUnknown = "urn:dtc:unknown-call"
	problemExpired = "urn:dtc:expired"
	problemFailed  = "urn:dtc:failed"
)

// problem is a problem document.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// problemOf is how a participant's error is told. A voting call is one whose
// error is a vote to roll back.
func problemOf(err error, voting bool) *problem {
	p := &problem{Status: http.StatusConflict, Detail: clean(err.Error())}
	var forgotten *participant.ForgottenError
	switch {
	case errors.Is(err, participant.ErrRolledBack):
		p.Type, p.Title = problemRolledBack, "rolled back"
	case errors.Is(err, participant.ErrNotPrepared):
		p.Type, p.Title = problemNotPrepared, "not prepared"
	case errors.Is(err, participant.ErrCommitted):
		p.Type, p.Title = problemCommitted, "committed"
	case errors.As(err, &forgotten):
		p.Type, p.Title = problemForgotten, "forgotten"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p.Type, p.Title, p.Status = problemExpired, "out of time", http.StatusServiceUnavailable
	case voting:
		p.Type, p.Title = problemRefused, "refused"
	default:
		p.Type, p.Title, p.Status = problemFailed, "failed", http.StatusInternalServerError
	}
	return p
}

// meaning is what a problem's type stands for; nil if for nothing.
func meaning(kind string, transaction uuid.UUID) error {
	switch kind {
	case problemRolledBack:
		return participant.ErrRolledBack
	case problemNotPrepared:
		return participant.ErrNotPrepared
	case problemCommitted:
		return participant.ErrCommitted
	case problemForgotten:
		return &participant.ForgottenError{Transaction: transaction}
	}
	return nil
}

// write answers with the document.
func (p *problem) write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	w.Header().Set("Content-Type", typeProblem)
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // whoever has gone asks again
}

// readProblem reads a problem document; nil if it is none. As the RFC has it, a
// member of another type than it should be is as good as none.
func readProblem(contentType string, body []byte) *problem {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media != typeProblem {
		return nil
	}
	var members map[string]any
	if json.Unmarshal(body, &members) != nil {
		return nil
	}
	text := func(member string) string { s, _ := members[member].(string); return s }
	return &problem{Type: text("type"), Title: text("title"), Detail: text("detail")}
}
