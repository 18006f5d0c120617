package mysql

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// formatID marks the XA ids of this package: "DTC1".
const formatID = 0x44544331

// xid is the id of an XA branch: both parts are printable and less than the limit
// of 64 bytes each.
//
//	gtrid  the transaction's UUID as text, 22 characters for the coordinator
//	bqual  22 characters for participant and database, a dot, the preparer's connection id
//
// The 22 characters are 128 bits of a SHA-256. The database is a part, for XA ids
// belong to the whole server: the same names in two of its databases (production
// and staging, say) must not roll back each other's branches. The connection id is
// how any process finds the session that a prepared branch may still be tied to;
// it is 0 where the server unties it.
type xid struct {
	gtrid, bqual string
}

// digest is a short name for the words.
func digest(words ...string) string {
	h := sha256.New()
	for _, w := range words {
		fmt.Fprintf(h, "%d:%s", len(w), w)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

func newXID(k participant.Key, database string, connection uint64) xid {
	return xid{
		gtrid: k.Transaction.String() + digest("coordinator", k.Coordinator),
		bqual: digest("participant", database, k.Participant) + "." + strconv.FormatUint(connection, 10),
	}
}

// String is the id as XA statements take it.
func (x xid) String() string {
	return fmt.Sprintf("X'%x',X'%x',%d", x.gtrid, x.bqual, formatID)
}

// of tells whether the branch belongs to the coordinator and the participant.
func (x xid) of(coordinator, name, database string) bool {
	return len(x.gtrid) == 36+22 && x.gtrid[36:] == digest("coordinator", coordinator) &&
		strings.HasPrefix(x.bqual, digest("participant", database, name)+".")
}

func (x xid) transaction() (uuid.UUID, error) { return uuid.Parse(x.gtrid[:36]) }

// connection is the preparer's.
func (x xid) connection() (uint64, error) {
	_, id, _ := strings.Cut(x.bqual, ".")
	return strconv.ParseUint(id, 10, 64)
}

// lockNames are the names of two user-level locks, which live as long as the
// session that holds them. They have at most 64 bytes, and differ by more than case.
//
//   - worker is held by the session that a branch's work is done in, from before
//     its beginning until the branch is decided or the session has ended. It names
//     that session, and to get it is to know that the session has ended.
//   - judge is held by who decides a branch in another session than that.
func lockNames(k participant.Key, database string) (worker, judge string) {
	h := sha256.Sum256([]byte(newXID(k, database, 0).String()))
	name := hex.EncodeToString(h[:28])
	return "dtw:" + name, "dtj:" + name
}

// literal is a string of bytes in SQL, whatever the session's character sets and
// modes are.
func literal(s string) string { return fmt.Sprintf("X'%x'", s) }
