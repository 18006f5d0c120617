package outbox

import "fmt"

// PayloadError refuses a payload that is not the document that [Encode] makes.
type PayloadError struct {
	Reason string
}

func (e *PayloadError) Error() string { return "outbox: bad payload: " + e.Reason }

// MessageError refuses a message that cannot be published.
type MessageError struct {
	// Number is the message's place in the payload, from 0.
	Number int
	Reason string
}

func (e *MessageError) Error() string {
	return fmt.Sprintf("outbox: bad message %d: %s", e.Number, e.Reason)
}

// PublishError says that a message was refused, or is not stored yet.
type PublishError struct {
	// Number is the message's place in the payload, from 0.
	Number  int
	Subject string
	// Err is the publisher's.
	Err error
}

func (e *PublishError) Error() string {
	return fmt.Sprintf("outbox: message %d to %q: %s", e.Number, e.Subject, e.Err)
}

// Unwrap returns the publisher's error.
func (e *PublishError) Unwrap() error { return e.Err }

// OptionError refuses what [New] was given.
type OptionError struct {
	// Option is "name" or "publisher".
	Option, Reason string
}

func (e *OptionError) Error() string { return fmt.Sprintf("outbox: %s %s", e.Option, e.Reason) }
