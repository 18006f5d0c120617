package outbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what a branch publishes.
const (
	// MaxMessages is how many messages a branch has at most.
	MaxMessages = 64
	// MaxSubject is how many bytes a subject has at most.
	MaxSubject = 255
)

// Message is what is published.
type Message struct {
	// Subject says where: the subject in NATS, the topic in Kafka. It is UTF-8
	// without spaces and control characters.
	Subject string `json:"subject"`
	// Key groups messages where the broker can: it chooses the partition in
	// Kafka. NATS has none, and there it must be empty.
	Key []byte `json:"key,omitempty"`
	// Header goes with the message. Names are made of letters, digits and -_. and
	// values are UTF-8 without control characters and without spaces around them.
	Header map[string]string `json:"header,omitempty"`
	// Data is the message itself.
	Data []byte `json:"data,omitempty"`
}

// payload is the document that a branch carries.
type payload struct {
	Messages []Message `json:"messages"`
}

// Encode returns the messages as they are enlisted: a JSON document, in which keys
// and data take a third more room than they have bytes. It refuses messages that
// no Prepare would take with a [*MessageError], and too many with a
// [*PayloadError].
func Encode(messages ...Message) ([]byte, error) {
	if err := check(messages); err != nil {
		return nil, err
	}
	if messages == nil {
		messages = []Message{}
	}
	return json.Marshal(payload{messages})
}

// decode reads a payload strictly.
func decode(data []byte) ([]Message, error) {
	var p payload
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || p.Messages == nil {
		return nil, &PayloadError{"it was not made by Encode"} // what JSON found may quote it
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &PayloadError{"something follows the document"}
	}
	return p.Messages, check(p.Messages)
}

func check(messages []Message) error {
	if n := len(messages); n > MaxMessages {
		return &PayloadError{fmt.Sprintf("%d messages, the limit is %d", n, MaxMessages)}
	}
	for i, m := range messages {
		if reason := m.fault(); reason != "" {
			return &MessageError{Number: i, Reason: reason}
		}
	}
	return nil
}

// fault says what is wrong with the message; empty where nothing is. It does not
// quote the message.
func (m Message) fault() string {
	switch {
	case m.Subject == "" || len(m.Subject) > MaxSubject:
		return fmt.Sprintf("the subject has %d bytes, it must have 1 to %d", len(m.Subject), MaxSubject)
	case !text(m.Subject) || strings.ContainsFunc(m.Subject, unicode.IsSpace):
		return "the subject is not UTF-8 without spaces and control characters"
	}
	for name, value := range m.Header {
		switch {
		case name == "" || strings.ContainsFunc(name, notOfName):
			return "a header's name has other characters than letters, digits and -_."
		case !text(value) || strings.TrimSpace(value) != value:
			return "a header's value is not UTF-8 without control characters and without spaces around it"
		}
	}
	return ""
}

func text(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

func notOfName(r rune) bool {
	return !strings.ContainsRune("-_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", r)
}
