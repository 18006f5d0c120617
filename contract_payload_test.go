package dtc_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant"
)

// The payload is the participant's own as soon as the call returns, however it
// does: also when the caller gave up in the middle, and uses the memory for
// something else.
func TestContractPayload_IsTaken(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *rig, uuid.UUID, participant.Participant, []byte) error{
		"Execute": func(ctx context.Context, r *rig, id uuid.UUID, p participant.Participant, payload []byte) error {
			return r.Execute(ctx, &dtc.TxOptions{ID: id}, dtc.Enlistment{Participant: p, Payload: payload})
		},
		"Enlist": func(ctx context.Context, r *rig, id uuid.UUID, p participant.Participant, payload []byte) error {
			if _, err := r.Begin(ctx, &dtc.TxOptions{ID: id}); err != nil {
				return err
			}
			return r.Enlist(ctx, id, p, payload)
		},
		"Tx.Enlist": func(ctx context.Context, r *rig, id uuid.UUID, p participant.Participant, payload []byte) error {
			return r.Run(ctx, &dtc.TxOptions{ID: id}, func(tx *dtc.Tx) error { return tx.Enlist(ctx, p, payload) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, goOn := make(chan struct{}), make(chan struct{})
				r := start(t, dtc.Config{OnEvent: func(e dtc.Event) {
					if e.Kind == dtc.EventBegan {
						close(began)
						<-goOn
					}
				}})
				id, payload := uuid.Must(uuid.NewV7()), []byte(secret)
				a := newTwo(t, "a")
				a.every(prepare, func(_ context.Context, b participant.Branch) error {
					if string(b.Payload) != secret {
						t.Errorf("prepares %q", b.Payload)
					}
					return nil
				})
				ctx, cancel := context.WithCancel(background)
				asked := make(chan error)
				go func() { asked <- ask(ctx, r, id, a, payload) }()
				<-began
				synctest.Wait()
				cancel()
				if err := <-asked; err == nil {
					t.Fatal("nobody gave up")
				}
				copy(payload, "something else entirely")
				close(goOn)
				synctest.Wait()
				_ = r.Commit(background, id)
			})
		})
	}
}
