package remote

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed: the node has been closed.
	ErrClosed = errors.New("remote: the node is closed")
	// ErrExpired refuses a Prepare that came when the coordinator had given it up.
	ErrExpired = errors.New("remote: Prepare came too late")
)

// ConfigError says which field of a [Config] cannot be used, and why.
type ConfigError struct {
	Field  string
	Value  any // nil where it is of no use, or a secret
	Reason string
}

func (e *ConfigError) Error() string {
	if e.Value == nil {
		return fmt.Sprintf("remote: Config.%s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("remote: Config.%s is %v: %s", e.Field, e.Value, e.Reason)
}

// ListenError says that a node cannot listen at an address.
type ListenError struct {
	Address string
	Err     error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("remote: cannot listen at %s: %v", e.Address, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }

// InUseError says that the actor system has, or has had, a remote: this package's
// or one that the application started itself. There is one in a system's life.
type InUseError struct {
	// Address of the remote.
	Address string
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("remote: the actor system has a remote already, at %s: use a system of its own", e.Address)
}

// KindError refuses to serve a participant that messages cannot drive.
type KindError struct {
	Participant string
	Reason      string
}

func (e *KindError) Error() string {
	return fmt.Sprintf("remote: participant %q cannot be served: %s", e.Participant, e.Reason)
}

// NameError refuses to serve a participant under a name.
type NameError struct {
	Name   string
	Reason string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("remote: participant name %.200q: %s", e.Name, e.Reason)
}

// NotServedError refuses a message for a participant that the node does not serve.
type NotServedError struct {
	Participant string
	// Address of the node.
	Address string
}

func (e *NotServedError) Error() string {
	return fmt.Sprintf("remote: participant %.200q is not served at %s", e.Participant, e.Address)
}

// BranchError refuses a message whose branch cannot be one of the participant's.
type BranchError struct {
	Participant string
	Reason      string
}

func (e *BranchError) Error() string {
	return fmt.Sprintf("remote: message for participant %q: %s", e.Participant, e.Reason)
}

// BusyError refuses a call because as many wait already as may.
type BusyError struct {
	Participant string
	// Limit is Config.MaxWaiting.
	Limit int
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("remote: participant %q has %d branches waiting, as many as Config.MaxWaiting allows", e.Participant, e.Limit)
}

// UnreachableError answers a message that could not be sent.
type UnreachableError struct {
	// Address of the node that it was for.
	Address string
	Err     error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("remote: no connection to %s: %v", e.Address, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// TooLargeError answers a message that is longer than may be sent.
type TooLargeError struct {
	// Size of the message and Limit, in bytes.
	Size, Limit int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("remote: message of %d bytes is over the limit of %d: raise Config.MaxMessage on both sides", e.Size, e.Limit)
}

// PanicError answers a call in which the participant panicked.
type PanicError struct {
	// Value is what the participant panicked with.
	Value any
	// Stack is where; it stays on this side.
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("participant panicked: %v", e.Value) }

// Unwrap returns the panic's value where that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
