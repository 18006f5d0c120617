package httpbranch

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// closed tells whether the other end of a pipe has been closed.
func closed(other net.Conn) bool {
	return other.SetReadDeadline(longAgo) != nil // a pipe's has an error then
}

// TestWhoSpeaksPlainHTTP: the pool is for what needs nothing but a connection.
func TestWhoSpeaksPlainHTTP(t *testing.T) {
	for host, want := range map[string]bool{
		"http://localhost":              true,
		"http://127.0.0.1:8080":         true,
		"http://[::1]:8080":             true,
		"https://localhost":             false,
		"http://[fe80::1%25eth0]:80":    false,
		"http://b\u00fccher.example:80": false,
	} {
		base, _, err := parseBase(host)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := newExchanger(base, new(Options)).(*pool); got != want {
			t.Errorf("%s: %t", host, got)
		}
	}
}

// TestIdleConnections: what nobody has used for a while is closed, and what is over
// the limit is not kept at all.
func TestIdleConnections(t *testing.T) {
	p := newPool(&url.URL{Scheme: "http", Host: "localhost"})
	var others []net.Conn
	keep := func() *connection {
		ours, other := net.Pipe()
		others = append(others, other)
		c := &connection{Conn: ours}
		p.keep(c)
		return c
	}
	for range 3 {
		keep().since = time.Now().Add(-idleTimeout)
	}
	keep()
	timer := p.sweep
	if timer == nil {
		t.Fatal("nobody will close what is idle")
	}
	p.expire()
	for i, other := range others {
		if closed(other) != (i < 3) {
			t.Errorf("connection %d is closed: %t", i, i >= 3)
		}
	}
	if timer.Stop(); p.sweep == timer || len(p.idle) != 1 {
		t.Errorf("%d are left, and the next sweep is set: %t", len(p.idle), p.sweep != timer)
	}
	for len(p.idle) < maxIdle {
		keep()
	}
	if keep(); !closed(others[len(others)-1]) {
		t.Error("one more than the limit is kept")
	}
	p.close()
	for i, other := range others {
		if !closed(other) {
			t.Errorf("connection %d is open after Close", i)
		}
	}
	if p.sweep != nil || p.pop() != nil {
		t.Error("something is left after Close")
	}
}

// TestSwallowed: when nothing comes back over a kept connection, the others that
// are kept are not tried one after the other.
func TestSwallowed(t *testing.T) {
	p := newPool(&url.URL{Scheme: "http", Host: "localhost"})
	defer p.close()
	for range 3 {
		ours, other := net.Pipe()
		defer other.Close()
		go func() { _, _ = io.Copy(io.Discard, other) }() // ends with the pipe
		c := &connection{Conn: ours, writer: bufio.NewWriter(ours)}
		c.limited.R = ours
		c.reader = bufio.NewReader(&c.limited)
		p.keep(c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	r, err := http.NewRequest(http.MethodPost, "http://localhost/prepare", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.exchange(ctx, r, 10); err == nil || len(p.idle) != 0 {
		t.Errorf("%v, and %d are kept", err, len(p.idle))
	}
}
