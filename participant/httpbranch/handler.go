package httpbranch

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/internal/turns"
)

// HandlerOptions are options of [Handler]. The zero value is ready.
type HandlerOptions struct {
	// MaxPayload is how many bytes a payload may have. Defaults to 64 KiB, as the
	// coordinator's does.
	MaxPayload int
	// ContentType is the media type that payloads must have; "*/*" is any. Defaults to
	// application/json.
	ContentType string
	// Logger gets one line, with the stack, for each panic of the participant.
	// Defaults to slog.Default().
	Logger *slog.Logger
}

// Handler serves a participant to coordinators elsewhere. The last element of a
// request's path is the call, so it can be mounted at any path that ends in a
// slash. There are the calls that the participant's kind has, and no other.
//
// A request for another participant's name is refused, and so is a call that would
// begin a branch after its deadline. Calls of one branch come one at a time, also
// where a call that comes again overtakes its first; those of a
// participant.NonBlocking come one at a time altogether. A call's context ends at
// its deadline, and also when the caller goes away: the participant must leave a
// branch whole then, as always, and the call comes again. A panic is answered
// with status 500 and does not tell what was panicked with.
//
// The participant's errors are told to the caller, cut to 512 bytes. Nothing here
// bounds how slowly a request comes in: set ReadTimeout of the http.Server. Its
// Shutdown waits for the calls under way.
func Handler(p participant.Participant, o *HandlerOptions) http.Handler {
	if o == nil {
		o = new(HandlerOptions)
	}
	h := &handler{
		p:          p,
		name:       p.Name(),
		calls:      callsOf(p),
		maxPayload: int64(o.MaxPayload),
		media:      o.ContentType,
		logger:     o.Logger,
	}
	if o.MaxPayload <= 0 {
		h.maxPayload = 64 << 10
	}
	if o.ContentType == "" {
		h.media = typeJSON
	} else if media, _, err := mime.ParseMediaType(o.ContentType); err == nil {
		h.media = media
	}
	h.recoverer, _ = participant.As[participant.Recoverer](p)
	if _, ok := participant.As[participant.NonBlocking](p); ok {
		h.turn = new(sync.Mutex)
	}
	return h
}

type handler struct {
	p          participant.Participant
	name       string
	calls      map[string]call
	recoverer  participant.Recoverer // nil if the participant is none
	maxPayload int64
	media      string
	logger     *slog.Logger

	turns turns.Turns[participant.Key]
	turn  *sync.Mutex // held while a NonBlocking participant is called; else nil
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if key := r.Header[headerCall]; len(key) == 1 {
		w.Header()[headerCall] = key
	}
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	c, ok := h.calls[name]
	switch {
	case ok && r.Method == http.MethodPost:
		h.serve(w, r, c)
	case ok:
		notAllowed(w, http.MethodPost)
	case name == callInDoubt && h.recoverer != nil:
		if r.Method == http.MethodGet {
			h.list(w, r)
		} else {
			notAllowed(w, http.MethodGet)
		}
	default:
		(&problem{
			Type: problemUnknown, Title: "no such call", Status: http.StatusNotFound,
			Detail: fmt.Sprintf("participant %q has no call %q", h.name, clean(name)),
		}).write(w)
	}
}

func notAllowed(w http.ResponseWriter, method string) {
	w.Header().Set("Allow", method)
	(&problem{Type: problemUnknown, Title: "wrong method", Status: http.StatusMethodNotAllowed, Detail: "use " + method}).write(w)
}

// serve makes one call and answers it.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, c call) {
	b, refused := h.branch(w, r)
	if refused == nil {
		refused = h.perform(w, r, c, b)
	}
	if refused != nil {
		refused.write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// list answers with the branches in doubt.
func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	coordinator := query.Get("coordinator")
	if refused := h.checkListing(query["participant"], coordinator); refused != nil {
		refused.write(w)
		return
	}
	branches := []listed{}
	refused := h.guard(callInDoubt, func() error {
		ids, err := h.recoverer.InDoubt(r.Context(), coordinator)
		for _, id := range ids {
			branches = append(branches, listed{Transaction: id.String(), Coordinator: coordinator})
		}
		return err
	}, false)
	if refused != nil {
		refused.write(w)
		return
	}
	body, err := json.Marshal(listing{Branches: &branches})
	if err != nil {
		panic(err) // strings always encode
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // whoever has gone asks again
}

func (h *handler) checkListing(names []string, coordinator string) *problem {
	switch {
	case len(names) != 1 || names[0] != h.name:
		return h.notOurs()
	case !fit(coordinator, maxCoordinator):
		return bad(http.StatusBadRequest, "coordinator is no name of a coordinator")
	}
	return nil
}
