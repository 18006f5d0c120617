package httpbranch

import (
	_ "embed"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Headers, in the form in which net/http keeps them.
const (
	headerCall        = "Dtc-Call"
	headerTransaction = "Dtc-Transaction"
	headerParticipant = "Dtc-Participant"
	headerCoordinator = "Dtc-Coordinator"
	headerDeadline    = "Dtc-Deadline"
	headerVote        = "Dtc-Vote"
)

const voteReadOnly = "read-only"

// The last element of a call's path.
const (
	callPrepare        = "prepare"
	callCommit         = "commit"
	callRollback       = "rollback"
	callCommitOnePhase = "commit-one-phase"
	callCommitted      = "committed"
	callInDoubt        = "in-doubt"
)

const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
)

// Limits on both sides.
const (
	maxCoordinator = 64       // bytes of a coordinator's name
	maxParticipant = 128      // bytes of a participant's name
	maxAnswer      = 64 << 10 // bytes of an answer's body
	maxListing     = 16 << 20 // bytes of the answer to in-doubt
	maxText        = 512      // bytes of each text that another side may put into an error
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI returns the protocol as an OpenAPI 3.0 document, in YAML.
func OpenAPI() []byte { return append([]byte(nil), openAPI...) }

// listing is the answer to in-doubt.
type listing struct {
	// Branches is a pointer so that a document of another kind is not taken for
	// an empty list.
	Branches *[]listed `json:"branches"`
}

type listed struct {
	Transaction string `json:"transaction"`
	Coordinator string `json:"coordinator"`
}

// repeats tells whether an answer is one to the call of this key.
func repeats(r *http.Response, key string) bool {
	values := r.Header[headerCall]
	return len(values) == 1 && values[0] == key
}

// escape makes a header's value of a name: what may stand in a URL unescaped
// stays, all else is percent-encoded.
func escape(name string) string {
	const hex = "0123456789ABCDEF"
	if strings.IndexFunc(name, reserved) < 0 {
		return name
	}
	var b strings.Builder
	for _, c := range []byte(name) {
		if reserved(rune(c)) {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func reserved(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letter && r != '-' && r != '.' && r != '_' && r != '~'
}

// unescape reads a header's value; false if it is no name.
func unescape(value string, limit int) (name string, ok bool) {
	name, err := url.PathUnescape(value)
	return name, err == nil && fit(name, limit)
}

// fit tells whether a name could stand in a log, and in a header.
func fit(name string, limit int) bool {
	return len(name) <= limit && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}

// clean makes one short line of a text that somebody else wrote.
func clean(text string) string {
	cut := len(text) > maxText
	if cut {
		text = text[:maxText]
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.TrimSpace(text)
	if cut {
		text += "…"
	}
	return text
}
