package httpbranch

import (
	"fmt"
	"net/http"
	"strings"
)

// ConfigError says which argument of [New] cannot be used. It does not repeat the
// base URL, in which there may be a password.
type ConfigError struct {
	Field  string
	Reason string
}

func (e *ConfigError) Error() string { return "httpbranch: " + e.Field + ": " + e.Reason }

// StatusError is an answer that is no yes. It wraps what its Type stands for:
// participant.ErrRolledBack, ErrNotPrepared, ErrCommitted or a
// *participant.ForgottenError.
type StatusError struct {
	// Call is the last element of the path, "prepare" for one.
	Call string
	// URL is the service's base, without credentials.
	URL string
	// Status is the HTTP status code.
	Status int
	// Type, Title and Detail are the problem document's, each one line of at most
	// 512 bytes; empty where there was no such document.
	Type, Title, Detail string

	meaning error
}

func (e *StatusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "httpbranch: %s at %s: status %d", e.Call, e.URL, e.Status)
	if text := http.StatusText(e.Status); text != "" {
		b.WriteString(" " + text)
	}
	if e.Status >= 300 && e.Status < 400 {
		b.WriteString(" (redirects are not followed: set the URL that it redirects to)")
	}
	if e.Title != "" {
		b.WriteString(": " + e.Title)
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	return b.String()
}

// Unwrap returns what the problem's type stands for.
func (e *StatusError) Unwrap() error { return e.meaning }

// AnswerError is an answer that breaks the protocol, and so says nothing.
type AnswerError struct {
	// Call is the last element of the path, "prepare" for one.
	Call string
	// URL is the service's base, without credentials.
	URL string
	// Status is the HTTP status code.
	Status int
	// Reason says what is wrong with the answer.
	Reason string
	// Err is why the answer could not be read; nil where it was read.
	Err error
}

func (e *AnswerError) Error() string {
	text := fmt.Sprintf("httpbranch: %s at %s: status %d: %s", e.Call, e.URL, e.Status, e.Reason)
	if e.Err != nil {
		text += ": " + clean(e.Err.Error())
	}
	return text
}

// Unwrap returns why the answer could not be read.
func (e *AnswerError) Unwrap() error { return e.Err }

// CallError is a call that got no answer: whether it took effect is not known.
type CallError struct {
	// Call is the last element of the path, "prepare" for one.
	Call string
	// URL is the service's base, without credentials.
	URL string
	// Err is the transport's error, or the context's.
	Err error
}

func (e *CallError) Error() string {
	return fmt.Sprintf("httpbranch: %s at %s: %s", e.Call, e.URL, clean(e.Err.Error()))
}

// Unwrap returns the transport's error.
func (e *CallError) Unwrap() error { return e.Err }
