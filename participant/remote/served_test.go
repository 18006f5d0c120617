package remote_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// served starts a node that serves p, and returns how another process sees it, and
// an asker there.
func served(t *testing.T, c remote.Config, p participant.Participant) (participant.Participant, *asker) {
	t.Helper()
	server := serve(t, c, p)
	system := quietSystem()
	client := listen(t, system, remote.Config{Insecure: true})
	return client.Participant(p.Name(), server.Address()), newAsker(t, system)
}

func TestServe_AnswersWhatTheParticipantSays(t *testing.T) {
	no := errors.New("shelf is empty")
	var says error
	p, a := served(t, remote.Config{}, &stub{name: "stock", on: func(context.Context, string, participant.Branch) error { return says }})
	b := newBranch("stock")
	for _, c := range []struct {
		says     error
		vote     messages.Vote
		done     bool // Commit
		undone   bool // Rollback
		reason   string
		rejected bool
	}{
		{nil, messages.Vote_VOTE_YES, true, true, "", false},
		{participant.ErrReadOnly, messages.Vote_VOTE_READ_ONLY, false, false, "", false},
		{fmt.Errorf("late: %w", participant.ErrRolledBack), messages.Vote_VOTE_NO, false, true, "the branch was rolled back before", true},
		{no, messages.Vote_VOTE_NO, false, false, "shelf is empty", false},
	} {
		says = c.says
		a.ask(p, prepare(b, 1))
		v := a.voted(t)
		if v.Vote != c.vote || v.Reason != c.reason || v.RolledBack != c.rejected || v.Attempt != 1 || v.Participant != "stock" {
			t.Errorf("%v: voted %v", c.says, v)
		}
		a.ask(p, commit(b, 2))
		if k := a.acked(t); k.Done != c.done || k.RolledBack != c.rejected || k.Attempt != 2 {
			t.Errorf("%v: commit %v", c.says, k)
		}
		a.ask(p, rollback(b, 3))
		if k := a.acked(t); k.Done != c.undone || k.Attempt != 3 {
			t.Errorf("%v: rollback %v", c.says, k)
		}
	}
}

func TestServe_SeesTheBranch(t *testing.T) {
	seen := make(chan any, 2)
	p, a := served(t, remote.Config{}, &stub{name: "stock", on: func(_ context.Context, _ string, b participant.Branch) error {
		seen <- b
		return nil
	}})
	m := newBranch("stock")
	a.ask(p, prepare(m, 1))
	b := next[participant.Branch](t, seen)
	if string(b.Transaction[:]) != string(m.Transaction) || b.Coordinator != "shop" || b.Participant != "stock" || string(b.Payload) != "3 apples" {
		t.Errorf("the participant was given %v", b)
	}
	m = newBranch("stock")
	m.Payload = nil
	a.ask(p, commit(m, 1))
	if b := next[participant.Branch](t, seen); b.Payload != nil {
		t.Errorf("a payload of %d bytes out of nothing", len(b.Payload))
	}
}

// A call that panics or ends its goroutine is answered like one that fails, and
// the next one is made.
func TestServe_SurvivesTheParticipant(t *testing.T) {
	cause := errors.New("index out of bounds")
	for name, wrap := range map[string]func(*stub) participant.Participant{
		"blocking":    func(s *stub) participant.Participant { return s },
		"NonBlocking": func(s *stub) participant.Participant { return lean{s} },
	} {
		t.Run(name, func(t *testing.T) {
			p, a := served(t, remote.Config{}, wrap(&stub{name: "stock", on: func(_ context.Context, call string, _ participant.Branch) error {
				switch {
				case call == "prepare":
					panic(cause)
				case call == "commit":
					runtime.Goexit()
				}
				return nil
			}}))
			b := newBranch("stock")
			a.ask(p, prepare(b, 1))
			if v := a.voted(t); v.Vote != messages.Vote_VOTE_NO || !strings.Contains(v.Reason, "panicked: index out of bounds") {
				t.Errorf("voted %v", v)
			}
			a.ask(p, commit(b, 2))
			if k := a.acked(t); k.Done || k.Reason == "" {
				t.Errorf("commit %v", k)
			}
			a.ask(p, rollback(b, 3))
			if k := a.acked(t); !k.Done {
				t.Errorf("rollback %v", k)
			}
		})
	}
}

// A panic is never an answer, whatever it panics with.
func TestServe_PanicSaysNothing(t *testing.T) {
	for _, value := range []error{participant.ErrReadOnly, participant.ErrRolledBack} {
		p, a := served(t, remote.Config{}, &stub{name: "stock", on: func(context.Context, string, participant.Branch) error { panic(value) }})
		b := newBranch("stock")
		a.ask(p, prepare(b, 1))
		if v := a.voted(t); v.Vote != messages.Vote_VOTE_NO || v.RolledBack {
			t.Errorf("voted %v", v)
		}
		for _, question := range []any{commit(b, 2), rollback(b, 3)} {
			a.ask(p, question)
			if k := a.acked(t); k.Done || k.RolledBack {
				t.Errorf("%T: %v", question, k)
			}
		}
	}
}

// The calls of a NonBlocking participant are made one at a time; the race detector
// checks it.
func TestServe_NonBlocking(t *testing.T) {
	count := 0
	p, a := served(t, remote.Config{}, lean{&stub{name: "stock", on: func(context.Context, string, participant.Branch) error {
		count++
		return nil
	}}})
	for range 500 {
		a.ask(p, prepare(newBranch("stock"), 1))
	}
	for range 500 {
		a.voted(t)
	}
	if count != 500 {
		t.Errorf("%d calls", count)
	}
}

func TestServe_RefusesWhatIsNoBranchOfTheParticipant(t *testing.T) {
	called := make(chan any, 10)
	p, a := served(t, remote.Config{}, &stub{name: "stock", on: func(_ context.Context, call string, _ participant.Branch) error {
		called <- call
		return nil
	}})
	other, short, long := newBranch("payment"), newBranch("stock"), newBranch("stock")
	short.Transaction = short.Transaction[:15]
	long.Coordinator = strings.Repeat("x", 65)
	for _, b := range []*messages.Branch{nil, other, short, long} {
		a.ask(p, prepare(b, 1))
		if v := a.voted(t); v.Vote != messages.Vote_VOTE_NO || v.Reason == "" {
			t.Errorf("%v: voted %v", b, v)
		}
		a.ask(p, commit(b, 1))
		if k := a.acked(t); k.Done || k.Reason == "" {
			t.Errorf("%v: commit %v", b, k)
		}
	}
	late := prepare(newBranch("stock"), 1)
	late.ExpiresUnixMs = time.Now().Add(-time.Millisecond).UnixMilli()
	a.ask(p, late)
	if v := a.voted(t); !tooLate(v) {
		t.Errorf("an expired Prepare: %v", v)
	}
	if len(called) != 0 {
		t.Errorf("the participant was called %d times", len(called))
	}
}

// TestServe_OneCallAtATime has every order in which messages of a branch can come
// while its Prepare runs.
func TestServe_OneCallAtATime(t *testing.T) {
	type step struct {
		calls   []string // what the participant sees after its first Prepare
		answers []string
	}
	for order, want := range map[string]step{
		"again":                      {nil, []string{"voted 2"}},
		"rollback":                   {[]string{"rollback"}, []string{"voted 1", "acked 2"}},
		"rollback, rollback":         {[]string{"rollback"}, []string{"voted 1", "acked 3"}},
		"again, rollback":            {[]string{"rollback"}, []string{"voted 2", "acked 3"}},
		"rollback, again":            {[]string{"rollback"}, []string{"voted 3", "acked 2"}},
		"commit":                     {[]string{"commit"}, []string{"voted 1", "acked 2"}},
		"rollback, again, rollback":  {[]string{"rollback"}, []string{"voted 3", "acked 4"}},
		"commit, again":              {[]string{"commit"}, []string{"voted 3", "acked 2"}},
		"rollback, commit, rollback": {[]string{"rollback"}, []string{"voted 1", "acked 4"}},
	} {
		t.Run(order, func(t *testing.T) {
			calls, leave := make(chan any, 10), make(chan struct{})
			p, a := served(t, remote.Config{}, &stub{name: "stock", on: func(_ context.Context, call string, b participant.Branch) error {
				if string(b.Payload) != "marker" {
					calls <- call
					<-leave
				}
				return nil
			}})
			b := newBranch("stock")
			a.ask(p, prepare(b, 1))
			next[string](t, calls)
			attempt := uint32(1)
			for what := range strings.SplitSeq(order, ", ") {
				attempt++
				switch what {
				case "again":
					a.ask(p, prepare(b, attempt))
				case "commit":
					a.ask(p, commit(b, attempt))
				case "rollback":
					a.ask(p, rollback(b, attempt))
				}
			}
			a.marker(t, p)
			close(leave)
			for _, call := range want.calls {
				if got := next[string](t, calls); got != call {
					t.Errorf("called %s, want %s", got, call)
				}
			}
			for _, answer := range want.answers {
				if got := answered(next[any](t, a.answers)); got != answer {
					t.Errorf("answered %s, want %s", got, answer)
				}
			}
			a.marker(t, p)
			if len(calls) != 0 || len(a.answers) != 0 {
				t.Errorf("%d calls and %d answers too many", len(calls), len(a.answers))
			}
		})
	}
}

// A Prepare that comes late, while the decision is carried out, is not carried out
// after it.
func TestServe_LatePrepare(t *testing.T) {
	calls, leave := make(chan any, 10), make(chan struct{})
	p, a := served(t, remote.Config{}, &stub{name: "stock", on: func(_ context.Context, call string, b participant.Branch) error {
		if string(b.Payload) != "marker" {
			calls <- call
			<-leave
		}
		return nil
	}})
	b := newBranch("stock")
	a.ask(p, rollback(b, 2))
	next[string](t, calls)
	a.ask(p, prepare(b, 1))
	a.marker(t, p)
	close(leave)
	if k := a.acked(t); k.Attempt != 2 {
		t.Errorf("acked %v", k)
	}
	a.marker(t, p)
	if len(calls) != 0 || len(a.answers) != 0 {
		t.Errorf("%d calls and %d answers too many", len(calls), len(a.answers))
	}
}

// marker asks something of another branch and waits for the answer, so that all
// that was asked before has been heard.
func (a *asker) marker(t *testing.T, p participant.Participant) {
	t.Helper()
	b := newBranch(p.Name())
	b.Payload = []byte("marker")
	a.ask(p, commit(b, 77))
	if k := a.acked(t); k.Attempt != 77 || !k.Done {
		t.Fatalf("the marker was answered by %v", k)
	}
}

func answered(m any) string {
	if v, ok := m.(*messages.Voted); ok {
		return fmt.Sprint("voted ", v.Attempt)
	}
	return fmt.Sprint("acked ", m.(*messages.Acked).Attempt)
}

// So many calls run, so many branches wait, and more are refused. A Rollback takes
// the place of a Prepare that waits, which is then never begun.
func TestServe_IsBounded(t *testing.T) {
	calls, leave := make(chan any, 10), make(chan struct{})
	p, a := served(t, remote.Config{MaxCalls: 2, MaxWaiting: 1}, &stub{name: "stock", on: func(_ context.Context, call string, _ participant.Branch) error {
		calls <- call
		<-leave
		return nil
	}})
	for range 2 {
		a.ask(p, prepare(newBranch("stock"), 1))
		next[string](t, calls)
	}
	waits := newBranch("stock")
	a.ask(p, prepare(waits, 1))
	a.ask(p, prepare(newBranch("stock"), 9))
	if v := a.voted(t); v.Attempt != 9 || v.Vote != messages.Vote_VOTE_NO || !strings.Contains(v.Reason, "MaxWaiting") {
		t.Errorf("one too many: %v", v)
	}
	a.ask(p, rollback(waits, 2))
	a.ask(p, commit(newBranch("stock"), 10))
	if k := a.acked(t); k.Attempt != 10 || k.Done {
		t.Errorf("one too many: %v", k)
	}
	close(leave)
	if got := next[string](t, calls); got != "rollback" {
		t.Errorf("called %s", got)
	}
	for range 3 {
		next[any](t, a.answers)
	}
	a.ask(p, prepare(newBranch("stock"), 1))
	if v := a.voted(t); v.Vote != messages.Vote_VOTE_YES {
		t.Errorf("with room again: %v", v)
	}
}

func tooLate(v *messages.Voted) bool {
	return v.Vote == messages.Vote_VOTE_NO && strings.HasPrefix(v.Reason, "remote: Prepare came after its time")
}

// A Prepare that expired while it waited is not begun.
func TestServe_ExpiresInTheQueue(t *testing.T) {
	calls, leave := make(chan any, 10), make(chan struct{})
	p, a := served(t, remote.Config{MaxCalls: 1}, &stub{name: "stock", on: func(_ context.Context, call string, _ participant.Branch) error {
		calls <- call
		<-leave
		return nil
	}})
	a.ask(p, commit(newBranch("stock"), 1))
	next[string](t, calls)
	late := prepare(newBranch("stock"), 3)
	late.ExpiresUnixMs = time.Now().Add(-time.Millisecond).UnixMilli()
	a.ask(p, late) // has come too late for the queue
	if v := a.voted(t); v.Attempt != 3 || !tooLate(v) {
		t.Errorf("voted %v", v)
	}
	soon := prepare(newBranch("stock"), 2)
	soon.ExpiresUnixMs = time.Now().Add(300 * time.Millisecond).UnixMilli()
	a.ask(p, soon)
	eventually(t, "it has expired", func() bool { return soon.Expired(time.Now()) })
	close(leave)
	for range 2 { // in any order, if it took all its time to come
		if v, ok := next[any](t, a.answers).(*messages.Voted); ok && !tooLate(v) {
			t.Errorf("voted %v", v)
		}
	}
	if len(calls) != 0 {
		t.Errorf("%d calls too many", len(calls))
	}
}

// The context of a Prepare ends when it expires, that of any call after
// CallTimeout.
func TestServe_CallsEnd(t *testing.T) {
	p, a := served(t, remote.Config{CallTimeout: 50 * time.Millisecond}, &stub{name: "stock", on: func(ctx context.Context, _ string, _ participant.Branch) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	b := newBranch("stock")
	a.ask(p, commit(b, 1))
	if k := a.acked(t); k.Reason != context.DeadlineExceeded.Error() {
		t.Errorf("commit %v", k)
	}
	patient, a := served(t, remote.Config{}, &stub{name: "stock", on: func(ctx context.Context, _ string, _ participant.Branch) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	soon := prepare(b, 2)
	soon.ExpiresUnixMs = time.Now().Add(200 * time.Millisecond).UnixMilli()
	a.ask(patient, soon)
	if v := a.voted(t); v.Reason != context.DeadlineExceeded.Error() && !tooLate(v) {
		t.Errorf("voted %v", v)
	}
}
