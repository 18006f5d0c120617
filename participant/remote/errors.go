package remote

import (
	"errors"
	"fmt"
)

// ErrClosed: the node has been closed.
var ErrClosed = errors.New("remote: the node is closed")

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

// What follows says why a question got no good answer. Who asked gets the text, and
// nobody the value.

// errExpired refuses a Prepare that came when the coordinator had given it up.
var errExpired = errors.New("remote: Prepare came after its time, by this machine's clock")

func errNotServed(name, address string) error {
	return fmt.Errorf("remote: participant %.200q is not served at %s", name, address)
}

func errBranch(name, reason string) error {
	return fmt.Errorf("remote: message for participant %q: %s", name, reason)
}

func errBusy(name string, limit int) error {
	return fmt.Errorf("remote: participant %q has %d branches waiting, as many as Config.MaxWaiting allows", name, limit)
}

func errUnreachable(address string, why error) error {
	return fmt.Errorf("remote: no connection to %s: %.500v", address, why)
}

func errTooLarge(size, limit int) error {
	return fmt.Errorf("remote: message of %d bytes is over the limit of %d: raise Config.MaxMessage on both sides", size, limit)
}
