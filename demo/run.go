package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// run is the whole program, with its exit status. When stop is closed, it
// finishes what is under way.
func run(args []string, life *life, stop <-chan struct{}, out, diagnostics io.Writer) int {
	var said bytes.Buffer
	o, err := parseFlags(args, &said)
	switch {
	case errors.Is(err, flag.ErrHelp):
		if _, err := said.WriteTo(out); err != nil {
			fmt.Fprintln(diagnostics, "demo:", err)
			return exitFailed
		}
		return exitOK
	case err != nil:
		_, _ = said.WriteTo(diagnostics)
		return exitUsage
	}
	dir, err := makeDir(o.dir)
	if err != nil {
		fmt.Fprintln(diagnostics, "demo:", err)
		return exitUsage
	}
	code, complete, err := runIn(o, dir, life, stop, out, diagnostics)
	if err != nil {
		fmt.Fprintln(diagnostics, "demo:", err)
	}
	if life == nil {
		leave(o, dir, complete && code == exitOK || code == exitUsage, out)
	}
	return code
}

// runIn works in the directory, with the databases that it goes with.
func runIn(o options, dir string, life *life, stop <-chan struct{}, out, diagnostics io.Writer) (code int, complete bool, err error) {
	if life != nil {
		o.fromEnvironment()
	}
	var d *databases
	if o.servers {
		if d, err = startDatabases(&o); err != nil {
			return exitFailed, false, err
		}
		defer func() { err = errors.Join(err, d.close()) }()
	}
	if o.crash && life == nil {
		code, err = supervise(o, dir, crashes, d, stop, out, diagnostics)
		return code, !isClosed(stop), err
	}
	return runOnce(o, dir, life, stop, out, diagnostics)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// makeDir makes the data directory.
func makeDir(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "dtc-demo-")
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// leave removes a temporary directory when nobody needs it any more, and else
// says where the data is.
func leave(o options, dir string, done bool, out io.Writer) {
	switch {
	case o.dir != "":
	case done:
		_ = os.RemoveAll(dir) // at worst something is left in the temporary directory
	case o.servers:
		fmt.Fprintf(out, "the databases are gone; the files are kept in %s\n", dir)
	default:
		fmt.Fprintf(out, "the data is kept; to go on: the same command with -dir %s\n", dir)
	}
}

// runOnce works in the directory, and audits it. It tells whether every order is
// done.
func runOnce(o options, dir string, life *life, stop <-chan struct{}, out, diagnostics io.Writer) (code int, complete bool, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	screen := newScreen(out)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-stop:
			screen.say("interrupted: finishing what is under way; once more exits at once")
			cancel()
		case <-ended:
		}
	}()
	shown, err := serve(ctx, o, dir, life, screen, screen.beside(diagnostics))
	if err != nil {
		return statusOf(err), false, explain(err)
	}
	screen.show("auditing what the services hold", "")
	report, err := audit(dir, o)
	screen.clear()
	if err != nil {
		return exitFailed, false, err
	}
	summarize(screen, o, dir, shown, report)
	if len(report.offences) > 0 {
		return exitAudit, false, nil
	}
	if err := screen.err(); err != nil {
		return exitFailed, false, err
	}
	return exitOK, report.unanswered == 0, nil
}

// serve opens the shop, takes what the command line names, serves it, and closes.
func serve(ctx context.Context, o options, dir string, life *life, s *screen, diagnostics io.Writer) (shown snapshot, err error) {
	shop, err := openShop(dir, o, diagnostics, life.watcher())
	if err != nil {
		return shown, err
	}
	defer func() { err = errors.Join(err, shop.close()) }()
	wrong := 0
	err = intake(shop.book, o, func(b badLine) {
		if wrong++; life.first() {
			fmt.Fprintln(diagnostics, b)
		}
	})
	if err != nil {
		return shown, err
	}
	if err := shop.backends.seed(shop.book.opening); err != nil {
		return shown, err
	}
	shop.figures = newFigures(shop.book)
	s.say("%s orders, %s of them still to be done; data in %s", grouped(shop.figures.total), grouped(len(shop.book.unanswered())), dir)
	if o.inDatabases() {
		s.say("%s", shop.site)
	}
	if wrong > 0 {
		s.say("%s lines of the input were left out, as reported", grouped(wrong))
	}
	life.arm(len(shop.book.unanswered()))
	unwatch := shop.figures.watch(s)
	err = shop.serve(ctx)
	unwatch()
	return shop.figures.snapshot(), err
}

// statusOf is the exit status for an error.
func statusOf(err error) int {
	var input *inputError
	var elsewhere *siteError
	if errors.As(err, &input) || errors.As(err, &elsewhere) {
		return exitUsage
	}
	return exitFailed
}

// explain adds what can be done about an error.
func explain(err error) error {
	if errors.Is(err, ledger.ErrLocked) || errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("another process works in the data directory: %w", err)
	}
	return err
}
