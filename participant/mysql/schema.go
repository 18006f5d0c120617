package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/seed-d36415c0/dtc/participant"
)

const (
	branchesTable = "dtc_xa_branches"
	horizonsTable = "dtc_xa_horizons"
	tables        = branchesTable + " and " + horizonsTable
)

// Schema is what [Participant.Migrate] executes, for those who migrate by other
// means. The engine must be InnoDB.
//
// A row of dtc_xa_branches says what became of a branch: committed is 1 in the row
// that the branch itself wrote (its marker), and 0 in the row that keeps a branch
// from ever committing (a fence). Several participants may share the tables.
var Schema = []string{
	`CREATE TABLE IF NOT EXISTS ` + branchesTable + ` (
  participant    VARBINARY(128) NOT NULL,
  transaction_id BINARY(16)     NOT NULL,
  coordinator    VARBINARY(128) NOT NULL,
  committed      TINYINT        NOT NULL,
  PRIMARY KEY (participant, transaction_id, coordinator)
) ENGINE=InnoDB`,
	`CREATE TABLE IF NOT EXISTS ` + horizonsTable + ` (
  participant    VARBINARY(128) NOT NULL,
  transaction_id BINARY(16)     NOT NULL,
  PRIMARY KEY (participant)
) ENGINE=InnoDB`,
}

// Migrate makes the tables where they are missing. It may be called again.
func (p *Participant) Migrate(ctx context.Context) error {
	for _, statement := range Schema {
		if _, err := p.db.ExecContext(ctx, statement); err != nil {
			return explained("make the tables", err)
		}
	}
	_, err := p.learn(ctx)
	return err
}

// dialect is what must be known of the server.
type dialect struct {
	database string
	// detaches: XA PREPARE unties the branch from its session.
	detaches bool
}

// server is where the dialect is kept, once it is known.
type server struct {
	dialect *dialect
}

// learn finds out, once, what the server is, and refuses one that cannot do.
func (p *Participant) learn(ctx context.Context) (*dialect, error) {
	if err := p.turns.Take(ctx, &p.server); err != nil {
		return nil, err
	}
	defer p.turns.End(&p.server)
	if p.server.dialect != nil {
		return p.server.dialect, nil
	}
	s, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	d, err := s.learn(ctx)
	if err != nil {
		s.discard()
		return nil, err
	}
	s.keep()
	p.server.dialect = d
	return d, nil
}

func (s *session) learn(ctx context.Context) (*dialect, error) {
	d := new(dialect)
	var version string
	var folds int
	err := s.row(ctx, "SELECT COALESCE(DATABASE(), ''), VERSION(), @@lower_case_table_names", &d.database, &version, &folds)
	if err != nil {
		return nil, explained("ask for the version", err)
	}
	if d.database == "" {
		return nil, &ServerError{Setting: "the connection has no database", Need: "name one in the DSN"}
	}
	if folds != 0 {
		d.database = strings.ToLower(d.database)
	}
	if err := s.checkVersion(ctx, d, version); err != nil {
		return nil, err
	}
	if err := s.checkTables(ctx, d.database); err != nil {
		return nil, err
	}
	if _, err := s.prepared(ctx); err != nil {
		return nil, err
	}
	if !d.detaches { // settle will need it when a connection has been lost
		_, err = s.attached(ctx)
	}
	return d, err
}

// checkVersion refuses servers that roll prepared branches back when their session
// ends.
func (s *session) checkVersion(ctx context.Context, d *dialect, version string) error {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return &ServerError{Setting: fmt.Sprintf("version %q", version), Need: "use MySQL 8 or MariaDB 10.5, or later"}
	}
	if strings.Contains(strings.ToLower(version), "mariadb") {
		if major < 10 || major == 10 && minor < 5 {
			return &ServerError{Setting: "MariaDB " + version, Need: "use 10.5 or later"}
		}
		return nil
	}
	if major < 8 {
		return &ServerError{Setting: "MySQL " + version, Need: "use 8.0 or later"}
	}
	err := s.row(ctx, "SELECT @@xa_detach_on_prepare", &d.detaches)
	if number(err) == errUnknownSetting { // before 8.0.29
		return nil
	}
	if err != nil {
		return explained("ask for xa_detach_on_prepare", err)
	}
	return nil
}

func (s *session) checkTables(ctx context.Context, database string) error {
	for _, table := range []string{branchesTable, horizonsTable} {
		var engine string
		query := "SELECT COALESCE(MAX(ENGINE), '') FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '" + table + "'"
		if err := s.row(ctx, query, &engine); err != nil {
			return explained("look for the tables", err)
		}
		if engine == "" {
			return &SchemaError{Table: database + "." + table, Reason: "is missing"}
		}
		if engine != "InnoDB" {
			return &SchemaError{Table: database + "." + table, Reason: "has the engine " + engine + ", not InnoDB"}
		}
	}
	return nil
}

// table is the table's full name: an application may have changed the session's
// database.
func (d *dialect) table(name string) string {
	return "`" + strings.ReplaceAll(d.database, "`", "``") + "`." + name
}

// where finds a branch's row.
func where(k participant.Key) string {
	return fmt.Sprintf("participant = %s AND transaction_id = %s AND coordinator = %s",
		literal(k.Participant), literal(string(k.Transaction[:])), literal(k.Coordinator))
}
