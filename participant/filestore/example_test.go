package filestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/filestore"
)

// mailer sends again each time it is asked.
type mailer struct{}

func (mailer) Name() string { return "mailer" }

func (mailer) Commit(context.Context, participant.Branch) error {
	fmt.Println("sent")
	return nil
}

func (mailer) Rollback(context.Context, participant.Branch) error {
	fmt.Println("apologised")
	return nil
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "filestore")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	mail := participant.Branch{Transaction: uuid.Must(uuid.NewV7()), Participant: "mailer"}
	for range 2 { // the second time is after a restart
		store, err := filestore.Open(filepath.Join(dir, "mailer"), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		p := participant.Idempotent(mailer{}, store)
		fmt.Println(p.Commit(context.Background(), mail))
		store.Close()
	}
	// Output:
	// sent
	// <nil>
	// <nil>
}
