package supervisor

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/actors"
	"github.com/seed-d36415c0/dtc/protocol"
)

// committed is the handle of a transaction that was committed at that instant,
// in microseconds.
func committed(n byte, at int64) *actors.Handle {
	h := actors.NewHandle(uuid.UUID{6: 0x70, 8: 0x80, 15: n}, nil)
	h.SetState(protocol.Committed)
	h.SetEnding(actors.Ending{Finished: time.UnixMicro(at)})
	return h
}

func (d *Directory) archived(handles ...*actors.Handle) (due bool) {
	for _, h := range handles {
		d.add(h)
		due = d.archive(h)
	}
	return due
}

func (d *Directory) found(t *testing.T, want string, handles ...*actors.Handle) {
	t.Helper()
	listed := make(map[uuid.UUID]bool)
	d.All(func(h *actors.Handle) bool {
		listed[h.ID] = true
		return true
	})
	got := make([]byte, len(handles))
	for i, h := range handles {
		got[i] = '-'
		f := d.Find(h.ID)
		if f != nil && f.State() == protocol.Committed && f.Ending().Finished.Equal(h.Ending().Finished) {
			got[i] = '+'
		}
		if listed[h.ID] != (f != nil) {
			t.Errorf("transaction %d is listed: %v, found: %v", i, listed[h.ID], f != nil)
		}
	}
	if string(got) != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

// Actors do not stop in the order in which their transactions finish; outcomes
// expire in that order all the same, as the journal drops them by instant.
func TestHistoryExpiresInOrderOfFinishing(t *testing.T) {
	d := NewDirectory(3, time.Hour)
	a, b, c, e := committed(1, 10), committed(2, 20), committed(3, 30), committed(4, 40)
	d.archived(c, a, e)
	d.found(t, "+-++", a, b, c, e)
	d.archived(b)
	d.found(t, "-+++", a, b, c, e)
	through, horizon, ok := d.takeUnsaved()
	if !ok || through.UnixMicro() != 10 || horizon != a.ID {
		t.Errorf("to be dropped through %v, horizon %v, %v", through, horizon, ok)
	}
	if d.Finished() != 3 {
		t.Errorf("%d finished", d.Finished())
	}
}

// An actor that stops when everything that finished after its transaction has
// expired leaves nothing behind, and the journal is told once more.
func TestHistoryTakesALatecomer(t *testing.T) {
	d := NewDirectory(1, time.Hour)
	late, b, c := committed(9, 10), committed(2, 20), committed(3, 30)
	d.archived(b, c)
	if _, _, ok := d.takeUnsaved(); !ok {
		t.Fatal("nothing was to be dropped")
	}
	d.archived(late)
	d.found(t, "--+", late, b, c)
	if through, _, ok := d.takeUnsaved(); !ok || through.UnixMicro() != 20 {
		t.Errorf("to be dropped through %v, %v", through, ok)
	}
	if d.Horizon() != late.ID {
		t.Error("the latecomer's id could begin again")
	}
}

// A transaction that was brought back, because a branch turned up late, keeps its
// instant and its place.
func TestHistoryKnowsWhoWasThere(t *testing.T) {
	d := NewDirectory(2, time.Hour)
	a, b := committed(1, 10), committed(2, 20)
	d.archived(a, b)
	again := d.Find(a.ID)
	if at := d.Retire(again); !at.Equal(a.Ending().Finished) {
		t.Errorf("finished again at %v", at)
	}
	d.archived(again)
	if d.Finished() != 2 {
		t.Errorf("%d finished", d.Finished())
	}
	d.found(t, "++", a, b)
	d.archived(committed(3, 30))
	d.found(t, "-+", a, b)
}

// What there is more to tell of than the outcome is kept whole.
func TestHistoryKeepsWhatWasSettledByHand(t *testing.T) {
	d := NewDirectory(2, time.Hour)
	h := committed(1, 10)
	h.SetEnding(actors.Ending{Finished: time.UnixMicro(10), Heuristic: "by hand"})
	d.archived(h)
	if d.Find(h.ID) != h {
		t.Error("folded")
	}
	d.archived(committed(2, 20), committed(3, 30))
	if d.Find(h.ID) != nil {
		t.Error("still there")
	}
}

// Members are kept by generation, each different set once.
func TestHistoryKeepsMembers(t *testing.T) {
	d := NewDirectory(48, time.Hour) // three to a generation
	sets := [][]string{nil, {"a"}, {"a", "b"}, {"b", "a"}, {"ab"}, {"a", ""}, {"", "a"}}
	want := func(n int) []string { return sets[n*n%len(sets)] }
	const count = 60
	handles := make([]*actors.Handle, count)
	for n := range handles {
		handles[n] = committed(byte(n+1), int64(n+1))
		e := handles[n].Ending()
		e.Members = slices.Clone(want(n))
		handles[n].SetEnding(e)
		d.archived(handles[n])
	}
	d.archived(d.Find(handles[count-40].ID)) // told again, and so in two generations
	all := make(map[uuid.UUID]*actors.Handle)
	d.All(func(h *actors.Handle) bool {
		all[h.ID] = h
		return true
	})
	for n, h := range handles {
		expired := n < count-48
		found := d.Find(h.ID)
		if (found == nil) != expired || (all[h.ID] == nil) != expired {
			t.Fatalf("transaction %d is found: %v, listed: %v", n, found != nil, all[h.ID] != nil)
		}
		if !expired && (!slices.Equal(found.Ending().Members, want(n)) || !slices.Equal(all[h.ID].Ending().Members, want(n))) {
			t.Errorf("the members of transaction %d are %q, listed %q, want %q",
				n, found.Ending().Members, all[h.ID].Ending().Members, want(n))
		}
	}
	if n := len(d.folded.generations); n > 48/3+2 {
		t.Errorf("%d generations", n)
	}
}

// A transaction takes the number of its set, and a generation each set once.
func TestMembershipsHoldEachSetOnce(t *testing.T) {
	var m memberships
	for range 1000 {
		for i, set := range [][]string{nil, {"a"}, {"b", "c"}} {
			if n := m.number(slices.Clone(set)); n != uint32(i) {
				t.Fatalf("set %d has number %d", i, n)
			}
		}
	}
	if len(m.sets) != 2 || len(m.numbers) != 2 {
		t.Errorf("%d sets, %d numbers", len(m.sets), len(m.numbers))
	}
	set := []string{"b", "c"}
	if n := testing.AllocsPerRun(100, func() { m.number(set) }); n != 0 {
		t.Errorf("%v allocations for a set that is known", n)
	}
}

func TestRetireNeverTwiceAtOneInstant(t *testing.T) {
	d := NewDirectory(2, time.Hour)
	d.archived(committed(1, time.Now().Add(time.Hour).UnixMicro()))
	last := time.Now().Add(time.Hour / 2)
	for range 100 {
		at := d.Retire(actors.NewHandle(uuid.New(), nil))
		if !at.After(last) {
			t.Fatalf("%v, after %v", at, last)
		}
		last = at
	}
}

func TestHistoryExpiresByAge(t *testing.T) {
	d := NewDirectory(100, time.Minute)
	start := time.UnixMicro(1_000_000)
	if !d.archived(committed(1, start.UnixMicro())) {
		t.Error("nobody would look for the first expiry")
	}
	if d.archived(committed(2, start.Add(time.Second).UnixMicro())) {
		t.Error("the second one needs nothing")
	}
	if !d.archived(committed(3, start.UnixMicro()-1)) {
		t.Error("an earlier one is the first to expire")
	}
	d.expireOld(start.Add(time.Minute))
	if d.Finished() != 1 {
		t.Errorf("%d finished", d.Finished())
	}
	if next := d.nextExpiry(); !next.After(start.Add(time.Minute)) {
		t.Errorf("next at %v", next)
	}
}
