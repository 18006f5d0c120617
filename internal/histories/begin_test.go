package histories_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/journal"
)

// Who knows a transaction's id before Begin has returned finds it, or does not
// find it: there is no moment in which it is there and takes no call.
func TestHistories_CallDuringBegin(t *testing.T) {
	c := open(t, journal.Memory())
	for range 3000 {
		id := uuid.Must(uuid.NewV7())
		ended := make(chan error)
		go func() {
			for {
				if err := c.Rollback(background, id); !errors.Is(err, dtc.ErrTransactionNotFound) {
					ended <- err
					return
				}
			}
		}()
		if _, err := c.Begin(background, &dtc.TxOptions{ID: id}); err != nil && !errors.Is(err, dtc.ErrRolledBack) {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Fatalf("Rollback while it begins: %v", err)
		}
	}
}
