package chaos

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant"
)

// A participant's actor that stops whoever called it harms one transaction: the
// next ones reach the participant.
func TestChaos_CallerIsStopped(t *testing.T) {
	for name, stop := range map[string]func(actor.Context){
		"stopped":  func(c actor.Context) { c.Stop(c.Sender()) },
		"poisoned": func(c actor.Context) { c.Poison(c.Sender()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(late)
				w := begin(t, "lasting", name, newStrike())
				first := true
				pid := w.system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
					switch m := c.Message().(type) {
					case *messages.Prepare:
						if first {
							first = false
							stop(c)
							return
						}
						c.Respond(m.Yes())
					case *messages.Commit:
						c.Respond(m.Done())
					case *messages.Rollback:
						c.Respond(m.Done())
					}
				}))
				w.start()
				p := participant.Actor("hostile", pid)
				if err := w.Execute(background, nil, dtc.Enlistment{Participant: p}); err == nil {
					t.Error("committed without a vote")
				}
				time.Sleep(time.Minute)
				if err := w.Execute(background, nil, dtc.Enlistment{Participant: p}); err != nil {
					t.Errorf("the next transaction: %v", err)
				}
				time.Sleep(time.Minute)
				w.audit()
				w.stop()
			})
		})
	}
}
