package sqlbranch_test

import (
	"bytes"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
)

// fate is what becomes of a COMMIT on its way.
type fate int32

const (
	passes  fate = iota
	lost         // it never arrives, and the connection breaks
	unheard      // it arrives, its answer does not, and the connection breaks
	held         // it stays on the way, and so does everything after it
)

// wire stands between a pool and its server, and knows a COMMIT when it passes,
// as both drivers send it.
type wire struct {
	next    atomic.Int32  // the fate of the next COMMIT
	holding chan struct{} // gets one for each that is held
	release func()        // breaks the connections that are held
	free    chan struct{} // closed by release
}

// commitWire returns the DSN that leads through a new wire to the server in dsn.
func commitWire(t testing.TB, dsn string) (*wire, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &wire{holding: make(chan struct{}, 1), free: make(chan struct{})}
	w.release = sync.OnceFunc(func() { close(w.free) })
	addr := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	server := addr.FindString(dsn)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { w.join(client, server) })
		}
	})
	t.Cleanup(func() {
		w.release()
		l.Close()
		all.Wait()
	})
	return w, addr.ReplaceAllLiteralString(dsn, l.Addr().String())
}

func (w *wire) set(f fate) { w.next.Store(int32(f)) }

// join passes bytes until either side is gone.
func (w *wire) join(client net.Conn, addr string) {
	defer client.Close()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	var deaf atomic.Bool
	var all sync.WaitGroup
	all.Go(func() {
		defer client.Close()
		defer server.Close()
		_ = pass(client, server, func([]byte) bool { return !deaf.Load() })
	})
	all.Go(func() {
		defer server.Close()
		_ = pass(server, client, func(b []byte) bool {
			if !bytes.HasSuffix(b, []byte("commit\x00")) && !bytes.HasSuffix(b, []byte("\x03COMMIT")) {
				return true
			}
			switch fate(w.next.Swap(int32(passes))) {
			case lost:
				client.Close()
				return false
			case unheard:
				deaf.Store(true)
			case held:
				w.holding <- struct{}{}
				<-w.free
				return false
			}
			return true
		})
	})
	all.Wait()
}

// pass copies from one connection to the other as long as ok says so.
func pass(to, from net.Conn, ok func([]byte) bool) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil || !ok(buffer[:n]) {
			return err
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return err
		}
	}
}
