package httpbranch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc/participant"
)

// call is one call of a participant.
type call struct {
	name string
	do   func(context.Context, participant.Branch) error
	// begins: it may do a branch's first work, so it must not come late.
	begins bool
	// votes: its error is a vote to roll back.
	votes bool
}

// callsOf returns the calls about branches that a participant of this kind has.
func callsOf(p participant.Participant) map[string]call {
	preparer, prepares := participant.As[participant.Preparer](p)
	calls := map[string]call{
		callCommit:   {name: callCommit, do: p.Commit, begins: !prepares, votes: !prepares},
		callRollback: {name: callRollback, do: p.Rollback},
	}
	if prepares {
		calls[callPrepare] = call{name: callPrepare, do: preparer.Prepare, begins: true, votes: true}
	}
	if one, ok := participant.As[participant.OnePhaseCommitter](p); ok {
		calls[callCommitOnePhase] = call{name: callCommitOnePhase, do: one.CommitOnePhase, begins: true}
		calls[callCommitted] = call{name: callCommitted, do: func(ctx context.Context, b participant.Branch) error {
			committed, err := one.Committed(ctx, b)
			if err == nil && !committed {
				return participant.ErrRolledBack
			}
			return err
		}}
	}
	return calls
}

// branch reads which branch a request is about.
func (h *handler) branch(w http.ResponseWriter, r *http.Request) (b participant.Branch, refused *problem) {
	var ok bool
	if b.Transaction, ok = readID(r.Header[headerTransaction]); !ok {
		return b, bad(http.StatusBadRequest, "header "+headerTransaction+" must be a UUID")
	}
	if b.Participant, ok = readName(r.Header[headerParticipant], maxParticipant); !ok || b.Participant != h.name {
		return b, h.notOurs()
	}
	if b.Coordinator, ok = readName(r.Header[headerCoordinator], maxCoordinator); !ok {
		return b, bad(http.StatusBadRequest, "header "+headerCoordinator+" must be one percent-encoded name")
	}
	b.Payload, refused = h.payload(w, r)
	return b, refused
}

// readID reads an id in the one form that the protocol has.
func readID(values []string) (uuid.UUID, bool) {
	if len(values) != 1 || len(values[0]) != 36 {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(values[0])
	return id, err == nil && id != uuid.Nil
}

// readName reads a name, or none.
func readName(values []string, limit int) (name string, ok bool) {
	switch len(values) {
	case 0:
		return "", true
	case 1:
		return unescape(values[0], limit)
	}
	return "", false
}

// payload reads the body; nil if it is empty.
func (h *handler) payload(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > h.maxPayload {
		return nil, h.tooLarge()
	}
	payload, err := h.readAll(w, r)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, h.tooLarge()
	case err != nil:
		return nil, bad(http.StatusBadRequest, "the payload was cut off")
	case len(payload) == 0:
		return nil, nil
	}
	if !h.accepts(r.Header.Get("Content-Type")) {
		return nil, bad(http.StatusUnsupportedMediaType, "the payload must be "+h.media)
	}
	return payload, nil
}

// readAll reads a body of a length that is fit, or not known.
func (h *handler) readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, h.maxPayload))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

func (h *handler) accepts(contentType string) bool {
	if contentType == h.media || h.media == "*/*" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == h.media
}

// perform makes the call when it is the branch's turn.
func (h *handler) perform(w http.ResponseWriter, r *http.Request, c call, b participant.Branch) *problem {
	ctx, cancel, refused := within(r, c)
	if refused != nil {
		return refused
	}
	defer cancel()
	key := b.Key()
	if err := h.turns.Take(ctx, key); err != nil {
		return problemOf(err, false)
	}
	defer h.turns.End(key)
	if err := ctx.Err(); err != nil && c.begins {
		return problemOf(err, false)
	}
	readOnly := false
	refused = h.guard(c.name, func() error {
		err := c.do(ctx, b)
		if readOnly = c.name == callPrepare && errors.Is(err, participant.ErrReadOnly); readOnly {
			return nil
		}
		return err
	}, c.votes)
	if readOnly {
		w.Header().Set(headerVote, voteReadOnly)
	}
	return refused
}

// within gives a call its deadline. One that begins nothing is made past it too: what
// has been decided is right however late it comes.
func within(r *http.Request, c call) (context.Context, context.CancelFunc, *problem) {
	values := r.Header[headerDeadline]
	if len(values) == 0 {
		return r.Context(), func() {}, nil
	}
	ms, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || len(values) > 1 {
		return nil, nil, bad(http.StatusBadRequest, "header "+headerDeadline+" must be milliseconds since 1970")
	}
	now, deadline := time.Now(), time.UnixMilli(ms)
	switch {
	case now.Before(deadline):
		ctx, cancel := context.WithDeadline(r.Context(), deadline)
		return ctx, cancel, nil
	case c.begins:
		return nil, nil, &problem{
			Type: problemExpired, Title: "out of time", Status: http.StatusServiceUnavailable,
			Detail: fmt.Sprintf("the deadline passed %v before, by the clock here", now.Sub(deadline).Round(time.Millisecond)),
		}
	}
	return r.Context(), func() {}, nil
}

// guard calls the participant and turns its error, or its panic, into a problem.
func (h *handler) guard(name string, f func() error, votes bool) (refused *problem) {
	defer func() {
		if v := recover(); v != nil {
			h.logPanic(name, v)
			refused = &problem{
				Type: problemFailed, Title: "panic", Status: http.StatusInternalServerError,
				Detail: "the participant panicked: see the service's log",
			}
		}
	}()
	if h.turn != nil {
		h.turn.Lock()
		defer h.turn.Unlock()
	}
	if err := f(); err != nil {
		return problemOf(err, votes)
	}
	return nil
}

func (h *handler) logPanic(name string, v any) {
	logger := h.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Error("httpbranch: participant panicked", "participant", h.name, "call", name, "panic", v, "stack", string(debug.Stack()))
}

func bad(status int, detail string) *problem {
	return &problem{Type: problemRequest, Title: "bad request", Status: status, Detail: detail}
}

func (h *handler) tooLarge() *problem {
	return bad(http.StatusRequestEntityTooLarge, fmt.Sprintf("the payload may have %d bytes: set HandlerOptions.MaxPayload", h.maxPayload))
}

// notOurs refuses a call for another participant: done here, its effect would be
// missing there.
func (h *handler) notOurs() *problem {
	return bad(http.StatusNotFound, fmt.Sprintf("this is participant %q: is the URL another's?", h.name))
}
