package httpbranch_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	stdslog "log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var background = context.Background()

// soon is a context for a call that may not get an answer.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("call %d: %v", i+1, err)
		}
	}
}

// check is must for goroutines that are not the test's own.
func check(t testing.TB, errs ...error) {
	for i, err := range errs {
		if err != nil {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
}

// stockBranch is a new branch that takes n widgets.
func stockBranch(n int64) participant.Branch {
	return participant.Branch{
		Coordinator: "shop",
		Transaction: uuid.Must(uuid.NewV7()),
		Participant: "stock",
		Payload:     widgets(n),
	}
}

func widgets(n int64) []byte {
	return ledger.Payload{Entries: []ledger.Entry{{Account: "widget", Delta: -n}}}.Encode()
}

// openStock opens a ledger with so many widgets.
func openStock(t testing.TB, n int64) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open("stock", filepath.Join(t.TempDir(), "ledger"), nil)
	must(t, err, l.Seed(map[string]ledger.Account{"widget": {Balance: n}}))
	t.Cleanup(func() { l.Close() })
	return l
}

// serve serves a handler until the end of the test.
func serve(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// connect makes the client's side.
func connect(t testing.TB, name, url string, o *httpbranch.Options) participant.Participant {
	t.Helper()
	p, err := httpbranch.New(name, url, o)
	must(t, err)
	t.Cleanup(func() { p.(io.Closer).Close() })
	return p
}

// ledgerOptions is what a ledger can do.
var ledgerOptions = httpbranch.Options{OnePhaseCommitter: true, Recoverer: true}

// A way to a service: each is another client, or another protocol below.
type way struct {
	name string
	open func(http.Handler, httpbranch.Options) (participant.Participant, func())
}

var ways = []way{
	{"http", func(h http.Handler, o httpbranch.Options) (participant.Participant, func()) {
		return opened(httptest.NewServer(h), o)
	}},
	{"transport", func(h http.Handler, o httpbranch.Options) (participant.Participant, func()) {
		own := new(http.Transport)
		o.Transport = own
		p, closeIt := opened(httptest.NewServer(h), o)
		return p, func() { own.CloseIdleConnections(); closeIt() }
	}},
	{"http2", func(h http.Handler, o httpbranch.Options) (participant.Participant, func()) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				panic(fmt.Sprintf("HTTP/%d is spoken, not 2", r.ProtoMajor))
			}
			h.ServeHTTP(w, r)
		}))
		s.EnableHTTP2 = true
		s.StartTLS()
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		o.TLS = &tls.Config{RootCAs: roots}
		return opened(s, o)
	}},
}

func opened(s *httptest.Server, o httpbranch.Options) (participant.Participant, func()) {
	p, err := httpbranch.New("stock", s.URL+"/dtc/stock/", &o)
	if err != nil {
		panic(err)
	}
	return p, func() {
		p.(io.Closer).Close()
		s.Close()
	}
}

// eachWay runs a test of a service over each way to it.
func eachWay(t *testing.T, h http.Handler, o httpbranch.Options, test func(*testing.T, participant.Participant)) {
	t.Helper()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			p, closeIt := w.open(h, o)
			defer closeIt()
			test(t, p)
		})
	}
}

// coordinate opens a coordinator until the end of the test.
func coordinate(t testing.TB, config dtc.Config) *dtc.Coordinator {
	t.Helper()
	config.Name = "shop"
	config.Retry = dtc.Backoff{Initial: time.Millisecond, Max: 20 * time.Millisecond}
	config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
		return stdslog.New(stdslog.NewTextHandler(io.Discard, nil))
	}))
	c, err := dtc.Open(system, config)
	must(t, err)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// eventually polls until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(10 * time.Second); ; {
		if holds() {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not yet: %s", what)
		}
	}
}
