package httpbranch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// pool exchanges over plain HTTP/1.1 connections to one host. It does what net/http's
// Transport does, but for what the protocol has no use for, and so makes each call in
// the caller's own goroutine: net/http's two for each connection cost a third of a call.
//
// A request is written as a whole before the answer is read. A connection is kept
// after an answer that was read to its end, and only then.
type pool struct {
	address string
	dialer  net.Dialer

	mu    sync.Mutex
	idle  []*connection // the one that was used last is at the end
	sweep *time.Timer   // nil while no connection is idle
}

func newPool(base *url.URL) *pool {
	port := base.Port()
	if port == "" {
		port = "80"
	}
	return &pool{
		address: net.JoinHostPort(base.Hostname(), port),
		dialer:  net.Dialer{Timeout: dialTimeout},
	}
}

// exchange implements exchanger. A request that was lost with a kept connection is
// sent again over another one: any call may come again.
func (p *pool) exchange(ctx context.Context, r *http.Request, limit int64) (*http.Response, []byte, error) {
	for {
		c, err := p.take(ctx)
		if err != nil {
			return nil, nil, err
		}
		response, body, err := c.exchange(ctx, r, limit)
		stale, swallowed := c.stale, c.used && err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded)
		if err == nil && !c.spent && !stale {
			p.keep(c) // and somebody else may have it at once
		} else {
			c.Close()
		}
		if swallowed {
			p.close() // whatever swallowed this one may have swallowed the others, too
		}
		if !stale || ctx.Err() != nil {
			return response, body, err
		}
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, nil, err
			}
		}
	}
}

// take returns a kept connection, or else opens one.
func (p *pool) take(ctx context.Context) (*connection, error) {
	if c := p.pop(); c != nil {
		c.used = true
		return c, nil
	}
	conn, err := p.dialer.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn}
	c.limited.R = conn
	c.reader, c.writer = bufio.NewReader(&c.limited), bufio.NewWriter(conn)
	return c, nil
}

func (p *pool) pop() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c
}

func (p *pool) keep(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) >= maxIdle {
		c.Close()
		return
	}
	c.since = time.Now()
	p.idle = append(p.idle, c)
	if p.sweep == nil {
		p.sweep = time.AfterFunc(idleTimeout, p.expire)
	}
}

// expire closes what has been idle for long, and comes again while there is more.
func (p *pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := 0
	for old < len(p.idle) && time.Since(p.idle[old].since) >= idleTimeout {
		p.idle[old].Close()
		old++
	}
	p.idle = slices.Delete(p.idle, 0, old)
	if p.sweep = nil; len(p.idle) > 0 {
		p.sweep = time.AfterFunc(idleTimeout, p.expire)
	}
}

// close drops the connections that are idle.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		c.Close()
	}
	p.idle = nil
	if p.sweep != nil {
		p.sweep.Stop()
		p.sweep = nil
	}
}

// connection is used by one call at a time.
type connection struct {
	net.Conn
	limited io.LimitedReader // bounds one answer, its header included
	reader  *bufio.Reader
	writer  *bufio.Writer

	since time.Time // when it became idle
	used  bool      // it has carried an exchange before
	stale bool      // the server had closed it before it heard of the request
	spent bool      // it must not be used again
}

// longAgo is a deadline that wakes up whoever reads or writes.
var longAgo = time.Unix(1, 0)

func (c *connection) exchange(ctx context.Context, r *http.Request, limit int64) (*http.Response, []byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(longAgo) })
	response, body, err := c.talk(r, limit)
	if !stop() || response == nil || response.Close || c.reader.Buffered() > 0 || !repeats(response, r.Header.Get(headerCall)) {
		c.spent = true // after an answer to something else, the next would be another's too
	}
	return response, body, err
}

func (c *connection) talk(r *http.Request, limit int64) (*http.Response, []byte, error) {
	unsent := c.write(r)
	// A service that does not want the request may have answered before it was
	// written, so the answer is read all the same.
	c.limited.N = maxAnswer + 2*limit // a body in chunks is longer than what is in it
	if _, err := c.reader.Peek(1); err != nil {
		c.stale = c.used && !isTimeout(err)
		return nil, nil, errors.Join(unsent, err)
	}
	response, err := c.readHeader(r)
	if c.limited.N <= 0 && err != nil {
		err = errors.New("the answer's header has no end")
	}
	if err != nil {
		return nil, nil, err
	}
	c.stale = c.used && response.StatusCode == http.StatusRequestTimeout
	body, err := readAnswer(response, limit)
	if unsent != nil {
		c.spent = true
	}
	return response, body, err
}

// ours are the headers that write sets, whatever Options.Header says.
var ours = map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Trailer": true}

// write sends a request whose length is known.
func (c *connection) write(r *http.Request) error {
	w := c.writer // an error stays until Flush
	for _, s := range [...]string{r.Method, " ", r.URL.RequestURI(), " HTTP/1.1\r\nHost: ", r.Host, "\r\n"} {
		_, _ = w.WriteString(s)
	}
	if r.Method == http.MethodPost {
		_, _ = fmt.Fprintf(w, "Content-Length: %d\r\n", r.ContentLength)
	}
	_ = r.Header.WriteSubset(w, ours) // which leaves no line break in a value
	_, _ = w.WriteString("\r\n")
	if r.Body != nil {
		_, _ = io.Copy(w, r.Body)
	}
	return w.Flush()
}

// readHeader reads up to an answer's body, and past interim answers.
func (c *connection) readHeader(r *http.Request) (*http.Response, error) {
	for range 8 {
		response, err := http.ReadResponse(c.reader, r)
		if err != nil || response.StatusCode >= 200 {
			return response, err
		}
		if response.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	return nil, errors.New("interim answers and no other")
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
