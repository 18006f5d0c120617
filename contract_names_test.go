package dtc_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d36415c0/dtc"
)

// Participants know their branches by the coordinator's name: it is given to a
// journal that has none only when nothing is unfinished.
func TestContractNames_GivenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		r, err := tryStart(t, dtc.Config{Journal: d.journal()})
		ok(t, err)
		a := newTwo(t, "a")
		a.every(commit, refuse)
		id := r.begin(a)
		ok(t, r.Commit(background, id))
		ok(t, r.Close())

		j := d.journal()
		_, err = tryStart(t, dtc.Config{Name: "shop", Journal: j})
		is(t, err, dtc.ErrInvalidName)
		r, err = tryStart(t, dtc.Config{Journal: j}) // it is still open, and can be used
		ok(t, err)
		a.every(commit, nil)
		ok(t, r.Register(a))
		pass(time.Minute)
		r.outcome(id, dtc.Committed)
		ok(t, r.Close())

		r, err = tryStart(t, dtc.Config{Name: "shop", Journal: d.journal()})
		ok(t, err)
		r.outcome(id, dtc.Committed)
	})
}
