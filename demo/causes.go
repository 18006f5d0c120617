package main

import (
	"errors"
	"strings"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/participant/ledger"
)

// cause is why an order was rolled back, in a few words.
type cause string

const (
	noSuchItem  cause = "no such item"
	outOfStock  cause = "out of stock"
	outOfCredit cause = "out of credit"
	overLimit   cause = "over a limit"
	refused     cause = "refused" // for no reason but chaos
	panicked    cause = "panicked"
	timedOut    cause = "timed out"
	unreached   cause = "service was down"
	otherCause  cause = "other"
)

// causeOf tells why an order was rolled back. What a service says of the order
// itself counts more than what befell its calls.
func causeOf(err error) cause {
	var unknown *ledger.UnknownAccountError
	var over *ledger.OverflowError
	switch {
	case errors.As(err, &unknown):
		return noSuchItem
	case short(err, "inventory"):
		return outOfStock
	case short(err, "payment"):
		return outOfCredit
	case errors.As(err, &over):
		return overLimit
	case errors.Is(err, errChaosPanic):
		return panicked
	case errors.Is(err, errChaos):
		return refused
	case errors.Is(err, dtc.ErrTimeout):
		return timedOut
	case absent(err):
		return unreached
	}
	return otherCause
}

// reasonOf is what the services said, in their own words.
func reasonOf(err error) string {
	var back *dtc.RolledBackError
	if !errors.As(err, &back) {
		return err.Error()
	}
	var said []string
	for _, c := range back.Causes {
		var failed *dtc.ParticipantFailedToCommitError
		if errors.As(c, &failed) {
			said = append(said, failed.Participant+": "+failed.Err.Error())
		}
	}
	if len(said) == 0 {
		return err.Error()
	}
	return strings.ReplaceAll(strings.Join(said, "; "), "\n", ", ")
}

// short tells whether a service refused for want of what was to be taken.
func short(err error, service string) bool {
	var back *dtc.RolledBackError
	if !errors.As(err, &back) {
		return false
	}
	for _, c := range back.Causes {
		var failed *dtc.ParticipantFailedToCommitError
		var want *ledger.InsufficientError
		if errors.As(c, &failed) && failed.Participant == service && errors.As(failed.Err, &want) {
			return true
		}
	}
	return false
}
