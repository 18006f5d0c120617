package httpbranch

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// read takes an answer for what it means; nil says that the call was done.
func (c *client) read(e *endpoint, r *http.Response, body []byte, id uuid.UUID, key string) error {
	switch {
	case !done(r.StatusCode):
		return c.refusal(e, r, body, id, key)
	case !repeats(r, key):
		return c.foreign(e, r)
	case e == &c.prepare:
		return c.vote(e, r)
	}
	return nil
}

// done tells whether the status says that the call has taken effect.
func done(status int) bool {
	return status == http.StatusOK || status == http.StatusCreated || status == http.StatusNoContent
}

// vote reads what kind of yes it was.
func (c *client) vote(e *endpoint, r *http.Response) error {
	switch votes := r.Header[headerVote]; {
	case len(votes) == 0:
		return nil
	case len(votes) == 1 && votes[0] == voteReadOnly:
		return participant.ErrReadOnly
	}
	return c.broken(e, r, fmt.Sprintf("the header %s is neither absent nor %q", headerVote, voteReadOnly), nil)
}

// foreign refuses an answer that may be anybody's, to anything.
func (c *client) foreign(e *endpoint, r *http.Response) error {
	return c.broken(e, r, "it does not repeat the header "+headerCall+", so it is not the service's answer to this call", nil)
}

func (c *client) broken(e *endpoint, r *http.Response, reason string, err error) error {
	return &AnswerError{Call: e.call, URL: c.shown, Status: r.StatusCode, Reason: reason, Err: err}
}

// refusal reads an answer that is no yes. What its problem stands for counts only
// if the answer is the service's to this call.
func (c *client) refusal(e *endpoint, r *http.Response, body []byte, id uuid.UUID, key string) error {
	refused := &StatusError{Call: e.call, URL: c.shown, Status: r.StatusCode}
	p := readProblem(r.Header.Get("Content-Type"), body)
	if p == nil {
		return refused
	}
	refused.Type, refused.Title, refused.Detail = clean(p.Type), clean(p.Title), clean(p.Detail)
	if r.StatusCode == http.StatusConflict && repeats(r, key) {
		refused.meaning = meaning(p.Type, id)
	}
	return refused
}

// readList reads the branches in doubt, and keeps those of the coordinator.
func (c *client) readList(e *endpoint, r *http.Response, body []byte, coordinator, key string) ([]uuid.UUID, error) {
	switch {
	case r.StatusCode != http.StatusOK:
		return nil, c.refusal(e, r, body, uuid.Nil, key)
	case !repeats(r, key):
		return nil, c.foreign(e, r)
	}
	var all listing
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, c.broken(e, r, "the list cannot be read", err)
	}
	if all.Branches == nil {
		return nil, c.broken(e, r, `the list has no "branches"`, nil)
	}
	var ids []uuid.UUID
	for _, b := range *all.Branches {
		id, err := uuid.Parse(b.Transaction)
		if err != nil {
			return nil, c.broken(e, r, fmt.Sprintf("%.40q in the list is no transaction", b.Transaction), nil)
		}
		if b.Coordinator == coordinator {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
