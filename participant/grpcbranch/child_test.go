//go:build unix

package grpcbranch_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// addrVariable tells a child where to serve.
const addrVariable = "DTC_GRPCBRANCH_ADDR"

// accounts of the shop.
const accounts = 16

// TestServiceProcess is the service, in a process of its own.
func TestServiceProcess(t *testing.T) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		t.Skip("only in a child")
	}
	l, err := openLedger(dir, "stock", accounts)
	must(t, err)
	listener, err := net.Listen("tcp", os.Getenv(addrVariable))
	must(t, err)
	server := grpc.NewServer(grpcbranch.ServerOptions()...)
	must(t, grpcbranch.Register(server, nil, doomed{l, dir}))
	crashtest.Tell(fmt.Sprintf("%d %s", os.Getpid(), listener.Addr()))
	go crashtest.EndWithParent()
	must(t, server.Serve(listener))
}

// doomed ends its process, or waits to be stopped, at the moments that the file "doom"
// names, one after the other.
type doomed struct {
	*ledger.Ledger
	dir string
}

func (d doomed) at(moment string) {
	file := filepath.Join(d.dir, "doom")
	text, err := os.ReadFile(file)
	first, rest, _ := strings.Cut(string(text), "\n")
	how, when, _ := strings.Cut(first, " ")
	if err != nil || when != moment || os.WriteFile(file, []byte(rest), 0o600) != nil {
		return
	}
	if how == "kill" {
		crashtest.Die()
	}
	crashtest.Tell("here")
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for os.Remove(filepath.Join(d.dir, "resumed")) != nil {
		<-tick.C
	}
}

func (d doomed) Prepare(ctx context.Context, b participant.Branch) error {
	d.at("before Prepare")
	defer d.at("after Prepare")
	return d.Ledger.Prepare(ctx, b)
}

func (d doomed) Commit(ctx context.Context, b participant.Branch) error {
	d.at("before Commit")
	defer d.at("after Commit")
	return d.Ledger.Commit(ctx, b)
}

func (d doomed) Rollback(ctx context.Context, b participant.Branch) error {
	d.at("before Rollback")
	defer d.at("after Rollback")
	return d.Ledger.Rollback(ctx, b)
}

func (d doomed) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	d.at("before CommitOnePhase")
	defer d.at("after CommitOnePhase")
	return d.Ledger.CommitOnePhase(ctx, b)
}

func (d doomed) Committed(ctx context.Context, b participant.Branch) (bool, error) {
	d.at("before Committed")
	defer d.at("after Committed")
	return d.Ledger.Committed(ctx, b)
}

// process is the child, as the test sees it.
type process struct {
	t     testing.TB
	dir   string
	addr  string
	pid   int
	child *crashtest.Child
	lines chan string // closed when the child is gone
}

func startProcess(t testing.TB) *process {
	p := &process{t: t, dir: t.TempDir(), addr: "127.0.0.1:0"}
	p.start()
	t.Cleanup(p.kill)
	return p
}

// start starts the child, again at the same address, and returns when it serves.
func (p *process) start() {
	p.t.Helper()
	child, err := crashtest.Start("TestServiceProcess", childVariable+"="+p.dir, addrVariable+"="+p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.child, p.lines = child, make(chan string, 10)
	go func(lines chan<- string) {
		defer close(lines)
		for line := range child.Lines() {
			lines <- line
		}
	}(p.lines)
	line := p.line()
	if _, err := fmt.Sscan(line, &p.pid, &p.addr); err != nil {
		p.t.Fatalf("the child says %q: %v", line, err)
	}
}

func (p *process) line() string {
	p.t.Helper()
	line, ok := <-p.lines
	if !ok {
		p.t.Fatal("the child is gone: ", p.child.Wait())
	}
	return line
}

// gone waits until the child has been killed.
func (p *process) gone() {
	p.t.Helper()
	for range p.lines {
	}
	if err := p.child.Wait(); err != nil {
		p.t.Fatal(err)
	}
	p.child = nil
}

func (p *process) kill() {
	if p.child == nil {
		return
	}
	if err := p.child.Kill(); err != nil {
		p.t.Error(err)
	}
	p.gone()
}

func (p *process) doom(moments ...string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "doom"), []byte(strings.Join(moments, "\n")), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// pause stops the process when it is at the moment, and resume has it go on.
func (p *process) pause() {
	p.t.Helper()
	if line := p.line(); line != "here" {
		p.t.Fatalf("the child says %q", line)
	}
	must(p.t, syscall.Kill(p.pid, syscall.SIGSTOP))
}

func (p *process) resume() {
	p.t.Helper()
	must(p.t, os.WriteFile(filepath.Join(p.dir, "resumed"), nil, 0o600), syscall.Kill(p.pid, syscall.SIGCONT))
}
