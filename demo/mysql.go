package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	driver "github.com/go-sql-driver/mysql"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/mysql"
)

// spareConnections are those beside the branches'.
const spareConnections = 8

// openMySQL opens a service that keeps its accounts in MySQL or MariaDB.
func openMySQL(service string, at site) (keeper, error) {
	config, err := driver.ParseDSN(at.options.mysql)
	if err != nil {
		return nil, fmt.Errorf("-mysql: %w", err)
	}
	config.Logger = &driver.NopLogger{} // what it says of lost connections, the coordinator says too
	connector, err := driver.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("-mysql: %w", err)
	}
	db := sql.OpenDB(connector)
	// A prepared branch keeps its connection: with fewer than branches, those that
	// wait for one would hold up those that could end.
	connections := at.options.workers + spareConnections
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	p, err := mysql.New(service, db, &mysql.Options{
		Work: func(ctx context.Context, tx *mysql.Branch, b participant.Branch) error {
			return mysqlDialect.do(ctx, sqlSession{tx}, b)
		},
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	k := &sqlKeeper{
		db: db, dialect: mysqlDialect, coordinator: at.Coordinator, p: p,
		closeAll: func() error { return errors.Join(p.Close(), db.Close()) },
	}
	if err := k.open(p.Migrate); err != nil {
		return nil, errors.Join(fmt.Errorf("-mysql: %w", err), k.close())
	}
	return k, nil
}

// sqlSession is a session of package database/sql's kind.
type sqlSession struct {
	tx interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
}

func (s sqlSession) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := s.tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s sqlSession) find(ctx context.Context, query string, args ...any) (n int64, ok bool, err error) {
	err = s.tx.QueryRowContext(ctx, query, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return n, err == nil, err
}
