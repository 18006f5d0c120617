package histories_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/participant"
)

// hasty checks, and then acts: a transaction that was active a moment ago is
// taken to be rolled back.
type hasty struct{ *dtc.Coordinator }

func (h hasty) Rollback(ctx context.Context, id uuid.UUID) error {
	if o, err := h.Outcome(ctx, id); err != nil || o != dtc.Active {
		return h.Coordinator.Rollback(ctx, id)
	}
	runtime.Gosched()
	if err := h.Coordinator.Rollback(ctx, id); errors.Is(err, dtc.ErrOutcomeUnknown) {
		return err
	}
	return nil
}

// stale remembers the first outcome that it was told.
type stale struct {
	*dtc.Coordinator
	known *sync.Map
}

func (s stale) Outcome(ctx context.Context, id uuid.UUID) (dtc.Outcome, error) {
	if o, ok := s.known.Load(id); ok {
		return o.(dtc.Outcome), nil
	}
	o, err := s.Coordinator.Outcome(ctx, id)
	if err == nil {
		s.known.Store(id, o)
	}
	return o, err
}

// deaf takes an enlistment that came too late for one that did not.
type deaf struct{ *dtc.Coordinator }

func (d deaf) Enlist(ctx context.Context, id uuid.UUID, p participant.Participant, payload []byte) error {
	err := d.Coordinator.Enlist(ctx, id, p, payload)
	if errors.Is(err, dtc.ErrNotActive) {
		return nil
	}
	return err
}

// eager answers that a transaction is committed as soon as it has asked.
type eager struct{ *dtc.Coordinator }

func (e eager) Commit(ctx context.Context, id uuid.UUID) error {
	err := e.Coordinator.Commit(ctx, id)
	if errors.Is(err, dtc.ErrRolledBack) {
		return nil
	}
	return err
}

// Races that were planted are found.
func TestHistories_Planted(t *testing.T) {
	c := open(t, journal.Memory())
	for name, f := range map[string]facade{
		"hasty": hasty{c}, "stale": stale{c, new(sync.Map)}, "deaf": deaf{c}, "eager": eager{c},
	} {
		t.Run(name, func(t *testing.T) {
			found, looked := false, 0
			racing(c, f, 1, 10_000, func(r *race) bool {
				looked++
				found = found || r.wrong() != ""
				return !found
			})
			if !found {
				t.Errorf("%d histories, and every one is explained", looked)
			}
			t.Logf("found in history %d", looked)
		})
	}
}
