package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/httpbranch"
)

// idle is a service that agrees to everything and remembers nothing: what is
// measured is the way to it.
type idle struct{ name string }

func (i idle) Name() string                                     { return i.name }
func (idle) Commit(context.Context, participant.Branch) error   { return nil }
func (idle) Rollback(context.Context, participant.Branch) error { return nil }

type idlePreparer struct{ idle }

func (idlePreparer) Prepare(context.Context, participant.Branch) error { return nil }

func (idlePreparer) InDoubt(context.Context, string) ([]uuid.UUID, error) { return nil, nil }

// callerCounts are how many ask at a time where calls leave the process.
var callerCounts = []int{1, 10, 100}

// slowCalls is the load for calls that leave the process.
func slowCalls(callers int) load {
	return load{callers: callers, rounds: 5, turn: 2 * time.Second, sampled: 1}
}

// httpKinds are the kinds of participants that are measured over HTTP.
var httpKinds = []struct {
	name    string
	options httpbranch.Options
	calls   int // to each service
}{
	{"one-phase", httpbranch.Options{OnePhase: true}, 1},
	{"two-phase", httpbranch.Options{Recoverer: true}, 2},
}

// BenchmarkHTTP compares transactions of three services over HTTP, the journal on
// disk, with as many bare HTTP calls.
func BenchmarkHTTP(b *testing.B) {
	for _, kind := range httpKinds {
		for _, callers := range callerCounts {
			b.Run(fmt.Sprintf("%s/%d", kind.name, callers), func(b *testing.B) {
				for b.Loop() {
					onHTTP(b, slowCalls(callers), &kind.options, kind.calls).report(b)
				}
			})
		}
	}
}

func onHTTP(tb testing.TB, l load, o *httpbranch.Options, calls int) comparison {
	j := openJournal(tb, filepath.Join(tb.TempDir(), "journal"), vfs.Default)
	w := open(tb, dtc.Config{Journal: j}, overHTTP(tb, o))
	defer w.close(tb)
	for i := range w.with {
		w.with[i].Payload = httpPayload
	}
	return l.compare(tb, newHTTPFloor(tb, len(w.with)).calls(calls), w.execute)
}
