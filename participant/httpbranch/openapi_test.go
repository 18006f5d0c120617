package httpbranch_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// spec holds requests and answers against the OpenAPI document.
type spec struct {
	t   *testing.T
	doc *openapi3.T
	h   http.Handler
	// statuses are those that were seen, of each operation.
	statuses map[string][]int
}

func newSpec(t *testing.T, h http.Handler) *spec {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(httpbranch.OpenAPI())
	must(t, err, doc.Validate(background))
	return &spec{t: t, doc: doc, h: h, statuses: map[string][]int{}}
}

// ServeHTTP passes a request on to the handler, and holds both sides to the document.
func (s *spec) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	in := s.input(r)
	if in == nil {
		s.t.Errorf("%s %s is not in the document", r.Method, r.URL)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err := openapi3filter.ValidateRequest(background, in); err != nil {
		s.t.Errorf("request: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	recorder := httptest.NewRecorder()
	s.h.ServeHTTP(recorder, r)
	s.answer(in, recorder)
	for name, values := range recorder.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(recorder.Code)
	_, _ = w.Write(recorder.Body.Bytes())
}

// input finds the operation; nil if there is none.
func (s *spec) input(r *http.Request) *openapi3filter.RequestValidationInput {
	at := "/" + path.Base(r.URL.Path)
	item := s.doc.Paths.Value(at)
	if item == nil || item.GetOperation(r.Method) == nil {
		return nil
	}
	return &openapi3filter.RequestValidationInput{
		Request: r,
		Route:   &routers.Route{Spec: s.doc, Path: at, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)},
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeRequestBody: true},
	}
}

func (s *spec) answer(in *openapi3filter.RequestValidationInput, w *httptest.ResponseRecorder) {
	s.t.Helper()
	s.statuses[in.Route.Operation.OperationID] = append(s.statuses[in.Route.Operation.OperationID], w.Code)
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: w.Code, Header: w.Header(), Options: in.Options}
	out.SetBodyBytes(w.Body.Bytes())
	if err := openapi3filter.ValidateResponse(background, out); err != nil {
		s.t.Errorf("%s, answer: %v", in.Route.Operation.OperationID, err)
	}
}

// TestOpenAPI: what client and handler say to each other is what the document says.
func TestOpenAPI(t *testing.T) {
	stock := openStock(t, 10)
	s := newSpec(t, httpbranch.Handler(stock, nil))
	p := connect(t, "stock", serve(t, s).URL, &ledgerOptions).(participant.OnePhaseCommitter)
	prepared, committed, rolledBack, unknown, empty := stockBranch(1), stockBranch(1), stockBranch(1), stockBranch(1), stockBranch(0)
	empty.Payload = []byte(`{"entries": []}`)
	prepared.Coordinator = "sh öp"
	none := stockBranch(1)
	none.Coordinator, none.Payload = "", nil
	must(t, p.Prepare(background, prepared), p.Prepare(background, committed), p.Commit(background, committed),
		p.CommitOnePhase(background, stockBranch(1)), p.Rollback(background, rolledBack), p.Rollback(background, none))
	if err := p.Prepare(background, empty); !errors.Is(err, participant.ErrReadOnly) {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"refused":        p.Prepare(background, stockBranch(11)),
		"rolled back":    p.Prepare(background, rolledBack),
		"not prepared":   p.Commit(background, unknown),
		"was committed":  p.Rollback(background, committed),
		"in one phase":   p.CommitOnePhase(background, stockBranch(11)),
		"of a past time": p.CommitOnePhase(background, rolledBack),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	for _, b := range []participant.Branch{committed, rolledBack} {
		_, err := p.Committed(background, b)
		must(t, err)
	}
	ids, err := p.(participant.Recoverer).InDoubt(background, prepared.Coordinator)
	if err != nil || !slices.Contains(ids, prepared.Transaction) {
		t.Error(ids, err)
	}
	for operation, want := range map[string][]int{
		"prepare": {204, 409}, "commit": {204, 409}, "rollback": {204, 409}, "commitOnePhase": {204, 409}, "committed": {204, 409}, "inDoubt": {200},
	} {
		for _, status := range want {
			if !slices.Contains(s.statuses[operation], status) {
				t.Errorf("%s was never answered with %d", operation, status)
			}
		}
	}
}

// TestOpenAPIOfMistakes: the handler's own refusals are in the document too.
func TestOpenAPIOfMistakes(t *testing.T) {
	s := newSpec(t, httpbranch.Handler(funcs(func(_ context.Context, b participant.Branch) error {
		panic("as told")
	}), &httpbranch.HandlerOptions{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}))
	for _, headers := range [][]string{
		{"Dtc-Transaction", ""}, {"Dtc-Participant", "payment"}, {"Dtc-Deadline", "1"}, {"Content-Type", "text/plain"}, nil,
	} {
		r := httptest.NewRequest("POST", "/prepare", nil)
		s.answer(s.input(r), ask(s.h, "POST", "/prepare", "{}", headers...))
	}
	r := httptest.NewRequest("GET", "/in-doubt?coordinator=shop&participant=stock", nil)
	s.answer(s.input(r), ask(s.h, "GET", r.URL.String(), ""))
	if got, want := s.statuses["prepare"], []int{400, 404, 503, 415, 500}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}
