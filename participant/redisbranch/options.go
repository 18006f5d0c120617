package redisbranch

import (
	"net/url"
	"strings"
	"time"

	"github.com/seed-d36415c0/dtc/participant/internal/names"
)

// DefaultRemember is how long a settled branch is remembered where nothing else
// is said.
const DefaultRemember = 24 * time.Hour

// Options of [OpenTCC] and [OpenSaga]. The zero value is ready.
type Options struct {
	// Tag is the hash tag of all the participant's keys, without the braces;
	// empty means the participant's name, escaped as in a URL's query. It must not
	// change while there is anything to remember.
	Tag string
	// Remember is for how long a settled branch is remembered, in whole
	// milliseconds; zero means [DefaultRemember]. It must cover the longest time
	// that a transaction takes, a coordinator is down, and a call is late. It is
	// kept in Redis: the last to open the participant decides for all.
	Remember time.Duration
	// AcceptLoss has the participant opened whatever the server's settings are,
	// without asking for them: what was acknowledged may then be lost in a crash, or
	// evicted.
	AcceptLoss bool
}

// checked returns the options with their defaults filled in.
func (o *Options) checked(name string) (Options, error) {
	if !names.Fits(name) {
		return Options{}, &OptionError{"name", "must be 1 to 128 bytes of UTF-8 without control characters"}
	}
	var all Options
	if o != nil {
		all = *o
	}
	if all.Tag == "" {
		all.Tag = url.QueryEscape(name)
	}
	if strings.ContainsAny(all.Tag, "{}") {
		return Options{}, &OptionError{"Tag", "must not contain braces"}
	}
	if all.Remember == 0 {
		all.Remember = DefaultRemember
	}
	if all.Remember < time.Millisecond {
		return Options{}, &OptionError{"Remember", "must be a millisecond or more"}
	}
	return all, nil
}
