package participant_test

import (
	"maps"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

func newKey() participant.Key {
	return participant.Key{Coordinator: "c", Transaction: uuid.Must(uuid.NewV7()), Participant: "p"}
}

func save(t *testing.T, s participant.Store, k participant.Key, state participant.State) {
	t.Helper()
	if err := s.Save(ctx, k, state); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, s participant.Store, k participant.Key, want participant.State) {
	t.Helper()
	if got, err := s.Load(ctx, k); err != nil || got != want {
		t.Errorf("%s: %v, %v, want %v", k.Transaction, got, err, want)
	}
}

func TestMemoryStoreDropsTheOldest(t *testing.T) {
	m := &participant.MemoryStore{Limit: 2}
	var keys []participant.Key
	for range 6 {
		keys = append(keys, newKey())
	}
	save(t, m, keys[0], participant.Begun)
	save(t, m, keys[1], participant.Prepared)
	save(t, m, keys[4], participant.Committed)
	save(t, m, keys[3], participant.RolledBack) // older, though it came later
	expect(t, m, keys[2], participant.Unknown)
	save(t, m, keys[5], participant.ReadOnly)

	expect(t, m, keys[0], participant.Begun)
	expect(t, m, keys[1], participant.Prepared)
	expect(t, m, keys[2], participant.Forgotten)
	expect(t, m, keys[3], participant.Forgotten)
	expect(t, m, keys[4], participant.Committed)
	expect(t, m, keys[5], participant.ReadOnly)
	expect(t, m, newKey(), participant.Unknown)
	if m.Horizon() != keys[3].Transaction {
		t.Errorf("the horizon is %s", m.Horizon())
	}

	save(t, m, keys[1], participant.Committed) // at once the oldest
	expect(t, m, keys[1], participant.Forgotten)
	if m.Horizon() != keys[3].Transaction {
		t.Errorf("the horizon went back to %s", m.Horizon())
	}
}

func TestMemoryStoreOtherBranchOfTheSameTransaction(t *testing.T) {
	m := new(participant.MemoryStore)
	k := newKey()
	save(t, m, k, participant.Committed)
	for _, other := range []participant.Key{
		{Coordinator: "d", Transaction: k.Transaction, Participant: "p"},
		{Coordinator: "c", Transaction: k.Transaction, Participant: "q"},
	} {
		expect(t, m, other, participant.Unknown)
	}
}

func TestMemoryStoreAsAnIndex(t *testing.T) {
	m, copied := &participant.MemoryStore{Limit: 1}, new(participant.MemoryStore)
	old := newKey()
	save(t, m, newKey(), participant.Prepared)
	save(t, m, newKey(), participant.Committed)
	save(t, m, newKey(), participant.Committed)
	copied.Forget(m.Horizon())
	copied.Forget(old.Transaction)
	for k, s := range m.All() {
		save(t, copied, k, s)
	}
	if !maps.Equal(maps.Collect(m.All()), maps.Collect(copied.All())) || m.Horizon() != copied.Horizon() {
		t.Errorf("the copy differs")
	}
	expect(t, copied, old, participant.Forgotten)
	for range m.All() {
		break
	}
}

func TestMemoryStoreConcurrently(t *testing.T) {
	m := &participant.MemoryStore{Limit: 10}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				k := newKey()
				save(t, m, k, participant.Prepared)
				expect(t, m, k, participant.Prepared)
				save(t, m, k, participant.Committed)
			}
		})
	}
	all.Wait()
	if n := len(maps.Collect(m.All())); n != 10 {
		t.Errorf("%d branches are held, not 10", n)
	}
}

func TestStateNames(t *testing.T) {
	seen := map[string]bool{}
	for s := participant.Unknown; s <= participant.Forgotten+1; s++ {
		if seen[s.String()] {
			t.Errorf("%q twice", s)
		}
		seen[s.String()] = true
	}
}
