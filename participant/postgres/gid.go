package postgres

import (
	"encoding/binary"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

const (
	// maxGid is how long a gid may be, in bytes: 199 is the longest that the
	// server takes.
	maxGid = 199
	// maxApplicationName is what the server keeps of an application_name.
	maxApplicationName = 63
	gidPrefix          = "dtc/"
)

// gidStem is what the gids of a participant's branches begin with, for one
// coordinator. Escaped names have no quote, backslash or slash, and are ASCII: a
// gid can stand in a literal, and says unambiguously whose it is.
func gidStem(name, coordinator string) string {
	return gidPrefix + url.PathEscape(name) + "/" + url.PathEscape(coordinator) + "/"
}

// gid names the branch at the server, cluster-wide.
func (p *Participant) gid(b participant.Branch) (string, error) {
	gid := gidStem(p.name, b.Coordinator) + b.Transaction.String()
	if len(gid) > maxGid {
		return "", &GidError{Gid: gid, Limit: maxGid}
	}
	return gid, nil
}

// ofGid reads the transaction from a gid that begins with the stem.
func ofGid(gid, stem string) (uuid.UUID, bool) {
	id, ok := strings.CutPrefix(gid, stem)
	if !ok || len(id) != len(uuid.Nil.String()) {
		return uuid.Nil, false
	}
	parsed, err := uuid.Parse(id)
	return parsed, err == nil
}

// tag is the application_name of a connection while it holds an open branch. It
// may be cut, and then be that of another participant too: a transaction's
// branches are rolled back together.
func (p *Participant) tag(id uuid.UUID) string {
	tag := gidPrefix + id.String() + "/" + url.PathEscape(p.name)
	return tag[:min(len(tag), maxApplicationName)]
}

// milliseconds is the time in a version 7 id.
func milliseconds(id uuid.UUID) int64 {
	return int64(binary.BigEndian.Uint64(id[:8]) >> 16)
}

// firstOf is the least id of a time.
func firstOf(t time.Time) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(max(t.UnixMilli(), 0))<<16)
	return id
}

// checkID refuses what is no transaction's id: others carry no time.
func checkID(id uuid.UUID) error {
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		return &OptionError{Option: "transaction", Value: id.String(), Reason: "must be a version 7 UUID"}
	}
	return nil
}
