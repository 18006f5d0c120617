package httpbranch

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// exchanger sends requests and reads answers to their end, of at most limit bytes.
// An error without a response is a request that was not answered; one with a
// response, an answer that was not read to its end.
type exchanger interface {
	exchange(ctx context.Context, r *http.Request, limit int64) (*http.Response, []byte, error)
	close()
}

const (
	// maxIdle is how many connections are kept. With fewer than there are calls at
	// a time, each call past them would open one and close it.
	maxIdle     = 1024
	idleTimeout = time.Minute
	dialTimeout = 10 * time.Second
)

var errTooLong = errors.New("it is too long")

// newExchanger takes the lean one where it can do all that is asked.
func newExchanger(base *url.URL, o *Options) exchanger {
	if o.Transport != nil {
		return transport{RoundTripper: o.Transport}
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
	if base.Scheme == "http" && plain(base.Host) && proxy == nil && err == nil {
		return newPool(base)
	}
	own := newTransport(o.TLS)
	return transport{RoundTripper: own, own: own}
}

// plain tells whether a host can stand in a header and be dialled as it is: it has no
// letters to be translated, and no zone.
func plain(host string) bool {
	return !strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || r == '%' })
}

// transport exchanges over net/http's own client.
type transport struct {
	http.RoundTripper
	own *http.Transport // nil where it is the user's
}

func (t transport) exchange(ctx context.Context, r *http.Request, limit int64) (*http.Response, []byte, error) {
	response, err := t.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := readAnswer(response, limit)
	return response, body, err
}

func (t transport) close() {
	if t.own != nil {
		t.own.CloseIdleConnections()
	}
}

// readAnswer reads a body to its end, so that the connection can be used again.
func readAnswer(r *http.Response, limit int64) ([]byte, error) {
	if r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = errTooLong
	}
	return body, err
}

func newTransport(config *tls.Config) *http.Transport {
	if config != nil {
		config = config.Clone()
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswer,
		DisableCompression:     true,
		// A cut cable is found though other calls share the connection.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
	}
}
