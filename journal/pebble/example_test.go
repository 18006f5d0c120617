package pebble_test

import (
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/pebble"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	j, err := pebble.Open(dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	id := uuid.MustParse("0196e0f2-3b1c-7d6e-8f00-1234567890ab")
	decision := journal.Record{
		Transaction: id,
		Kind:        journal.Commit,
		Began:       time.Now(),
		Branches:    []journal.Branch{{Participant: "inventory", TwoPhase: true, Pending: true}},
	}
	if err := j.Append(journal.Batch{Writes: []journal.Write{{Put: &decision}}, Force: true}); err != nil {
		fmt.Println(err)
		return
	}
	if err := j.Close(); err != nil {
		fmt.Println(err)
		return
	}

	// Later, in another process.
	j, err = pebble.Open(dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close()
	for r, err := range j.Records(uuid.Nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Kind, r.Branches[0].Participant)
	}
	// Output: commit inventory
}
