package sqlbranch

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// The columns' lengths, in bytes. A database that is not strict would cut what is
// longer, and then take two for one.
const (
	maxName = 128
	maxKey  = 255
)

func checkText(field, text string, limit int) error {
	reason := ""
	switch {
	case len(text) > limit:
		reason = fmt.Sprintf("has %d bytes; at most %d are accepted", len(text), limit)
	case !utf8.ValidString(text):
		reason = "is not UTF-8"
	case strings.ContainsRune(text, 0):
		reason = "has a zero byte"
	default:
		return nil
	}
	return &InvalidError{Field: field, Reason: reason}
}

func checkBranch(b participant.Branch) error {
	if v := b.Transaction.Version(); v != 7 {
		return &InvalidError{Field: "Branch.Transaction", Reason: fmt.Sprintf("is a UUID of version %d; version 7 is accepted", v)}
	}
	return checkText("Branch.Coordinator", b.Coordinator, maxName)
}

// begun is the time in a version 7 id.
func begun(id uuid.UUID) time.Time {
	ms := int64(0)
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms)
}

// lastBefore is the greatest id, of any version, that was begun before the
// millisecond of t.
func lastBefore(t time.Time) uuid.UUID {
	id := uuid.Max
	ms := t.UnixMilli() - 1
	for i := 5; i >= 0; i-- {
		id[i] = byte(ms)
		ms >>= 8
	}
	return id
}
