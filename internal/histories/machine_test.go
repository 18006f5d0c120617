package histories_test

import (
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
)

// Limits that random calls reach.
const (
	liveLimit    = 3
	branchLimit  = 4
	payloadLimit = 8
	callTimeout  = 5 * time.Second
	retention    = 10 * time.Minute
	// odd keeps deadlines away from the whole seconds at which everything happens.
	odd = 500 * time.Millisecond
)

// machine makes random calls of a coordinator, and compares each answer with
// what follows from the calls before.
type machine struct {
	*dtc.Coordinator
	fs      *vfs.MemFS // of the journal on disk; nil where it is in memory
	players []participant.Participant
	known   []*tx
	unborn  []uuid.UUID // from before the coordinator was opened, and never begun
	answers map[string]int
}

// tx is the model of one transaction.
type tx struct {
	id       uuid.UUID
	phase    phase // none, active, committed or rolledBack
	deadline time.Time
	asked    bool      // to commit
	finished time.Time // as Inspect tells; zero before
	expired  bool
	// presumed: nobody has its outcome since the coordinator was opened again. It
	// counts as rolled back, until a later outcome expires.
	presumed bool
	// retold: it was not finished then, and who has done it already is told again.
	retold   bool
	branches []branch
}

type branch struct {
	player  *player
	payload string
}

func (x *tx) branch(p *player) *branch {
	if i := slices.IndexFunc(x.branches, func(b branch) bool { return b.player == p }); i >= 0 {
		return &x.branches[i]
	}
	return nil
}

// has tells whether a branch goes about it one of these ways.
func (x *tx) has(ways ...way) bool {
	return slices.ContainsFunc(x.branches, func(b branch) bool { return slices.Contains(ways, b.player.way) })
}

func (x *tx) String() string {
	text := fmt.Sprintf("transaction %s (%s)", x.id, x.phase)
	for _, b := range x.branches {
		text += fmt.Sprintf(" %s %q", b.player.name, b.payload)
	}
	return text
}

// GoString is how a failing test names it.
func (x *tx) GoString() string { return x.String() }

// outcome is how it stands, as Outcome tells.
func (x *tx) outcome() dtc.Outcome {
	return map[phase]dtc.Outcome{active: dtc.Active, committed: dtc.Committed, rolledBack: dtc.RolledBack}[x.phase]
}

// found tells whether the coordinator knows it.
func (x *tx) found() bool { return x.phase != none && !x.expired }

// end is how a transaction ends that is asked to commit now; known is false if
// that is open, as a vote and the deadline fall on the same moment.
func (x *tx) end() (p phase, known bool) {
	voted := time.Now().Add(time.Second)
	switch {
	case x.has(refuses, hangs, spoils):
		return rolledBack, true
	case x.has(dawdles) && !voted.Before(x.deadline):
		return rolledBack, !voted.Equal(x.deadline)
	default:
		return committed, true
	}
}

// open opens the coordinator; again, if it was closed.
func (m *machine) open(t *rapid.T) {
	var err error
	j := journal.Memory()
	if m.fs != nil {
		if j, err = pebble.Open("journal", &pebble.Options{FS: m.fs}); err != nil {
			t.Fatal(err)
		}
	}
	m.unborn = append(m.unborn, uuid.Must(uuid.NewV7()))
	m.Coordinator, err = dtc.Open(quietSystem(), dtc.Config{
		Journal: j, Participants: m.players, Logger: quiet,
		MaxTransactions: liveLimit, MaxParticipants: branchLimit, MaxPayload: payloadLimit,
		TransactionTimeout: 30*time.Second + odd, ParticipantTimeout: callTimeout, Retention: retention,
		Retry: dtc.Backoff{Initial: time.Second, Max: 4 * time.Second, Jitter: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// settle lets everything happen that is due, and takes over what happens by
// itself: deadlines, ends and expiry. It does not return at a moment at which an
// outcome may have expired or not.
func (m *machine) settle(t *rapid.T) {
	for m.expireDeadlines(); m.expire(t); m.expireDeadlines() {
		time.Sleep(time.Second)
	}
}

func (m *machine) expireDeadlines() {
	synctest.Wait()
	for _, x := range m.known {
		if x.phase == active && !time.Now().Before(x.deadline) {
			x.phase = rolledBack
		}
	}
}

// expire notes which transactions have finished and which outcomes have expired,
// and tells whether one is about to.
func (m *machine) expire(t *rapid.T) (soon bool) {
	for _, x := range m.known {
		if x.phase == active || x.expired || x.presumed {
			continue
		}
		if x.finished.IsZero() {
			d, err := m.Inspect(background, x.id)
			if err != nil {
				t.Fatalf("%v: Inspect: %v", x, err)
			}
			if x.finished = d.Finished; x.finished.IsZero() {
				continue
			}
		}
		switch age := time.Since(x.finished); {
		case age >= retention+3*time.Second:
			x.expired = true
		case age >= retention-time.Second:
			soon = true
		}
	}
	return soon
}

// pass lets time pass.
func (m *machine) pass(t *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{
		time.Second, time.Second, 7 * time.Second, 7 * time.Second, 31 * time.Second, retention,
	}).Draw(t, "time"))
}
