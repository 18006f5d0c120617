package httpbranch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// funcs is a two-phase participant whose calls all do the same.
type funcs func(ctx context.Context, b participant.Branch) error

func (f funcs) Name() string                                             { return "stock" }
func (f funcs) Prepare(ctx context.Context, b participant.Branch) error  { return f(ctx, b) }
func (f funcs) Commit(ctx context.Context, b participant.Branch) error   { return f(ctx, b) }
func (f funcs) Rollback(ctx context.Context, b participant.Branch) error { return f(ctx, b) }
func done(context.Context, participant.Branch) error                     { return nil }
func (f funcs) InDoubt(context.Context, string) (ids []uuid.UUID, _ error) {
	return nil, errors.New("no list")
}

// ask makes a request with these headers; one with an empty value is left out.
func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Dtc-Transaction", "01a20666-5b4e-7253-965b-cb8b37b7a090")
	r.Header.Set("Dtc-Participant", "stock")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestBadRequests: what is no request of the protocol never reaches the participant.
func TestBadRequests(t *testing.T) {
	reached := false
	h := httpbranch.Handler(funcs(func(context.Context, participant.Branch) error {
		reached = true
		return nil
	}), &httpbranch.HandlerOptions{MaxPayload: 10})
	past := strconv.FormatInt(time.Now().Add(-time.Second).UnixMilli(), 10)
	for _, c := range []struct {
		method, target, body string
		status               int
		headers              []string
	}{
		{"GET", "/prepare", "", 405, nil},
		{"PUT", "/commit", "", 405, nil},
		{"POST", "/in-doubt", "", 405, nil},
		{"GET", "/in-doubt?coordinator=shop", "", 404, nil},
		{"GET", "/in-doubt?coordinator=shop&participant=other", "", 404, nil},
		{"GET", "/in-doubt?participant=stock&coordinator=" + strings.Repeat("x", 65), "", 400, nil},
		{"POST", "/", "", 404, nil},
		{"POST", "/prepare/", "", 404, nil},
		{"POST", "/Prepare", "", 404, nil},
		{"POST", "/commit-one-phase", "", 404, nil},
		{"POST", "/committed", "", 404, nil},
		{"POST", "/prepare", "", 400, []string{"Dtc-Transaction", ""}},
		{"POST", "/prepare", "", 400, []string{"Dtc-Transaction", "17"}},
		{"POST", "/prepare", "", 400, []string{"Dtc-Transaction", "{01a20666-5b4e-7253-965b-cb8b37b7a090}"}},
		{"POST", "/prepare", "", 400, []string{"Dtc-Transaction", uuid.Nil.String()}},
		{"POST", "/prepare", "", 404, []string{"Dtc-Participant", ""}},
		{"POST", "/prepare", "", 404, []string{"Dtc-Participant", "payment"}},
		{"POST", "/prepare", "", 404, []string{"Dtc-Participant", "stock%zz"}},
		{"POST", "/prepare", "", 400, []string{"Dtc-Coordinator", "%0A"}},
		{"POST", "/prepare", "", 400, []string{"Dtc-Coordinator", "%ff"}},
		{"POST", "/prepare", "", 400, []string{"Dtc-Coordinator", strings.Repeat("x", 65)}},
		{"POST", "/prepare", "", 400, []string{"Dtc-Deadline", "soon"}},
		{"POST", "/prepare", "", 400, []string{"Dtc-Deadline", "1e12"}},
		{"POST", "/prepare", "", 503, []string{"Dtc-Deadline", past}},
		{"POST", "/prepare", "", 503, []string{"Dtc-Deadline", "-1"}},
		{"POST", "/prepare", "12345678901", 413, nil},
		{"POST", "/prepare", "1", 415, []string{"Content-Type", "text/plain"}},
		{"POST", "/prepare", "1", 415, []string{"Content-Type", ""}},
	} {
		w := ask(h, c.method, c.target, c.body, c.headers...)
		var p struct {
			Type, Title, Detail string
			Status              int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != c.status || w.Code != c.status || p.Type == "" || p.Title == "" ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %v: %d %v %s", c.method, c.target, c.headers, w.Code, w.Header(), w.Body)
		}
	}
	if reached {
		t.Error("one of them reached the participant")
	}
}

// TestTwoValues: a header that stands there twice says nothing.
func TestTwoValues(t *testing.T) {
	h := httpbranch.Handler(funcs(done), nil)
	for _, header := range []string{"Dtc-Transaction", "Dtc-Participant", "Dtc-Coordinator", "Dtc-Deadline"} {
		r := httptest.NewRequest("POST", "/prepare", nil)
		r.Header.Set("Dtc-Transaction", uuid.NewString())
		r.Header.Set("Dtc-Participant", "stock")
		value := "9999999999999"
		if was := r.Header.Get(header); was != "" {
			value = was
		}
		r.Header[header] = []string{value, value}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code < 400 {
			t.Errorf("two of %s: %d", header, w.Code)
		}
	}
}

// TestDecidedComesLate: what has been decided is done however late it comes.
func TestDecidedComesLate(t *testing.T) {
	h := httpbranch.Handler(funcs(func(ctx context.Context, _ participant.Branch) error { return ctx.Err() }), nil)
	for _, call := range []string{"/commit", "/rollback"} {
		if w := ask(h, "POST", call, "", "Dtc-Deadline", "1000"); w.Code != http.StatusNoContent {
			t.Errorf("%s: %d %s", call, w.Code, w.Body)
		}
	}
	onePhase := httpbranch.Handler(noop{"stock"}, nil)
	if w := ask(onePhase, "POST", "/commit", "", "Dtc-Deadline", "1000"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a one-phase commit: %d", w.Code)
	}
}

// TestReadOnlyCommit: only Prepare can vote so.
func TestReadOnlyCommit(t *testing.T) {
	h := httpbranch.Handler(onePhaseFunc(func() error { return participant.ErrReadOnly }), nil)
	if w := ask(h, "POST", "/commit", ""); w.Code != http.StatusConflict || w.Header().Get("Dtc-Vote") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

type onePhaseFunc func() error

func (onePhaseFunc) Name() string                                         { return "stock" }
func (f onePhaseFunc) Commit(context.Context, participant.Branch) error   { return f() }
func (f onePhaseFunc) Rollback(context.Context, participant.Branch) error { return f() }

// TestBranchArrives: names and payloads of every kind come through whole.
func TestBranchArrives(t *testing.T) {
	const name = "stöck/ +%2F,;=&?#\"' \u2028日本"
	var got participant.Branch
	h := httpbranch.Handler(named{name, funcs(func(ctx context.Context, b participant.Branch) error {
		got = b
		if _, ok := ctx.Deadline(); !ok {
			return errors.New("no deadline")
		}
		return nil
	})}, &httpbranch.HandlerOptions{ContentType: "*/*", MaxPayload: 1 << 20})
	p := connect(t, name, serve(t, h).URL+"/a%2Fb/", &httpbranch.Options{ContentType: "application/octet-stream"})
	for _, payload := range [][]byte{nil, {0}, []byte("\r\n\r\n"), bytes.Repeat([]byte{0xff}, 1<<20)} {
		sent := participant.Branch{Coordinator: "shöp %", Transaction: uuid.Must(uuid.NewV7()), Participant: name, Payload: payload}
		if err := p.Commit(background, sent); err != nil || got.Key() != sent.Key() || !bytes.Equal(got.Payload, payload) {
			t.Errorf("%v: sent %.100v, got %.100v", err, sent, got)
		}
	}
}

type named struct {
	name string
	participant.Participant
}

func (n named) Name() string { return n.name }

// TestWrongService: a client that was given the URL of another service is refused.
func TestWrongService(t *testing.T) {
	stock := openStock(t, 10)
	p := connect(t, "payment", serve(t, httpbranch.Handler(stock, nil)).URL, &ledgerOptions)
	b := stockBranch(1)
	b.Participant = "payment"
	err := p.(participant.Preparer).Prepare(background, b)
	var status *httpbranch.StatusError
	if !errors.As(err, &status) || status.Status != http.StatusNotFound || !strings.Contains(err.Error(), `this is participant "stock"`) {
		t.Error(err)
	}
	if _, err := p.(participant.Recoverer).InDoubt(background, "shop"); !errors.As(err, &status) || status.Status != http.StatusNotFound {
		t.Error(err)
	}
}

// TestPanics: a participant that panics, or ends its goroutine, harms nobody else.
func TestPanics(t *testing.T) {
	for _, w := range ways[:2] {
		var log bytes.Buffer
		n := 0
		h := httpbranch.Handler(funcs(func(context.Context, participant.Branch) error {
			n++
			switch n {
			case 1:
				panic("the secret")
			case 2:
				runtime.Goexit()
			}
			return nil
		}), &httpbranch.HandlerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		p, closeIt := w.open(h, httpbranch.Options{})
		b := stockBranch(1)
		err := p.Commit(background, b)
		var status *httpbranch.StatusError
		if !errors.As(err, &status) || status.Status != http.StatusInternalServerError || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s, the panic: %v", w.name, err)
		}
		// Its connection is lost, so it is sent again over another.
		check(t, p.Commit(background, b))
		closeIt()
		if n != 3 || !strings.Contains(log.String(), "the secret") || !strings.Contains(log.String(), "TestPanics") {
			t.Errorf("%s: %d calls, logged: %s", w.name, n, &log)
		}
	}
}

// TestChunked: a payload of unknown length is bounded all the same.
func TestChunked(t *testing.T) {
	s := serve(t, httpbranch.Handler(funcs(done), &httpbranch.HandlerOptions{MaxPayload: 1000}))
	for size, want := range map[int]int{0: 204, 1000: 204, 1001: 413} {
		body := struct{ io.Reader }{bytes.NewReader(bytes.Repeat([]byte("1"), size))}
		r, err := http.NewRequestWithContext(background, "POST", s.URL+"/commit", body)
		must(t, err)
		r.Header.Set("Dtc-Transaction", uuid.NewString())
		r.Header.Set("Dtc-Participant", "stock")
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		answer, err := s.Client().Do(r)
		must(t, err)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%d bytes: %d", size, answer.StatusCode)
		}
	}
}
