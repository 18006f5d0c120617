package jetstream

import (
	"fmt"
	"time"
)

// StreamError refuses a message that no stream can take now.
type StreamError struct {
	// Stream is empty where none takes the subject.
	Stream, Subject string
	// Reason says what is wrong, and what to set.
	Reason string
}

func (e *StreamError) Error() string {
	if e.Stream == "" {
		return fmt.Sprintf("jetstream: subject %q: %s", e.Subject, e.Reason)
	}
	return fmt.Sprintf("jetstream: stream %q for subject %q: %s", e.Stream, e.Subject, e.Reason)
}

// WindowError refuses a stream that forgets the ids of its messages too soon.
type WindowError struct {
	Stream string
	// Window is the stream's, Want the one of Options.Window.
	Window, Want time.Duration
}

func (e *WindowError) Error() string {
	return fmt.Sprintf("jetstream: stream %q drops duplicates for %s only: set its duplicate window to %s or more, or lower Options.Window",
		e.Stream, e.Window, e.Want)
}

// SizeError refuses a message that is too large.
type SizeError struct {
	// Size is that of header and data together, in bytes.
	Size, Limit int64
	// Setting is the one that limits it: the server's "max_payload" or the
	// stream's "max_msg_size".
	Setting string
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("jetstream: the message has %d bytes with its header, %s is %d", e.Size, e.Setting, e.Limit)
}

// MessageError refuses a message that NATS cannot carry.
type MessageError struct {
	Reason string
}

func (e *MessageError) Error() string { return "jetstream: bad message: " + e.Reason }

// OptionError refuses what [New] was given.
type OptionError struct {
	// Option is a field of [Options], or "connection".
	Option, Reason string
}

func (e *OptionError) Error() string { return fmt.Sprintf("jetstream: %s %s", e.Option, e.Reason) }
