package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// patience is how long a server may take to answer after its start, or to be
// gone after it was killed.
const patience = 60 * time.Second

// Options of [Start]. The zero value is ready.
type Options struct {
	// Settings of the server program, in its own words: "max_connections=10" for
	// databases, "maxmemory 1mb" for Redis, "--max_payload=1KB"-like arguments for
	// NATS. They come after the package's own.
	Settings []string
	// Durable has what the server promises survive a loss of power. By default a
	// killed process loses nothing, and no sync is waited for.
	Durable bool
}

// Server is a private server. Its methods may be called from everywhere, but not
// at the same time.
type Server struct {
	kind    Kind
	options Options
	port    int
	dir     string
	account *account

	process *exec.Cmd
	gone    chan struct{} // closed when the process has ended
	said    *tail
}

// Start makes a new server and returns when it answers. The error is a
// [*NotInstalledError] where the machine does not have its program.
func Start(kind Kind, o *Options) (*Server, error) {
	if o == nil {
		o = new(Options)
	}
	if err := kind.Installed(); err != nil {
		return nil, err
	}
	account, err := unprivileged(kind.user)
	if err != nil {
		return nil, err
	}
	dir, err := account.tempDir("dtc-" + kind.name + "-")
	if err != nil {
		return nil, err
	}
	s := &Server{kind: kind, options: *o, dir: dir, account: account}
	if err := s.create(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *Server) create() error {
	if err := s.kind.fill(s); err != nil {
		return err
	}
	var err error
	if s.port, err = freePort(); err != nil {
		return err
	}
	return s.Start()
}

// Start starts the server again after Kill, on the same directory and port. It
// returns when the server answers.
func (s *Server) Start() error {
	if s.running() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		if err := s.launch(); err != nil {
			return err
		}
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		if s.running() || ctx.Err() != nil {
			return errors.Join(err, s.Kill())
		}
		// It has ended: what a killed one leaves behind for a moment, such as
		// processes of its own, may have been in its way.
		if !pause(ctx) {
			return fmt.Errorf("servers: %s does not start: %w: %s", s.kind.name, err, s.said)
		}
	}
}

func (s *Server) launch() error {
	program, err := s.kind.find(s.kind.program)
	if err != nil {
		return err
	}
	s.said = new(tail)
	s.process = exec.Command(program, s.kind.arguments(s)...)
	s.process.Dir = s.dir
	s.process.Stdout, s.process.Stderr = s.said, s.said
	s.account.own(s.process)
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("servers: %w", err)
	}
	gone := make(chan struct{})
	s.gone = gone
	go func(c *exec.Cmd) {
		_ = c.Wait() // how it ended is in what it said
		close(gone)
	}(s.process)
	return nil
}

// answers waits until the server answers, or has ended.
func (s *Server) answers(ctx context.Context) error {
	for {
		err := s.kind.ping(ctx, s)
		if err == nil {
			return nil
		}
		select {
		case <-s.gone:
			return err
		default:
		}
		if !pause(ctx) {
			return fmt.Errorf("servers: %s does not answer: %w: %s", s.kind.name, err, s.said)
		}
	}
}

func (s *Server) running() bool {
	if s.process == nil {
		return false
	}
	select {
	case <-s.gone:
		return false
	default:
		return true
	}
}

// Kill ends the server with SIGKILL, and returns when it has ended.
func (s *Server) Kill() error {
	if !s.running() {
		return nil
	}
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("servers: %w", err)
	}
	select {
	case <-s.gone:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("servers: %s does not end", s.kind.name)
	}
}

// Pause stops the server and all processes of its own where they are, until
// Resume.
func (s *Server) Pause() error { return s.signal(suspend) }

// Resume has a paused server go on.
func (s *Server) Resume() error { return s.signal(resume) }

func (s *Server) signal(send func(pid int) error) error {
	if !s.running() {
		return fmt.Errorf("servers: %s does not run", s.kind.name)
	}
	pid := s.process.Process.Pid
	if err := send(pid); err != nil {
		return err
	}
	for _, child := range children(pid) {
		if err := send(child); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	return nil
}

// Close ends the server and removes what it kept.
func (s *Server) Close() error {
	return errors.Join(s.Kill(), os.RemoveAll(s.dir))
}

// Addr is where the server listens: host and port.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// DSN is how the server's usual Go client is told where it is. The database must
// exist; it is empty for servers that have none.
func (s *Server) DSN(database string) string { return s.DSNVia(s.Addr(), database) }

// DSNVia is the DSN of the server by way of another address, such as a proxy's.
func (s *Server) DSNVia(addr, database string) string { return s.kind.dsn(addr, database) }

// CreateDatabase makes an empty database.
func (s *Server) CreateDatabase(name string) error {
	if s.kind.createDatabase == nil {
		return fmt.Errorf("servers: %s has no databases", s.kind.name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.kind.createDatabase(ctx, s, name)
}

// data is the server's own directory.
func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// pause waits a moment; false when ctx has ended.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(5 * time.Millisecond):
		return true
	case <-ctx.Done():
		return false
	}
}

// tail keeps the end of what a process says.
type tail struct {
	mu   sync.Mutex
	said []byte
}

const tailLength = 2000

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, p...)
	if n := len(t.said) - tailLength; n > 0 {
		t.said = append(t.said[:0], t.said[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.said))
}
