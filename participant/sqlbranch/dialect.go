package sqlbranch

import (
	"fmt"
	"strings"
)

// Dialect is how a database is spoken to. The zero value is none.
type Dialect uint8

const (
	// PostgreSQL from 9.5 on.
	PostgreSQL Dialect = iota + 1
	// MySQL from 5.7 on, and MariaDB from 10.2 on.
	MySQL
	// SQLite from 3.35 on.
	SQLite
)

func (d Dialect) String() string {
	names := [...]string{"none", "PostgreSQL", "MySQL", "SQLite"}
	if int(d) < len(names) {
		return names[d]
	}
	return fmt.Sprintf("Dialect(%d)", uint8(d))
}

// Schema is what [Database.Migrate] runs, for those who migrate by their own means:
// statements that end with a semicolon each, and may be run again.
func (d Dialect) Schema() string {
	var all strings.Builder
	for _, statement := range dialects[d].schema {
		all.WriteString(statement + ";\n")
	}
	return all.String()
}

var dialects = map[Dialect]*texts{
	PostgreSQL: {
		lock:         "SELECT pg_advisory_xact_lock(7161961283046124899)",
		schema:       postgreSQLSchema,
		branch:       table{claim: numbered(upsertBranch), set: numbered(setBranch)},
		once:         table{claim: numbered(upsertOnce), set: numbered(setOnce)},
		inDoubt:      numbered(inDoubt),
		horizon:      "SELECT transaction_id FROM dtc_sqlbranch_horizon FOR SHARE",
		raiseHorizon: numbered(raiseHorizon),
		branches:     old{numbered(oldBranches.find), numbered(oldBranches.remove)},
		keys:         old{numbered(oldKeys.find), numbered(oldKeys.remove)},
	},
	MySQL: {
		schema: mySQLSchema,
		branch: table{
			claim: insertBranch + " ON DUPLICATE KEY UPDATE state = state",
			read:  "SELECT state, payload, (SELECT transaction_id FROM dtc_sqlbranch_horizon) FROM dtc_sqlbranch WHERE " + branchKey + " FOR UPDATE",
			set:   setBranch,
			holds: "SELECT 1 FROM dtc_sqlbranch WHERE state = ? AND " + branchKey,
		},
		once: table{
			claim: insertOnce + " ON DUPLICATE KEY UPDATE done = done",
			read:  "SELECT done FROM dtc_once WHERE id = ? FOR UPDATE",
			set:   setOnce,
			holds: "SELECT 1 FROM dtc_once WHERE done = ? AND id = ?",
		},
		inDoubt:      inDoubt,
		raiseHorizon: raiseHorizon,
		branches:     oldBranches,
		keys:         oldKeys,
	},
	SQLite: {
		schema:       sqliteSchema,
		branch:       table{claim: upsertBranch, set: setBranch},
		once:         table{claim: upsertOnce, set: setOnce},
		inDoubt:      inDoubt,
		raiseHorizon: raiseHorizon,
		branches:     oldBranches,
		keys:         oldKeys,
	},
}

// texts are the statements of a dialect.
type texts struct {
	// lock lets one Migrate at a time go on; "" where the database does by itself.
	lock         string
	schema       []string
	branch, once table
	inDoubt      string
	// horizon reads the newest horizon; "" where the one that a claim found is.
	horizon        string
	raiseHorizon   string
	branches, keys old
}

// table are the statements for a row with a known primary key, which is in a new
// state when its transaction has made it, and is never committed so.
type table struct {
	// claim makes a new row unless there is one, locks it until the transaction
	// ends, and returns what it holds. Where it cannot return anything, read does.
	claim, read string
	// set writes the row: its arguments are the new values and the key.
	set string
	// holds returns a row if the first value is still as it was set; "" where an error
	// that ends the transaction makes COMMIT fail.
	holds string
}

// old are the statements that remove rows.
type old struct {
	// find returns the keys of at most so many rows that are old by a bound.
	find string
	// remove removes the row with a key, if it is old by the bound.
	remove string
}

const (
	branchKey    = "transaction_id = ? AND participant = ? AND coordinator = ?"
	insertBranch = "INSERT INTO dtc_sqlbranch (transaction_id, participant, coordinator, state) VALUES (?, ?, ?, 'new')"
	upsertBranch = insertBranch +
		" ON CONFLICT (transaction_id, participant, coordinator) DO UPDATE SET state = dtc_sqlbranch.state" +
		" RETURNING state, payload, (SELECT transaction_id FROM dtc_sqlbranch_horizon)"
	setBranch = "UPDATE dtc_sqlbranch SET state = ?, payload = ? WHERE " + branchKey

	insertOnce = "INSERT INTO dtc_once (id, at, done) VALUES (?, ?, FALSE)"
	upsertOnce = insertOnce + " ON CONFLICT (id) DO UPDATE SET done = dtc_once.done RETURNING done"
	setOnce    = "UPDATE dtc_once SET done = ? WHERE id = ?"

	inDoubt = "SELECT transaction_id FROM dtc_sqlbranch" +
		" WHERE participant = ? AND coordinator = ? AND state = 'prepared' ORDER BY transaction_id"
	raiseHorizon = "UPDATE dtc_sqlbranch_horizon SET transaction_id = ? WHERE transaction_id < ?"
)

const settled = "transaction_id <= ? AND state IN ('committed', 'rolled back')"

var (
	oldBranches = old{
		find:   "SELECT transaction_id, participant, coordinator FROM dtc_sqlbranch WHERE " + settled + " LIMIT ?",
		remove: "DELETE FROM dtc_sqlbranch WHERE " + branchKey + " AND " + settled,
	}
	oldKeys = old{
		find:   "SELECT id FROM dtc_once WHERE at <= ? LIMIT ?",
		remove: "DELETE FROM dtc_once WHERE id = ? AND at <= ?",
	}
)

// numbered writes placeholders as PostgreSQL wants them.
func numbered(statement string) string {
	var all strings.Builder
	for i, part := range strings.Split(statement, "?") {
		if i > 0 {
			fmt.Fprintf(&all, "$%d", i)
		}
		all.WriteString(part)
	}
	return all.String()
}
