//go:build unix

package remote_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// pause stops the process, and returns when it has stopped.
func (p *peer) pause() {
	p.t.Helper()
	var status syscall.WaitStatus
	err := syscall.Kill(p.pid, syscall.SIGSTOP)
	if err == nil {
		_, err = syscall.Wait4(p.pid, &status, syscall.WUNTRACED, nil)
	}
	if err != nil || !status.Stopped() {
		p.t.Fatalf("not stopped: %v, %v", status, err)
	}
}

func (p *peer) resume() {
	p.t.Helper()
	if err := syscall.Kill(p.pid, syscall.SIGCONT); err != nil {
		p.t.Fatal(err)
	}
}

// What a stopped peer is asked reaches it when it goes on: a Prepare too late, to
// no effect, and the Rollback.
func TestPeer_IsPausedBeforePrepare(t *testing.T) {
	t.Parallel()
	p := startPeer(t, "")
	system := quietSystem()
	n := listen(t, system, remote.Config{Insecure: true})
	config := quick
	config.ParticipantTimeout = 600 * time.Millisecond
	c := open(t, system, config)
	if err := c.Execute(background, nil, order(n, p)); err != nil {
		t.Fatal(err)
	}
	p.told("commit")
	p.pause()
	begun := time.Now()
	err := c.Execute(background, nil, order(n, p))
	if !errors.Is(err, dtc.ErrRolledBack) || !errors.Is(err, dtc.ErrTimeout) {
		t.Errorf("with a stopped peer: %v", err)
	}
	eventually(t, "its Prepare has expired", func() bool { return time.Since(begun) > 2*config.ParticipantTimeout })
	p.resume()
	settled(t, c)
	for len(p.lines) > 0 {
		if call := next[string](t, p.lines); call != "rollback" {
			t.Errorf("%s reached the participant", call)
		}
	}
	p.audit(1)
}

// A decision that a stopped peer is told takes effect once, when it goes on.
func TestPeer_IsPausedBeforeCommit(t *testing.T) {
	t.Parallel()
	p := startPeer(t, "")
	system := quietSystem()
	n := listen(t, system, remote.Config{Insecure: true})
	c := open(t, system, quick)
	decide, result := prepared(t, c, n, p)
	p.pause()
	decide()
	if err := <-result; err != nil {
		t.Errorf("decided, and told %v", err)
	}
	p.resume()
	settled(t, c)
	p.audit(1)
}

// A stopped peer is noticed: what it is asked then is refused at once. It takes the
// 12 seconds that it takes, so it is not run every time.
func TestPeer_IsNoticedWhenItStops(t *testing.T) {
	if !proof.Wanted() {
		t.Skipf("it takes 12 s; it is run with %s", proof.DirVariable)
	}
	t.Parallel()
	p := startPeer(t, "")
	system := quietSystem()
	n := listen(t, system, remote.Config{Insecure: true})
	a, stock := newAsker(t, system), n.Participant("stock", p.address)
	a.ask(stock, rollback(newBranch("stock"), 1))
	a.acked(t)
	p.pause()
	stopped := time.Now()
	eventually(t, "what it is asked is refused", func() bool {
		a.ask(stock, rollback(newBranch("stock"), 2))
		select {
		case m := <-a.answers:
			return strings.Contains(m.(*messages.Acked).GetReason(), "no connection")
		default:
			return false
		}
	})
	t.Logf("noticed after %v", time.Since(stopped))
	p.resume()
}
