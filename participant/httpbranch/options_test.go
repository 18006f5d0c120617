package httpbranch_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		name, url string
		o         httpbranch.Options
		field     string
	}{
		{"", "http://x", httpbranch.Options{}, "name"},
		{"a\nb", "http://x", httpbranch.Options{}, "name"},
		{"\xff", "http://x", httpbranch.Options{}, "name"},
		{strings.Repeat("x", 129), "http://x", httpbranch.Options{}, "name"},
		{"x", "", httpbranch.Options{}, "baseURL"},
		{"x", "localhost:80", httpbranch.Options{}, "baseURL"},
		{"x", "ftp://user:secret@x", httpbranch.Options{}, "baseURL"},
		{"x", "http://", httpbranch.Options{}, "baseURL"},
		{"x", "http://:80", httpbranch.Options{}, "baseURL"},
		{"x", "http://user:secret@x:port", httpbranch.Options{}, "baseURL"},
		{"x", "http://user:sec/ret@x", httpbranch.Options{}, "baseURL"},
		{"x", "http://user:secret@x/\x7f", httpbranch.Options{}, "baseURL"},
		{"x", "http://x:65536", httpbranch.Options{}, "baseURL"},
		{"x", "http://x?token=secret", httpbranch.Options{}, "baseURL"},
		{"x", "http://x?", httpbranch.Options{}, "baseURL"},
		{"x", "http://x#secret", httpbranch.Options{}, "baseURL"},
		{"x", "http://x", httpbranch.Options{OnePhase: true, OnePhaseCommitter: true}, "Options.OnePhaseCommitter"},
		{"x", "http://x", httpbranch.Options{OnePhase: true, Recoverer: true}, "Options.Recoverer"},
		{"x", "http://x", httpbranch.Options{Timeout: -1}, "Options.Timeout"},
		{"x", "http://x", httpbranch.Options{ContentType: "a b\r\nX: y"}, "Options.ContentType"},
		{"x", "https://x", httpbranch.Options{TLS: new(tls.Config), Transport: http.DefaultTransport}, "Options.TLS"},
	} {
		p, err := httpbranch.New(c.name, c.url, &c.o)
		var bad *httpbranch.ConfigError
		if p != nil || !errors.As(err, &bad) || bad.Field != c.field || strings.Contains(err.Error(), "sec") {
			t.Errorf("%q at %q: %v, %v", c.name, c.url, p, err)
		}
	}
}

// TestCredentials: a password in the URL is sent, and stands in no error.
func TestCredentials(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "shop" || password != "s3cr3t/" {
			t.Errorf("%q:%q", user, password)
		}
		if r.Header.Get("X-Trace") != r.Header.Get("Dtc-Transaction") {
			t.Error("not the header that Options.Header has set")
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	url := strings.Replace(s.URL, "http://", "http://shop:s3cr3t%2F@", 1)
	p := connect(t, "stock", url, &httpbranch.Options{Header: func(_ context.Context, h http.Header) error {
		h.Set("X-Trace", h.Get("Dtc-Transaction"))
		return nil
	}})
	answered := p.Commit(background, stockBranch(1))
	s.Close()
	unanswered := p.Commit(background, stockBranch(1))
	for _, err := range []error{answered, unanswered} {
		if err == nil || strings.Contains(fmt.Sprintf("%+v", err), "s3cr3t") || !strings.Contains(err.Error(), s.URL) {
			t.Error(err)
		}
	}
	var status *httpbranch.StatusError
	if !errors.As(answered, &status) || status.Status != http.StatusUnauthorized {
		t.Error(answered)
	}
}

// TestHeaderStaysInside: what Options.Header sets is a header and no more, and the
// request's frame is not for it to set.
func TestHeaderStaysInside(t *testing.T) {
	var got participant.Branch
	h := httpbranch.Handler(funcs(func(_ context.Context, b participant.Branch) error {
		got = b
		return nil
	}), nil)
	seen := make(http.Header)
	o := httpbranch.Options{Header: func(_ context.Context, h http.Header) error {
		h.Set("Content-Length", "3")
		h.Set("Transfer-Encoding", "chunked")
		h.Set("Host", "elsewhere")
		h.Set("Connection", "close")
		h.Set("X-Trace", "a\r\nX-Evil: b")
		return nil
	}}
	p, closeIt := ways[0].open(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		h.ServeHTTP(w, r)
	}), o)
	defer closeIt()
	b := stockBranch(1)
	must(t, p.Commit(background, b))
	if string(got.Payload) != string(b.Payload) || seen.Get("X-Evil") != "" || seen.Get("X-Trace") != "a  X-Evil: b" || seen.Get("Connection") != "" {
		t.Errorf("%q, %v", got.Payload, seen)
	}
}

// TestHeaderFails: without a token nothing is sent.
func TestHeaderFails(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	noToken := errors.New("no token")
	p := connect(t, "stock", s.URL, &httpbranch.Options{Header: func(context.Context, http.Header) error { return noToken }})
	if err := p.Commit(background, stockBranch(1)); !errors.Is(err, noToken) {
		t.Error(err)
	}
}

// TestEndedContext: a call whose time is up already sends nothing.
func TestEndedContext(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	p := connect(t, "stock", s.URL, &ledgerOptions)
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, listed := p.(participant.Recoverer).InDoubt(ctx, "shop")
	for _, err := range []error{p.Commit(ctx, stockBranch(1)), listed} {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// TestDeadline: the service is told when its caller stops waiting, and that has an end
// though the context has none.
func TestDeadline(t *testing.T) {
	var told time.Time
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.ParseInt(r.Header.Get("Dtc-Deadline"), 10, 64)
		told = time.UnixMilli(ms)
		w.Header().Set("Dtc-Call", r.Header.Get("Dtc-Call"))
	}))
	p := connect(t, "stock", s.URL, &httpbranch.Options{Timeout: time.Hour})
	before := time.Now().Add(time.Hour - time.Millisecond)
	must(t, p.Commit(background, stockBranch(1)))
	if told.Before(before) || told.After(time.Now().Add(time.Hour)) {
		t.Errorf("told %v", told)
	}
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	must(t, p.Commit(ctx, stockBranch(1)))
	if want, _ := ctx.Deadline(); told != want.Truncate(time.Millisecond).Local() && told.UnixMilli() != want.UnixMilli() {
		t.Errorf("told %v, not %v", told, want)
	}
	silent, _ := raw(t, "", hang)
	impatient := connect(t, "stock", silent, &httpbranch.Options{Timeout: 50 * time.Millisecond})
	if err := impatient.Commit(background, stockBranch(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// TestLists: the list of another kind of service is no empty list, and what is another
// coordinator's is left alone.
func TestLists(t *testing.T) {
	const id = "01a20666-5b4e-7253-965b-cb8b37b7a090"
	for body, want := range map[string]int{
		`{"branches": []}`: 0,
		`{"branches": [{"transaction": "` + id + `", "coordinator": "shop"}, {"transaction": "` + id + `", "coordinator": "another"}]}`: 1,
		`{"branches": [{"transaction": "` + id + `"}]}`:                    0,
		`{"branches": [{"transaction": "17", "coordinator": "shop"}]}`:     -1,
		`{"branches": [{"transaction": "` + id + `", "coordinator": "shop`: -1,
		`{"branches": null}`: -1,
		`{}`:                 -1,
		`[]`:                 -1,
		`<html>`:             -1,
		``:                   -1,
	} {
		s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("participant") != "stock" {
				t.Errorf("asked %s", r.URL)
			}
			if r.URL.Query().Get("coordinator") == "shop" {
				w.Header().Set("Dtc-Call", r.Header.Get("Dtc-Call"))
			}
			_, _ = w.Write([]byte(body))
		}))
		p := connect(t, "stock", s.URL, &ledgerOptions).(participant.Recoverer)
		if _, err := p.InDoubt(background, "another"); err == nil {
			t.Error("a list that does not repeat the call was taken")
		}
		if ids, err := p.InDoubt(background, "shop"); (err != nil) != (want < 0) || err == nil && len(ids) != want {
			t.Errorf("%s: %v, %v", body, ids, err)
		}
	}
}
