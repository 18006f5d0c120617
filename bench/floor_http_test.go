package bench

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// httpPayload is what a call carries, to a participant and in the floor.
var httpPayload = []byte(`{"order":"A-4711","customer":"alice","lines":[{"item":"apple","quantity":2,"price":150}]}`)

// httpFloor makes bare HTTP calls, with a client and a handler that do nothing
// else.
type httpFloor struct {
	client http.Client
	urls   []string
}

func newHTTPFloor(tb testing.TB, services int) *httpFloor {
	f := &httpFloor{client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}}}
	tb.Cleanup(f.client.CloseIdleConnections)
	for range services {
		f.urls = append(f.urls, serveHTTP(tb, http.HandlerFunc(bare)))
	}
	return f
}

// bare reads what it is sent, and says yes.
func bare(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
}

// calls makes one call to each service, one after another, so often.
func (f *httpFloor) calls(times int) func() error {
	return func() error {
		for range times {
			for _, url := range f.urls {
				if err := f.call(url); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func (f *httpFloor) call(url string) error {
	answer, err := f.client.Post(url, "application/json", bytes.NewReader(httpPayload))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if closed := answer.Body.Close(); err == nil {
		err = closed
	}
	return err
}

// serveHTTP serves on the loopback interface until the test ends, and returns the
// URL.
func serveHTTP(tb testing.TB, h http.Handler) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	tb.Cleanup(func() {
		_ = s.Close() // the clients have gone
		<-ended
	})
	return "http://" + l.Addr().String()
}

// overHTTP returns participants that do nothing, behind HTTP.
func overHTTP(tb testing.TB, o *httpbranch.Options) []participant.Participant {
	return three(func(name string) participant.Participant {
		var p participant.Participant = idle{name}
		if !o.OnePhase {
			p = idlePreparer{idle{name}}
		}
		reached, err := httpbranch.New(name, serveHTTP(tb, httpbranch.Handler(p, nil)), o)
		if err != nil {
			tb.Fatal(err)
		}
		if c, ok := reached.(io.Closer); ok {
			tb.Cleanup(func() { _ = c.Close() })
		}
		return reached
	})
}
