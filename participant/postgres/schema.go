package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// schemaSQL makes what the participant keeps. The rows of branches are only ever
// inserted and, by Purge, deleted; an id's time leads the key, so that a new row
// goes to the end of the index. The horizon is a sequence because a sequence is
// read as it is now, whatever a transaction's snapshot.
const schemaSQL = `CREATE SCHEMA IF NOT EXISTS $schema;
CREATE TABLE IF NOT EXISTS $schema.branches (
	transaction uuid NOT NULL,
	coordinator text COLLATE "C" NOT NULL,
	participant text COLLATE "C" NOT NULL,
	committed boolean NOT NULL,
	PRIMARY KEY (transaction, coordinator, participant)
);
CREATE SEQUENCE IF NOT EXISTS $schema.horizon AS bigint MINVALUE 0 START 0;
COMMENT ON TABLE $schema.branches IS
	'dtc: what became of branches of distributed transactions. A role that runs them needs SELECT, INSERT and UPDATE, for Purge DELETE too.';
COMMENT ON SEQUENCE $schema.horizon IS
	'dtc: branches up to this time, in milliseconds since 1970, may have been purged. A role needs SELECT, for Purge UPDATE too.';
`

// The key of an advisory lock: whoever changes the schema or the horizon holds it.
const schemaLock = 0x647463 // "dtc"

// statements are the participant's own, for its schema.
type statements struct {
	schema string
	// prepared tells whether the pool's connections keep prepared statements.
	prepared bool
	mark     string
	fence    string
	look     string
	horizon  string
	purge    string
}

func statementsFor(schema string, mode pgx.QueryExecMode) statements {
	in := func(sql string) string {
		return strings.ReplaceAll(sql, "$schema", pgx.Identifier{schema}.Sanitize())
	}
	return statements{
		schema:   in(schemaSQL),
		prepared: mode == pgx.QueryExecModeCacheStatement || mode == pgx.QueryExecModeCacheDescribe,
		mark:     in(markSQL),
		fence:    in(fenceSQL),
		look:     in(lookSQL),
		horizon:  in(horizonSQL),
		purge:    in(purgeSQL),
	}
}

// Schema is the SQL of what Migrate makes, for those who migrate by their own
// means.
func (p *Participant) Schema() string { return p.sql.schema }

// Migrate makes the participant's tables where they are missing. It may be called
// always, by several processes at a time, and by a role that may not make tables
// where they are there.
func (p *Participant) Migrate(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, p.settler, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", schemaLock); err != nil {
			return err
		}
		var there bool
		err := tx.QueryRow(ctx, "SELECT count(*) = 2 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "+
			"WHERE n.nspname = $1 AND (c.relname, c.relkind) IN (('branches', 'r'), ('horizon', 'S'))", p.options.Schema).Scan(&there)
		if err != nil || there {
			return err
		}
		_, err = tx.Exec(ctx, p.sql.schema)
		return err
	})
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", explain(callMarker, err))
	}
	return nil
}

const (
	horizonSQL = `SELECT setval('$schema.horizon', greatest(last_value, $1)) FROM $schema.horizon`
	purgeSQL   = `DELETE FROM $schema.branches WHERE ctid = ANY(ARRAY(SELECT ctid FROM $schema.branches WHERE transaction < $1::uuid LIMIT 10000))`
)

// Purge drops what is remembered of the branches of transactions that began
// before the time, of all participants in this schema, and returns how many those
// were. Prepared branches stay. From then on Prepare and CommitOnePhase of so old
// a transaction are refused with *participant.ForgottenError, and so are Commit and
// Committed where nothing tells what became of the branch: choose a time that
// nobody comes back to.
//
// A time to come is refused with [*OptionError].
func (p *Participant) Purge(ctx context.Context, before time.Time) (dropped int64, err error) {
	if before.After(time.Now()) {
		return 0, &OptionError{"before", before.String(), "must not be in the future: every transaction would be refused"}
	}
	// First the horizon, then the rows: a late marker reads the horizon after it
	// took its place in the index, and so cannot miss both.
	err = pgx.BeginFunc(ctx, p.settler, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", schemaLock); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, p.sql.horizon, max(before.UnixMilli()-1, 0))
		return err
	})
	for err == nil {
		tag, failed := p.settler.Exec(ctx, p.sql.purge, firstOf(before).String())
		err = failed
		dropped += tag.RowsAffected()
		if tag.RowsAffected() == 0 {
			break
		}
	}
	if err != nil {
		return dropped, fmt.Errorf("postgres: purge: %w", explain(callMarker, err))
	}
	return dropped, nil
}
