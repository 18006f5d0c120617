package httpbranch_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// behind puts a proxy between a client and a ledger.
func behind(t *testing.T, n int64) (*serverstest.Proxy, participant.OnePhaseCommitter) {
	t.Helper()
	s := serve(t, httpbranch.Handler(openStock(t, n), nil))
	proxy := serverstest.NewProxy(t, s.Listener.Addr().String())
	return proxy, connect(t, "stock", "http://"+proxy.Addr(), &ledgerOptions).(participant.OnePhaseCommitter)
}

// TestConnectionsAreLost: kept connections that are gone cost no call anything.
func TestConnectionsAreLost(t *testing.T) {
	proxy, p := behind(t, 100)
	for range 3 {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				b := stockBranch(1)
				check(t, p.Prepare(background, b), p.Commit(background, b))
			})
		}
		all.Wait()
		proxy.Cut()
	}
}

// TestNoConnection: without a service there is an error at once, and no answer.
func TestNoConnection(t *testing.T) {
	proxy, p := behind(t, 10)
	proxy.Refuse(true)
	var call *httpbranch.CallError
	if err := p.Prepare(background, stockBranch(1)); !errors.As(err, &call) || call.Call != "prepare" {
		t.Errorf("refused: %v", err)
	}
	proxy.Refuse(false)
	must(t, p.Prepare(background, stockBranch(1)))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err, l.Close())
	gone := connect(t, "stock", "http://"+l.Addr().String(), nil)
	if err := gone.Commit(background, stockBranch(1)); !errors.As(err, &call) {
		t.Errorf("nobody listens: %v", err)
	}
	nowhere := connect(t, "stock", "http://stock.invalid", nil)
	var dns *net.DNSError
	if err := nowhere.Commit(background, stockBranch(1)); !errors.As(err, &dns) {
		t.Errorf("no such host: %v", err)
	}
}

// TestCutCable: a call over a connection that is silent ends when its time is up, what
// was held arrives after the branch's rollback, and finds it rolled back.
func TestCutCable(t *testing.T) {
	proxy, p := behind(t, 10)
	must(t, p.Prepare(background, stockBranch(1)))
	late := stockBranch(1)
	proxy.Hold()
	if err := p.Prepare(soon(t), late); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no byte passes: %v", err)
	}
	if err := p.Rollback(soon(t), late); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no byte passes: %v", err)
	}
	proxy.Release()
	must(t, p.Rollback(background, late))
	if err := p.Prepare(background, late); !errors.Is(err, participant.ErrRolledBack) {
		t.Errorf("after the rollback: %v", err)
	}
	ids, err := p.(participant.Recoverer).InDoubt(background, "shop")
	if err != nil || len(ids) != 1 || ids[0] == late.Transaction {
		t.Errorf("in doubt: %v, %v", ids, err)
	}
}

// TestManyCallers: a thousand at once, over as many connections, which are kept.
func TestManyCallers(t *testing.T) {
	const callers = 1000
	var arrived, connections atomic.Int64
	all := make(chan struct{})
	s := httptest.NewUnstartedServer(httpbranch.Handler(funcs(func(context.Context, participant.Branch) error {
		if arrived.Add(1) == callers {
			close(all)
		}
		<-all
		return nil
	}), nil))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	p := connect(t, "stock", s.URL, nil).(participant.Preparer)
	var done sync.WaitGroup
	for range callers {
		done.Go(func() {
			b := stockBranch(1)
			ctx, cancel := context.WithTimeout(background, time.Minute)
			defer cancel()
			check(t, p.Prepare(ctx, b), p.Commit(ctx, b), p.Commit(ctx, b))
		})
	}
	done.Wait()
	if n := connections.Load(); n > callers {
		t.Errorf("%d connections for %d callers", n, callers)
	}
}

// TestUnaskedAnswers: what a service says though nobody asked is no answer.
func TestUnaskedAnswers(t *testing.T) {
	twice := ok + "Content-Length: 0\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n"
	url, requests := raw(t, twice, nil)
	p := connect(t, "stock", url, nil)
	must(t, p.Commit(background, stockBranch(1)), p.Commit(background, stockBranch(2)))
	if requests.Load() != 2 {
		t.Errorf("%d requests", requests.Load())
	}
}

// TestLateAnswer: an answer that comes when nobody waits for it is not taken for the
// answer to the next call, and costs that call alone.
func TestLateAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	again := make(chan struct{})
	var commits atomic.Int64
	var all sync.WaitGroup
	all.Go(func() {
		for first := true; ; first = false {
			c, err := l.Accept()
			if err != nil {
				return
			}
			late := first
			all.Go(func() {
				defer c.Close()
				for in := bufio.NewReader(c); ; {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					if _, _ = io.Copy(io.Discard, r.Body); r.URL.Path == "/commit" {
						commits.Add(1)
					}
					answer := strings.Replace(ok, "ID", r.Header.Get("Dtc-Call"), 1) + "Content-Length: 0\r\n\r\n"
					_, _ = io.WriteString(c, answer)
					if late {
						<-again
						_, _ = io.WriteString(c, answer)
						late = false
						again <- struct{}{}
					}
				}
			})
		}
	})
	p := connect(t, "stock", "http://"+l.Addr().String(), nil)
	b := stockBranch(1)
	must(t, p.(participant.Preparer).Prepare(background, b))
	again <- struct{}{}
	<-again
	if err := p.Commit(background, b); err == nil && commits.Load() == 0 || err != nil && !strings.Contains(err.Error(), "does not repeat") {
		t.Errorf("%d commits have arrived: %v", commits.Load(), err)
	}
	must(t, p.Commit(background, stockBranch(1)), p.(io.Closer).Close(), l.Close())
	all.Wait()
}

// TestNotKept: connections that the service does not keep are not used again, and an
// interim answer is none.
func TestNotKept(t *testing.T) {
	for answer, then := range map[string]func(net.Conn){
		strings.Replace(ok, "1.1", "1.0", 1) + "\r\n":         hangUp,
		ok + "Connection: close\r\n\r\n":                      hangUp,
		ok + "Connection: close\r\nContent-Length: 0\r\n\r\n": hang,
		"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n": hangUp,
	} {
		url, _ := raw(t, answer, then)
		p := connect(t, "stock", url, nil)
		must(t, p.Commit(soon(t), stockBranch(1)), p.Commit(soon(t), stockBranch(1)))
	}
}

// TestSlowBody: whoever sends a payload by the drop is bounded by the server's
// ReadTimeout, and holds up no other call of the branch.
func TestSlowBody(t *testing.T) {
	s := httptest.NewUnstartedServer(httpbranch.Handler(funcs(done), nil))
	s.Config.ReadTimeout = 100 * time.Millisecond
	s.Start()
	t.Cleanup(s.Close)
	b := stockBranch(1)
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	must(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "POST /commit HTTP/1.1\r\nHost: x\r\nDtc-Transaction: %s\r\nDtc-Participant: stock\r\nContent-Length: 10\r\n\r\n1", b.Transaction)
	must(t, err, connect(t, "stock", s.URL, nil).Commit(background, b))
	answer, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(answer), "cut off") {
		t.Errorf("%v: %s", err, answer)
	}
}
