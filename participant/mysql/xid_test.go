package mysql

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/participant"
)

// TestXID: whatever the names, the parts fit, are told apart, and are read back.
func TestXID(t *testing.T) {
	id := uuid.Must(uuid.NewV7())
	long := strings.Repeat("x", maxName)
	seen := map[string]string{}
	for _, coordinator := range []string{"", "c", "C", long, long[1:]} {
		for _, name := range []string{"p", "P", long} {
			for _, database := range []string{"d", "pd", "", long} {
				k := participant.Key{Coordinator: coordinator, Transaction: id, Participant: name}
				x := newXID(k, database, 1<<64-1)
				if len(x.gtrid) > 64 || len(x.bqual) > 64 {
					t.Errorf("%d and %d bytes", len(x.gtrid), len(x.bqual))
				}
				what := coordinator + "/" + name + "/" + database
				if before, ok := seen[x.String()]; ok {
					t.Errorf("%s and %s have the same id", what, before)
				}
				seen[x.String()] = what
				got, err := x.transaction()
				connection, err2 := x.connection()
				if got != id || err != nil || connection != 1<<64-1 || err2 != nil || !x.of(coordinator, name, database) {
					t.Errorf("%s: read back %v %d (%v, %v)", what, got, connection, err, err2)
				}
				if x.of(coordinator+"x", name, database) || x.of(coordinator, name+"x", database) || x.of(coordinator, name, database+"x") {
					t.Errorf("%s belongs to others", what)
				}
				worker, judge := lockNames(k, database)
				if len(worker) > 64 || worker == judge || worker != strings.ToLower(worker) {
					t.Errorf("the locks are %s and %s", worker, judge)
				}
				if before, ok := seen[worker]; ok {
					t.Errorf("%s and %s have the same lock", what, before)
				}
				seen[worker] = what
			}
		}
	}
	if (xid{"short", "x.1"}).of("", "", "") {
		t.Error("a short id is taken for one of ours")
	}
}

// TestErrorsSayWhatToDo: in one line.
func TestErrorsSayWhatToDo(t *testing.T) {
	id := uuid.Must(uuid.NewV7())
	for err, want := range map[error]string{
		&PoolError{Max: 7}: "SetMaxOpenConns",
		&SchemaError{Table: "t", Reason: "is missing"}:   "Migrate",
		&PrivilegeError{Privilege: "PROCESS", On: "*.*"}: "GRANT PROCESS ON *.*",
		&TimeoutError{Transaction: id, BranchTimeout: 7}: "BranchTimeout",
		&ServerError{Setting: "x", Need: "use y"}:        "use y",
		&BusyError{Transaction: id, Connection: 7}:       "connection 7",
		&NotBegunError{Transaction: id, Reason: "r"}:     id.String(),
		&InvalidError{What: "name", Reason: "is empty"}:  "the name is empty",
	} {
		if s := err.Error(); !strings.Contains(s, want) || !strings.HasPrefix(s, "mysql: ") || strings.Contains(s, "\n") {
			t.Errorf("%T says %q", err, s)
		}
	}
}
