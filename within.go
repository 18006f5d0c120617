package dtc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-d36415c0/dtc/participant"
)

// Errors within errors: what they hide, and how they read.
//
// The errors of this package hold those of others: of participants, of the
// function that Run calls, of journals. Such an error may come from another
// transaction, or from another coordinator, and tell how that ended. It must not
// be taken for the outcome of the transaction that it stands in.

// outcomes is what the error of somebody else never counts as. An answer must
// not count as a participant's vote either, where it is returned by one.
var outcomes = []error{ErrRolledBack, ErrOutcomeUnknown, ErrCommitted, participant.ErrReadOnly}

// foreign is an error that tells the outcome of something else. errors.Is and
// errors.As find in it all that they find in the error itself, but no outcome.
// So it has no Unwrap.
type foreign struct{ err error }

// hideOutcome returns err, as a foreign one if it tells an outcome.
func hideOutcome(err error) error {
	if slices.ContainsFunc(outcomes, func(o error) bool { return errors.Is(err, o) }) {
		return &foreign{err}
	}
	return err
}

func (f *foreign) Error() string { return f.err.Error() }

func (f *foreign) Is(target error) bool {
	return !slices.Contains(outcomes, target) && errors.Is(f.err, target)
}

// As is errors.As, but finds no type that is an outcome.
func (f *foreign) As(target any) bool {
	switch target.(type) {
	case **RolledBackError, **OutcomeUnknownError:
		return false
	}
	return errors.As(f.err, target)
}

// joined is several errors as one, like those of errors.Join, but on one line.
type joined struct{ errs []error }

// join returns the errors as one; nil where all of them are.
func join(errs ...error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return &joined{errs}
}

// oneLine returns err with its text on one line.
func oneLine(err error) error { return &joined{[]error{err}} }

func (j *joined) Error() string { return line(j.errs[0]) + because("", "; ", j.errs[1:]...) }

func (j *joined) Unwrap() []error { return j.errs }

// because is a text, and after it what led to it; nil errors are left out.
func because(text, separator string, errs ...error) string {
	for _, err := range errs {
		if err != nil {
			text += separator + strings.TrimPrefix(line(err), "dtc: ")
			separator = "; "
		}
	}
	return text
}

// lineEnds are what becomes of the ends of lines.
var lineEnds = strings.NewReplacer("\r\n", "; ", "\ndtc: ", "; ", "\n", "; ", "\r", "; ")

// line is an error's text on one line, as a log wants it. fmt bears with an
// error whose method panics.
func line(err error) string { return lineEnds.Replace(strings.TrimSpace(fmt.Sprint(err))) }
