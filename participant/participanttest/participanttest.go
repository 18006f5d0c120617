// Package participanttest checks that a participant keeps the promises that
// package participant asks of it.
//
// A test of the participant says in a [Harness] how to open it and how to see
// what a branch has done, and calls [Run]:
//
//	func TestConformance(t *testing.T) {
//		participanttest.Run(t, participanttest.Harness{Open: openInventory, Durable: true})
//	}
//
// Each promise is checked with a participant of its own. A failure names the
// promise that is broken, in words, and what was seen; [Promises] lists them all.
// [Check] does the same without package testing.
package participanttest

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/seed-d36415c0/dtc/participant"
)

// Harness says how to try a participant.
type Harness struct {
	// Open makes the participant with whatever its payloads need to succeed. It
	// may keep things in dir, an empty directory to begin with, whose name is
	// unique. A Durable participant is opened there once more after its Close,
	// and must then know what it knew.
	Open func(dir string) (*Service, error)
	// Durable claims that what the participant answered survives a restart.
	Durable bool
}

// Service is an open participant.
type Service struct {
	Participant participant.Participant
	// Payload returns a payload that has not been used yet, for a branch that the
	// participant accepts and that is not read-only. It may be nil: then the
	// payload is.
	Payload func() []byte
	// Refused returns a payload that the participant refuses. Nil if it refuses
	// none.
	Refused func() []byte
	// Effects counts how often the branch's effect is there now: 0 before it is
	// committed, 1 after, 0 when it has been undone; less than 0 where it was
	// undone without having been there. It need not count before the branch is
	// committed or rolled back.
	Effects func(participant.Branch) (int, error)
	// Close ends the participant as its process would end; nil if there is
	// nothing to do.
	Close func() error
}

// Promise is one thing that participants promise.
type Promise struct {
	// ID is a short name that does not change.
	ID string
	// Sentence is the promise in words.
	Sentence string
}

// Violation is a promise that a participant has broken.
type Violation struct {
	Promise Promise
	// Found is what was seen instead.
	Found string
}

func (v Violation) String() string {
	return fmt.Sprintf("broken promise %s: %s\n\tfound: %s", v.Promise.ID, v.Promise.Sentence, v.Found)
}

// Promises lists the promises in the order in which they are checked. Some are
// asked only of some kinds of participant.
func Promises() []Promise {
	var all []Promise
	for _, c := range checks {
		all = append(all, c.Promise)
	}
	return all
}

// Run checks every promise in a subtest of its own.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.ID, func(t *testing.T) {
			violation, asked, err := c.try(h, t.TempDir())
			switch {
			case err != nil:
				t.Fatal(err)
			case !asked:
				t.Skip("not asked of this kind of participant")
			case violation != nil:
				t.Error(violation)
			}
		})
	}
}

// Check returns the promises that are broken. An error says that not all could
// be checked: the harness or the file system failed.
func Check(h Harness) (broken []Violation, err error) {
	for _, c := range checks {
		violation, err := c.inTempDir(h)
		if err != nil {
			return broken, err
		}
		if violation != nil {
			broken = append(broken, *violation)
		}
	}
	return broken, nil
}

func (c check) inTempDir(h Harness) (violation *Violation, err error) {
	dir, err := os.MkdirTemp("", "participanttest")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	violation, _, err = c.try(h, dir)
	return violation, err
}
