package sqlbranch

import (
	"context"
	"database/sql"
)

// Names are compared byte by byte: two that a collation would merge are two. A
// transaction is written as text where there is no type for it; that sorts as its
// bytes do, by time.

var postgreSQLSchema = []string{
	`CREATE TABLE IF NOT EXISTS dtc_sqlbranch (
	transaction_id uuid NOT NULL,
	participant text COLLATE "C" NOT NULL,
	coordinator text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL, -- prepared, committed, rolled back
	payload bytea, -- while prepared
	PRIMARY KEY (transaction_id, participant, coordinator)
)`,
	`CREATE INDEX IF NOT EXISTS dtc_sqlbranch_prepared ON dtc_sqlbranch (participant, coordinator) WHERE state = 'prepared'`,
	`CREATE TABLE IF NOT EXISTS dtc_sqlbranch_horizon (
	one boolean PRIMARY KEY CHECK (one),
	transaction_id uuid NOT NULL
)`,
	`INSERT INTO dtc_sqlbranch_horizon VALUES (TRUE, '00000000-0000-0000-0000-000000000000') ON CONFLICT DO NOTHING`,
	`CREATE TABLE IF NOT EXISTS dtc_once (
	id text COLLATE "C" PRIMARY KEY,
	at bigint NOT NULL, -- milliseconds since 1970
	done boolean NOT NULL
)`,
	`CREATE INDEX IF NOT EXISTS dtc_once_at ON dtc_once (at)`,
}

var mySQLSchema = []string{
	`CREATE TABLE IF NOT EXISTS dtc_sqlbranch (
	transaction_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	participant VARBINARY(128) NOT NULL,
	coordinator VARBINARY(128) NOT NULL,
	state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- prepared, committed, rolled back
	payload LONGBLOB, -- while prepared
	PRIMARY KEY (transaction_id, participant, coordinator),
	INDEX dtc_sqlbranch_prepared (participant, coordinator, state)
) ENGINE=InnoDB`,
	`CREATE TABLE IF NOT EXISTS dtc_sqlbranch_horizon (
	one BOOLEAN PRIMARY KEY,
	transaction_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB`,
	`INSERT IGNORE INTO dtc_sqlbranch_horizon VALUES (TRUE, '00000000-0000-0000-0000-000000000000')`,
	`CREATE TABLE IF NOT EXISTS dtc_once (
	id VARBINARY(255) PRIMARY KEY,
	at BIGINT NOT NULL, -- milliseconds since 1970
	done BOOLEAN NOT NULL,
	INDEX dtc_once_at (at)
) ENGINE=InnoDB`,
}

var sqliteSchema = []string{
	`CREATE TABLE IF NOT EXISTS dtc_sqlbranch (
	transaction_id TEXT NOT NULL,
	participant TEXT NOT NULL,
	coordinator TEXT NOT NULL,
	state TEXT NOT NULL, -- prepared, committed, rolled back
	payload BLOB, -- while prepared
	PRIMARY KEY (transaction_id, participant, coordinator)
) WITHOUT ROWID`,
	`CREATE INDEX IF NOT EXISTS dtc_sqlbranch_prepared ON dtc_sqlbranch (participant, coordinator) WHERE state = 'prepared'`,
	`CREATE TABLE IF NOT EXISTS dtc_sqlbranch_horizon (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	transaction_id TEXT NOT NULL
)`,
	`INSERT OR IGNORE INTO dtc_sqlbranch_horizon VALUES (1, '00000000-0000-0000-0000-000000000000')`,
	`CREATE TABLE IF NOT EXISTS dtc_once (
	id TEXT PRIMARY KEY,
	at INTEGER NOT NULL, -- milliseconds since 1970
	done INTEGER NOT NULL
) WITHOUT ROWID`,
	`CREATE INDEX IF NOT EXISTS dtc_once_at ON dtc_once (at)`,
}

// Migrate makes the tables that are not there yet. Several processes may call it
// at the same time.
func (d Database) Migrate(ctx context.Context) error {
	return d.transact(ctx, func(tx *sql.Tx) error {
		t := dialects[d.Dialect]
		for _, statement := range append([]string{t.lock}, t.schema...) {
			if statement == "" {
				continue
			}
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return wrapped("migrate", err)
			}
		}
		return nil
	})
}
