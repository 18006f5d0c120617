package httpbranch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// tell makes a call about a branch; nil says that it was done.
func (c *client) tell(ctx context.Context, e *endpoint, b participant.Branch) error {
	ctx, cancel, err := c.within(ctx)
	if err != nil {
		return &CallError{e.call, c.shown, err}
	}
	defer cancel()
	key := b.Transaction.String() + e.suffix
	request := &http.Request{
		Method: http.MethodPost,
		URL:    e.url,
		Host:   e.url.Host,
		Header: c.headers(ctx, key, b),
	}
	if len(b.Payload) > 0 {
		request.ContentLength = int64(len(b.Payload))
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Payload)), nil }
		request.Body, _ = request.GetBody()
	}
	response, body, err := c.send(ctx, e, request, maxAnswer)
	if err != nil {
		return err
	}
	return c.read(e, response, body, b.Transaction, key)
}

// list asks for the branches in doubt.
func (c *client) list(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	e := &c.inDoubt
	ctx, cancel, err := c.within(ctx)
	if err != nil {
		return nil, &CallError{e.call, c.shown, err}
	}
	defer cancel()
	address := *e.url
	address.RawQuery = url.Values{"coordinator": {coordinator}, "participant": {c.name}}.Encode()
	key := escape(coordinator) + e.suffix
	header := c.fixed.Clone()
	header.Set(headerCall, key)
	header.Set("Cache-Control", "no-store")
	request := &http.Request{Method: http.MethodGet, URL: &address, Host: address.Host, Header: header}
	response, body, err := c.send(ctx, e, request, maxListing)
	if err != nil {
		return nil, err
	}
	return c.readList(e, response, body, coordinator, key)
}

// within gives the call an end.
func (c *client) within(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	return ctx, cancel, nil
}

// headers are those of a call about a branch.
func (c *client) headers(ctx context.Context, key string, b participant.Branch) http.Header {
	h := make(http.Header, len(c.fixed)+6)
	for name, values := range c.fixed {
		h[name] = values
	}
	deadline, _ := ctx.Deadline()
	transaction, _, _ := strings.Cut(key, "/")
	values := [...]string{key, transaction, strconv.FormatInt(deadline.UnixMilli(), 10), escape(b.Coordinator)}
	h[headerCall] = values[0:1:1]
	h[headerTransaction] = values[1:2:2]
	h[headerDeadline] = values[2:3:3]
	if b.Coordinator != "" {
		h[headerCoordinator] = values[3:4:4]
	}
	if len(b.Payload) > 0 {
		h["Content-Type"] = c.contentType
	}
	// Not sent, but tells the transport that a request which was lost with a kept
	// connection may be sent again.
	h["Idempotency-Key"] = nil
	return h
}

// send makes a call and reads its answer to the end.
func (c *client) send(ctx context.Context, e *endpoint, request *http.Request, limit int64) (*http.Response, []byte, error) {
	if c.header != nil {
		if err := c.header(ctx, request.Header); err != nil {
			return nil, nil, &CallError{e.call, c.shown, fmt.Errorf("Options.Header: %w", err)}
		}
	}
	response, body, err := c.exchanger.exchange(ctx, request, limit)
	switch {
	case err == nil:
		return response, body, nil
	case response == nil:
		return nil, nil, &CallError{e.call, c.shown, because(ctx, err)}
	case err == errTooLong:
		return nil, nil, c.broken(e, response, fmt.Sprintf("the answer is longer than %d bytes", limit), nil)
	}
	return nil, nil, c.broken(e, response, "the answer was cut off", because(ctx, err))
}

// because prefers the context's error: the transport's may have come of it.
func because(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return err
}
