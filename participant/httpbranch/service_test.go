package httpbranch_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// Variables of a child that is a service.
const (
	serviceDir     = "DTC_HTTPBRANCH_DIR"
	serviceAddress = "DTC_HTTPBRANCH_ADDRESS"
	serviceTrouble = "DTC_HTTPBRANCH_TROUBLE" // "prepare before": what to do it at
	serviceDoes    = "DTC_HTTPBRANCH_DOES"    // "die" or "pause"
)

// service is a ledger of 10 widgets behind a handler, in a process of its own.
type service struct {
	*crashtest.Child
	t       *testing.T
	dir     string
	address string
	pid     int
	gone    chan struct{}
}

// startService starts one that is in trouble once, or never.
func startService(t *testing.T, trouble, does string) *service {
	t.Helper()
	s := &service{t: t, dir: t.TempDir(), address: "127.0.0.1:0"}
	s.start(trouble, does)
	t.Cleanup(s.stop)
	return s
}

func (s *service) start(trouble, does string) {
	s.t.Helper()
	child, err := crashtest.Start("TestServiceProcess",
		serviceDir+"="+s.dir, serviceAddress+"="+s.address, serviceTrouble+"="+trouble, serviceDoes+"="+does)
	must(s.t, err)
	s.Child, s.gone = child, make(chan struct{})
	up := make(chan string, 1)
	go func(gone chan struct{}) {
		defer close(gone)
		for line := range child.Lines() {
			up <- line
		}
	}(s.gone)
	select {
	case line := <-up:
		_, err := fmt.Sscan(line, &s.address, &s.pid)
		must(s.t, err)
	case <-s.gone:
		s.t.Fatal("the service did not start: ", child.Wait())
	}
}

// stop kills it, and returns when it is gone.
func (s *service) stop() {
	must(s.t, s.Kill())
	<-s.gone
	if err := s.Wait(); err != nil {
		s.t.Error(err)
	}
}

// restart starts it again when it has died.
func (s *service) restart() {
	s.t.Helper()
	<-s.gone
	must(s.t, s.Wait())
	s.start("", "")
}

func (s *service) url() string { return "http://" + s.address + "/dtc" }

// widgets are how many there are, and how many of these are reserved.
func (s *service) widgets() (balance, reserved int64) {
	answer, err := http.Get("http://" + s.address + "/widgets")
	if err != nil {
		return -1, -1
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	_, _ = fmt.Sscan(string(body), &balance, &reserved)
	return balance, reserved
}

// TestServiceProcess is the process of a service.
func TestServiceProcess(t *testing.T) {
	dir := os.Getenv(serviceDir)
	if dir == "" {
		t.Skip("it is a child of other tests")
	}
	go crashtest.EndWithParent()
	l, err := ledger.Open("stock", filepath.Join(dir, "ledger"), nil)
	must(t, err, l.Seed(map[string]ledger.Account{"widget": {Balance: 10}}))
	mux := http.NewServeMux()
	mux.Handle("/dtc/", troubled(httpbranch.Handler(l, nil)))
	mux.HandleFunc("/widgets", func(w http.ResponseWriter, _ *http.Request) {
		balance, _ := l.Balance("widget")
		reserved, _ := l.Reserved()
		_, _ = fmt.Fprintln(w, balance, reserved["widget"])
	})
	listener := listen(t, os.Getenv(serviceAddress))
	crashtest.Tell(listener.Addr().String() + " " + strconv.Itoa(os.Getpid()))
	t.Fatal(http.Serve(listener, mux))
}

// listen waits until the address is free.
func listen(t *testing.T, address string) (l net.Listener) {
	eventually(t, "the address is free", func() (free bool) {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	})
	return l
}

// troubled dies or pauses once, before or after a call took effect, and then without
// an answer.
func troubled(h http.Handler) http.Handler {
	call, when, _ := strings.Cut(os.Getenv(serviceTrouble), " ")
	does := map[string]func(){"die": crashtest.Die, "pause": pauseSelf}[os.Getenv(serviceDoes)]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Base(r.URL.Path) != call || does == nil {
			h.ServeHTTP(w, r)
			return
		}
		trouble := does
		does = nil
		if when == "after" {
			h.ServeHTTP(httptest.NewRecorder(), r)
			trouble()
			panic(http.ErrAbortHandler)
		}
		trouble()
		h.ServeHTTP(w, r)
	})
}
