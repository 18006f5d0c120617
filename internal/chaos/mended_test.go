package chaos

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
)

// What random strikes have found, each by itself: the strike, and what was being
// done. After it all is as after any round.
var mended = []struct {
	name string
	aims []aim
	do   func(w *world)
}{
	{"a caller of Execute is answered whose transaction dies as it begins",
		[]aim{{"event: transaction began", 1, exits}}, func(w *world) { w.execute(wishes{0: ""}) }},
	{"a branch whose call returns to an actor that dies is told again",
		[]aim{{"event: participant does not answer", 1, exits}}, func(w *world) { w.execute(wishes{0: refuses + "Rollback", 1: refuses + "Prepare"}) }},
	{"a participant that recovers as its actor dies is told again",
		[]aim{{"event: participant answers again", 1, exits}}, func(w *world) { w.execute(wishes{0: refuses + "Rollback", 1: refuses + "Prepare"}) }},
	{"an actor that dies comes back although the listener that hears of it exits",
		[]aim{{"event: commit asked", 1, exits}, {"event: actor panicked", 1, exits}}, func(w *world) { w.execute(wishes{0: ""}) }},
	{"an actor that dies comes back although its record cannot be read",
		[]aim{{"event: commit asked", 1, exits}, {"journal.Record", 1, exits}}, func(w *world) { w.execute(wishes{0: ""}) }},
	{"a journal that ends the writer's goroutine has failed",
		[]aim{{"journal.Append", 2, exits}}, func(w *world) { w.execute(wishes{2: ""}) }},
	{"a listener that exits when it hears of a failed journal keeps nobody waiting",
		[]aim{{"journal.Append", 2, panics}, {"event: journal failed", 1, exits}}, func(w *world) { w.execute(wishes{2: ""}) }},
	{"a journal that panics when it is closed is closed",
		[]aim{{"journal.Close", 1, panics}}, func(*world) {}},
	{"a participant that does not say its name is not registered",
		[]aim{{"participant.Name", 2, panics}}, func(w *world) { w.register() }},
	{"a participant that ends the goroutine instead of saying its name is not registered",
		[]aim{{"participant.Name", 2, exits}}, func(w *world) { w.register() }},
	{"nothing is tried again and again for ever when the journal has failed",
		[]aim{{"journal.Append", 4, panics}}, func(w *world) {
			w.execute(wishes{0: hangs + "Commit"}) // parked
			w.execute(wishes{2: ""})
			w.execute(wishes{2: ""})
		}},
}

func TestMended(t *testing.T) {
	for _, m := range mended {
		t.Run(m.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(late)
				s := newStrike(m.aims...)
				s.hold(true)
				w := begin(t, "lasting", m.name, s)
				w.start()
				s.hold(false)
				if !w.within(func() { w.alone(func() { m.do(w) }) }) {
					w.fatalf("a caller waits for ever")
				}
				w.settle()
				for w.journalFailed() {
					w.stop()
					w.start()
					w.settle()
				}
				s.hold(true)
				w.audit()
				w.checkSlots()
				s.hold(false)
				w.stop()
				if hits := s.over(); hits != len(m.aims) {
					t.Errorf("%d strikes, want %d", hits, len(m.aims))
				}
			})
		})
	}
}

// wishes is what participants, by number, are to do.
type wishes map[int]string

// execute runs one transaction with these participants.
func (w *world) execute(of wishes) {
	a := &tale{id: uuid.Must(uuid.NewV7()), asked: true, told: errors.New("no answer")}
	var list []dtc.Enlistment
	for member, wish := range of {
		a.enlisted = append(a.enlisted, w.clerks[member])
		list = append(list, dtc.Enlistment{Participant: w.members[member], Payload: []byte(wish)})
	}
	w.tales = append(w.tales, a)
	a.told = w.Execute(background, &dtc.TxOptions{ID: a.id}, list...)
}

// register registers one more participant. It is asked for its name by the caller
// first, and then by the supervisor.
func (w *world) register() {
	if err := w.Register(twoStep{newClerk("new", w.strike)}); err == nil {
		w.errorf("registered")
	}
}
