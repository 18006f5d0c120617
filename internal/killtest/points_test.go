package killtest_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// pointVariable tells a process where to kill itself: the name of a point, and
// the how manieth time it comes there.
const pointVariable = "DTC_KILLTEST_POINT"

// armed is where this process kills itself.
var armed struct {
	name string
	left atomic.Int64
}

func arm() {
	var n int64
	if _, err := fmt.Sscanf(os.Getenv(pointVariable), "%d %s", &n, &armed.name); err == nil {
		armed.left.Store(n)
	}
}

// at is a named point. Words are joined by dashes.
func at(words ...any) {
	if armed.name != "" && armed.name == point(words...) && armed.left.Add(-1) == 0 {
		crashtest.Die()
	}
}

func point(words ...any) string {
	return strings.ReplaceAll(strings.TrimSuffix(fmt.Sprintln(words...), "\n"), " ", "-")
}

// bankPoints, notaryPoints and coordinatorPoints are where the processes can be
// told to kill themselves.
func bankPoints() []string {
	return append(servicePoints("prepare", "commit", "rollback", "commit-one-phase", "committed", "in-doubt"), filePoints...)
}

func notaryPoints() []string {
	return append(servicePoints("commit", "rollback"), append([]string{"signed", "struck"}, filePoints...)...)
}

var filePoints = []string{"file-opened", "file-written", "file-synced"}

func servicePoints(ops ...string) (names []string) {
	for _, op := range ops {
		names = append(names, point("asked", op), point("did", op), point("answered", op))
	}
	return names
}

func coordinatorPoints() []string {
	names := []string{"journal-opened", "coordinator-opened"}
	for _, what := range []string{"intent", "enlistment", "delegation", "commit", "rollback", "end"} {
		names = append(names, point("append", what), point("appended", what))
	}
	for _, op := range []string{"prepare", "commit", "rollback"} {
		names = append(names, point(dtc.EventCalled, op), point(dtc.EventAnswered, op))
	}
	for _, kind := range []dtc.EventKind{
		dtc.EventBegan, dtc.EventEnlisted, dtc.EventCommitAsked, dtc.EventRetry, dtc.EventDoubt, dtc.EventParked,
		dtc.EventResumed, dtc.EventEnded, dtc.EventHealthy, dtc.EventUnhealthy, dtc.EventInDoubt,
	} {
		names = append(names, point(kind))
	}
	return append(names, point(dtc.EventDecided, dtc.Committed), point(dtc.EventDecided, dtc.RolledBack))
}

// tell is the coordinator's listener: each step is a point.
func tell(e dtc.Event) {
	switch e.Kind {
	case dtc.EventCalled, dtc.EventAnswered:
		at(e.Kind, e.Op)
	case dtc.EventDecided:
		at(e.Kind, e.Outcome)
	default:
		at(e.Kind)
	}
}

// mined is a journal with a point on each side of every write.
type mined struct{ journal.Journal }

func (m mined) Append(b journal.Batch) error {
	each := func(when string) {
		for _, w := range b.Writes {
			switch {
			case w.Put != nil:
				at(when, w.Put.Kind)
			case w.End != nil:
				at(when, "end")
			}
		}
	}
	each("append")
	err := m.Journal.Append(b)
	each("appended")
	return err
}

// minedFile is a participant's file with a point around every write and sync.
type minedFile struct{ *os.File }

func createMined(path string) (ledger.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	at("file-opened")
	return minedFile{f}, err
}

func (f minedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	at("file-written")
	return n, err
}

func (f minedFile) Sync() error {
	err := f.File.Sync()
	at("file-synced")
	return err
}
