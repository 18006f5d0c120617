package httpbranch

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-d36415c0/dtc/participant"
)

// Options of [New]. The zero value is a two-phase service.
type Options struct {
	// OnePhase: the service has no prepare, and does its work in commit. Defaults
	// to false.
	OnePhase bool
	// OnePhaseCommitter: the service has commit-one-phase and committed. Not with
	// OnePhase. Defaults to false.
	OnePhaseCommitter bool
	// Recoverer: the service has in-doubt. Not with OnePhase, whose list the
	// coordinator has no use for. Defaults to false.
	Recoverer bool

	// ContentType is the payload's media type; a call without a payload has none.
	// Defaults to application/json.
	ContentType string
	// Timeout is the time for a call whose context has no deadline. Defaults to
	// 30 s.
	Timeout time.Duration
	// Header may add headers to a call, such as a token. The headers of the protocol
	// are there already. It is called by many goroutines; its error ends the call
	// before anything is sent. Defaults to none.
	Header func(context.Context, http.Header) error

	// TLS is used for an https URL, and is cloned. Defaults to the system's roots.
	// Not with Transport.
	TLS *tls.Config
	// Transport makes the calls, instead of one that New makes. It is a
	// RoundTripper and not an http.Client because redirects, cookies and a time-out
	// of its own would each break the protocol; an http.Client's Transport fits.
	// Close leaves it alone. Defaults to none.
	Transport http.RoundTripper
}

// New returns the participant that is the service at baseURL. It sends nothing.
//
// It is two-phase, unless Options say otherwise, and has the optional interfaces
// of package participant that Options name, and no other. It is an io.Closer too:
// Close drops the connections that are kept open; calls under way are finished, and
// later ones connect again.
//
// The URL is http or https, without query and fragment. A user name and password
// in it are sent as basic authentication and appear in no error. Nil Options
// means the zero one. New fails with a [*ConfigError].
//
// Errors of calls are [*StatusError], [*AnswerError] and [*CallError].
func New(name, baseURL string, o *Options) (participant.Participant, error) {
	if o == nil {
		o = new(Options)
	}
	base, credentials, err := parseBase(baseURL)
	if err != nil {
		return nil, err
	}
	if err := o.check(name); err != nil {
		return nil, err
	}
	c := &client{
		name:    name,
		base:    base,
		shown:   base.String(),
		timeout: o.Timeout,
		header:  o.Header,
		fixed: http.Header{
			headerParticipant: {escape(name)},
			"User-Agent":      {"dtc-httpbranch"},
		},
		contentType: []string{o.ContentType},
		exchanger:   newExchanger(base, o),
	}
	if o.ContentType == "" {
		c.contentType = []string{typeJSON}
	}
	if c.timeout == 0 {
		c.timeout = 30 * time.Second
	}
	if credentials != "" {
		c.fixed["Authorization"] = []string{credentials}
	}
	c.resolve()
	return c.ofKind(o), nil
}

// check says what is wrong with the options.
func (o *Options) check(name string) error {
	switch {
	case name == "" || !fit(name, maxParticipant):
		return &ConfigError{"name", fmt.Sprintf("must be 1 to %d bytes of UTF-8 without control characters", maxParticipant)}
	case o.OnePhase && o.OnePhaseCommitter:
		return &ConfigError{"Options.OnePhaseCommitter", "a service with OnePhase has no prepare to go without"}
	case o.OnePhase && o.Recoverer:
		return &ConfigError{"Options.Recoverer", "a service with OnePhase holds nothing prepared"}
	case o.Timeout < 0:
		return &ConfigError{"Options.Timeout", fmt.Sprintf("is %v, must not be negative", o.Timeout)}
	case o.TLS != nil && o.Transport != nil:
		return &ConfigError{"Options.TLS", "set it in Transport"}
	}
	if o.ContentType == "" {
		return nil
	}
	if _, _, err := mime.ParseMediaType(o.ContentType); err != nil {
		return &ConfigError{"Options.ContentType", fmt.Sprintf("%.40q is no media type", o.ContentType)}
	}
	return nil
}

// parseBase takes the credentials out of a URL.
func parseBase(baseURL string) (base *url.URL, credentials string, err error) {
	base, err = url.Parse(baseURL)
	reason := ""
	switch {
	case err != nil: // its text has pieces of the URL in it
		reason = "it cannot be parsed"
	case base.Scheme != "http" && base.Scheme != "https":
		reason = "it must begin with http:// or https://"
	case base.Hostname() == "":
		reason = "it has no host"
	case !fitPort(base.Port()):
		reason = "its port must be 1 to 65535"
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		reason = "it must have no query and no fragment"
	}
	if reason != "" {
		return nil, "", &ConfigError{"baseURL", reason}
	}
	if user := base.User; user != nil {
		password, _ := user.Password()
		credentials = "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
		base.User = nil
	}
	base.Path, base.RawPath = strings.TrimRight(base.Path, "/"), strings.TrimRight(base.RawPath, "/")
	return base, credentials, nil
}

func fitPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}
