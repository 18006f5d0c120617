package httpbranch_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// raw is a service that answers each request with these bytes, in which ID stands for
// the call, and then does with the connection what it is told.
func raw(t *testing.T, answer string, then func(net.Conn)) (url string, requests *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	requests = new(atomic.Int64)
	var all sync.WaitGroup
	ended := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		close(ended)
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				go func() { <-ended; c.Close() }()
				for in := bufio.NewReader(c); ; {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					requests.Add(1)
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(c, strings.ReplaceAll(answer, "ID", r.Header.Get("Dtc-Call")))
					if then != nil {
						then(c)
						return
					}
				}
			})
		}
	})
	return "http://" + l.Addr().String(), requests
}

// slowly goes on sending until the connection is closed.
func slowly(text string) func(net.Conn) {
	return func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

func hang(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func hangUp(net.Conn) {}

const ok = "HTTP/1.1 200 OK\r\nDtc-Call: ID\r\n"

// hostile is what is no yes, whoever sent it.
var hostile = []struct {
	name   string
	answer string
	then   func(net.Conn)
	says   string // in the error
}{
	{"another's answer", strings.Replace(ok, "ID", uuid.NewString(), 1) + "Content-Length: 0\r\n\r\n", nil, "does not repeat"},
	{"an answer to another of its calls", strings.Replace(ok, "ID", "IDx", 1) + "Content-Length: 0\r\n\r\n", nil, "does not repeat"},
	{"login page", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", nil, "does not repeat"},
	{"two calls", ok + "Dtc-Call: ID\r\nContent-Length: 0\r\n\r\n", nil, "does not repeat"},
	{"accepted", "HTTP/1.1 202 Accepted\r\nDtc-Call: ID\r\nContent-Length: 0\r\n\r\n", nil, "202 Accepted"},
	{"partial", "HTTP/1.1 206 Partial Content\r\nDtc-Call: ID\r\nContent-Length: 0\r\n\r\n", nil, "206"},
	{"redirect", "HTTP/1.1 307 Temporary Redirect\r\nDtc-Call: ID\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", nil, "redirects are not followed"},
	{"switches", "HTTP/1.1 101 Switching Protocols\r\nDtc-Call: ID\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", nil, ""},
	{"interim for ever", "", slowly("HTTP/1.1 103 Early Hints\r\nDtc-Call: ID\r\n\r\n"), ""},
	{"no status", "hello\r\n\r\n", hangUp, ""},
	{"nothing", "", hangUp, ""},
	{"silence", "", hang, "deadline"},
	{"half a header", "HTTP/1.1 200 OK\r\nDtc-Cal", hangUp, ""},
	{"half a header, silence", "HTTP/1.1 200 OK\r\nDtc-Cal", hang, "deadline"},
	{"half a body", ok + "Content-Length: 10\r\n\r\n12345", hangUp, "cut off"},
	{"half a body, silence", ok + "Content-Length: 10\r\n\r\n12345", hang, "deadline"},
	{"half a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\n123", hangUp, "cut off"},
	{"bad chunk", ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", hangUp, "cut off"},
	{"two lengths", ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n12", hangUp, ""},
	{"header for ever", "HTTP/1.1 200 OK\r\n", slowly("X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"), ""},
	{"line for ever", "HTTP/1.1 200 OK\r\nX-A: ", slowly(strings.Repeat("a", 4096)), ""},
	{"body for ever", ok + "\r\n", slowly(strings.Repeat("a", 4096)), ""},
	{"huge body", ok + "Content-Length: 100000000\r\n\r\n", slowly(strings.Repeat("a", 4096)), ""},
	{"odd vote", ok + "Dtc-Vote: no\r\nContent-Length: 0\r\n\r\n", nil, "Dtc-Vote"},
	{"two votes", ok + "Dtc-Vote: read-only\r\nDtc-Vote: no\r\nContent-Length: 0\r\n\r\n", nil, "Dtc-Vote"},
}

// TestHostileAnswers: what is no answer of the protocol is an error, before the
// call's time is up, and stands for nothing that a service could have said.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	for _, h := range hostile {
		for _, own := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, transport: %t", h.name, own), func(t *testing.T) {
				t.Parallel()
				url, _ := raw(t, h.answer, h.then)
				o := &httpbranch.Options{}
				if own {
					transport := new(http.Transport)
					t.Cleanup(transport.CloseIdleConnections)
					o.Transport = transport
				}
				p := connect(t, "stock", url, o).(participant.Preparer)
				err := p.Prepare(soon(t), stockBranch(1))
				if err == nil || !strings.Contains(err.Error(), h.says) || len(err.Error()) > 2000 {
					t.Errorf("%v; it should say %q", err, h.says)
				}
				for _, said := range []error{participant.ErrReadOnly, participant.ErrRolledBack, participant.ErrCommitted, participant.ErrNotPrepared} {
					if errors.Is(err, said) {
						t.Errorf("%v is taken for %v", err, said)
					}
				}
			})
		}
	}
}

// TestEndlessHeader: it does not take the time of a call to see that it has no end.
func TestEndlessHeader(t *testing.T) {
	url, _ := raw(t, "HTTP/1.1 200 OK\r\n", slowly("X-A: "+strings.Repeat("a", 1000)+"\r\n"))
	if err := connect(t, "stock", url, nil).Commit(background, stockBranch(1)); err == nil || !strings.Contains(err.Error(), "no end") {
		t.Error(err)
	}
}

const problemHeader = "Content-Type: application/problem+json; charset=utf-8\r\nConnection: close\r\n\r\n"

// TestProblems: a refusal is told in the service's words, made fit for a log, and
// stands for something only if it is the service's to this very call.
func TestProblems(t *testing.T) {
	rolledBack := `{"type": "urn:dtc:rolled-back", "title": "no", "detail": "too late", "status": "409"}`
	for _, c := range []struct {
		name, answer string
		is           error
	}{
		{"rolled back", "HTTP/1.1 409 Conflict\r\nDtc-Call: ID\r\n" + problemHeader + rolledBack, participant.ErrRolledBack},
		{"of another call", "HTTP/1.1 409 Conflict\r\nDtc-Call: " + uuid.NewString() + "\r\n" + problemHeader + rolledBack, nil},
		{"of nobody", "HTTP/1.1 409 Conflict\r\n" + problemHeader + rolledBack, nil},
		{"another status", "HTTP/1.1 500 Oops\r\nDtc-Call: ID\r\n" + problemHeader + rolledBack, nil},
		{"another type of content", "HTTP/1.1 409 Conflict\r\nDtc-Call: ID\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + rolledBack, nil},
		{"broken", "HTTP/1.1 409 Conflict\r\nDtc-Call: ID\r\n" + problemHeader + rolledBack[:60], nil},
		{"not prepared", "HTTP/1.1 409 Conflict\r\nDtc-Call: ID\r\n" + problemHeader + `{"type": "urn:dtc:not-prepared"}`, participant.ErrNotPrepared},
		{"committed", "HTTP/1.1 409 Conflict\r\nDtc-Call: ID\r\n" + problemHeader + `{"type": "urn:dtc:committed"}`, participant.ErrCommitted},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, _ := raw(t, c.answer, hangUp)
			p := connect(t, "stock", url, &ledgerOptions).(participant.OnePhaseCommitter)
			err := p.CommitOnePhase(soon(t), stockBranch(1))
			var status *httpbranch.StatusError
			if !errors.As(err, &status) {
				t.Fatal(err)
			}
			for _, meaning := range []error{participant.ErrRolledBack, participant.ErrNotPrepared, participant.ErrCommitted} {
				if errors.Is(err, meaning) != (meaning == c.is) {
					t.Errorf("%v stands for %v", err, meaning)
				}
			}
			if committed, err := p.Committed(soon(t), stockBranch(1)); committed || (err == nil) != (c.is == participant.ErrRolledBack) {
				t.Errorf("committed: %t, %v", committed, err)
			}
		})
	}
}

func TestForgotten(t *testing.T) {
	url, _ := raw(t, "HTTP/1.1 409 Conflict\r\nDtc-Call: ID\r\n"+problemHeader+`{"type": "urn:dtc:forgotten"}`, hangUp)
	b := stockBranch(1)
	var forgotten *participant.ForgottenError
	if err := connect(t, "stock", url, nil).Rollback(soon(t), b); !errors.As(err, &forgotten) || forgotten.Transaction != b.Transaction {
		t.Error(err)
	}
}

// TestTextsOfOthers: what another side says gets into errors, and from there into logs.
func TestTextsOfOthers(t *testing.T) {
	evil := `{"type": "urn:x", "title": "a\nb\u001b[31m\u202e", "detail": "` + strings.Repeat("x", 5000) + `"}`
	url, _ := raw(t, "HTTP/1.1 409 Conflict\r\nDtc-Call: ID\r\n"+problemHeader+evil, hangUp)
	err := connect(t, "stock", url, nil).Commit(soon(t), stockBranch(1))
	if err == nil || len(err.Error()) > 1500 || strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%q", err)
	}
	url, _ = raw(t, "HTTP/1.1 500 \x1b[31mred\nline\r\n\x1b\n: x\r\n\r\n", hangUp)
	err = connect(t, "stock", url, nil).Commit(soon(t), stockBranch(1))
	if err == nil || strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%q", err)
	}
}
