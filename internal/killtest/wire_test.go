package killtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/participant"
)

// A participant's process is asked over a socket. A call that the connection
// breaks under has failed, for all that its caller knows: it may have been done,
// it may be done later, and it is not made a second time here. The service does
// not notice that a caller has gone.

// answer is what a service says.
type answer struct {
	Refused   string // empty where it did what it was asked
	Known     int    // which of the known errors that is, from 1
	Committed bool
	InDoubt   []uuid.UUID
}

// known are the errors that the coordinator must find again on its side.
var known = []error{
	participant.ErrReadOnly, participant.ErrRolledBack, participant.ErrNotPrepared, participant.ErrCommitted,
}

// err is the participant's error, on the other side.
func (a answer) err() error {
	switch {
	case a.Refused == "":
		return nil
	case a.Known == 0:
		return errors.New(a.Refused)
	default:
		return fmt.Errorf("%w (said: %s)", known[a.Known-1], a.Refused)
	}
}

// service is a participant on a socket.
type service struct{ p participant.Participant }

// serve answers on the socket, in place of a process that has died.
func (s service) serve(socket string) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	crashtest.Tell(isUp)
	return http.Serve(l, s)
}

func (s service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := strings.TrimPrefix(r.URL.Path, "/")
	var b participant.Branch
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	at("asked", op)
	a := s.do(op, b)
	at("did", op)
	text, err := json.Marshal(a)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	_, _ = w.Write(text)
	_ = http.NewResponseController(w).Flush()
	at("answered", op)
}

func (s service) do(op string, b participant.Branch) (a answer) {
	var err error
	ctx := context.Background()
	switch op {
	case "prepare":
		err = s.p.(participant.Preparer).Prepare(ctx, b)
	case "commit":
		err = s.p.Commit(ctx, b)
	case "rollback":
		err = s.p.Rollback(ctx, b)
	case "commit-one-phase":
		err = s.p.(participant.OnePhaseCommitter).CommitOnePhase(ctx, b)
	case "committed":
		a.Committed, err = s.p.(participant.OnePhaseCommitter).Committed(ctx, b)
	case "in-doubt":
		a.InDoubt, err = s.p.(participant.Recoverer).InDoubt(ctx, b.Coordinator)
	default:
		err = fmt.Errorf("no such call: %q", op)
	}
	if err != nil {
		a.Refused = err.Error()
		for i, k := range known {
			if errors.Is(err, k) {
				a.Known = i + 1
			}
		}
	}
	return a
}

// remote is a one-phase participant in another process.
type remote struct {
	name   string
	client *http.Client
}

func newRemote(name, socket string) *remote {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &remote{name, &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 64}}}
}

func (r *remote) Name() string { return r.name }

func (r *remote) Commit(ctx context.Context, b participant.Branch) error {
	return r.ask(ctx, "commit", b).err()
}

func (r *remote) Rollback(ctx context.Context, b participant.Branch) error {
	return r.ask(ctx, "rollback", b).err()
}

// ask makes a call. A connection that fails is a refusal like any other.
func (r *remote) ask(ctx context.Context, op string, b participant.Branch) (a answer) {
	if err := r.call(ctx, op, b, &a); err != nil {
		return answer{Refused: err.Error()}
	}
	return a
}

func (r *remote) call(ctx context.Context, op string, b participant.Branch, a *answer) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.name+"/"+op, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return json.NewDecoder(response.Body).Decode(a)
}

// remoteBank is a two-phase participant in another process, with all that it can
// do.
type remoteBank struct{ *remote }

var (
	_ participant.OnePhaseCommitter = remoteBank{}
	_ participant.Recoverer         = remoteBank{}
)

func (r remoteBank) Prepare(ctx context.Context, b participant.Branch) error {
	return r.ask(ctx, "prepare", b).err()
}

func (r remoteBank) CommitOnePhase(ctx context.Context, b participant.Branch) error {
	return r.ask(ctx, "commit-one-phase", b).err()
}

func (r remoteBank) Committed(ctx context.Context, b participant.Branch) (bool, error) {
	a := r.ask(ctx, "committed", b)
	return a.Committed, a.err()
}

func (r remoteBank) InDoubt(ctx context.Context, coordinator string) ([]uuid.UUID, error) {
	a := r.ask(ctx, "in-doubt", participant.Branch{Coordinator: coordinator})
	return a.InDoubt, a.err()
}
