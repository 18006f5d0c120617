package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/postgres"
)

// openPostgres opens a service that keeps its accounts in PostgreSQL.
func openPostgres(service string, at site) (keeper, error) {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, at.options.postgres)
	if err != nil {
		return nil, fmt.Errorf("-postgres: %w", err)
	}
	p, err := postgres.New(service, pool, &postgres.Options{
		Work: func(ctx context.Context, tx pgx.Tx, b participant.Branch) error {
			return postgresDialect.do(ctx, pgxSession{tx}, b)
		},
	})
	if err != nil {
		pool.Close()
		return nil, err
	}
	db := stdlib.OpenDBFromPool(pool)
	k := &sqlKeeper{
		db: db, dialect: postgresDialect, coordinator: at.Coordinator, p: p,
		closeAll: func() error {
			p.Close()
			err := db.Close()
			pool.Close()
			return err
		},
	}
	if err := k.open(p.Migrate); err != nil {
		return nil, errors.Join(fmt.Errorf("-postgres: %w", err), k.close())
	}
	return k, nil
}

// pgxSession is a session of PostgreSQL.
type pgxSession struct{ tx pgx.Tx }

func (s pgxSession) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	tag, err := s.tx.Exec(ctx, statement, args...)
	return tag.RowsAffected(), err
}

func (s pgxSession) find(ctx context.Context, query string, args ...any) (n int64, ok bool, err error) {
	err = s.tx.QueryRow(ctx, query, args...).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return n, err == nil, err
}
