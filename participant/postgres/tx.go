package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// tx is what the application works in a branch with: the branch's transaction, or
// a savepoint in it. Nothing reaches the connection through it when the branch is
// prepared or over, for then the connection is somebody else's.
type tx struct {
	branch    *branch
	inner     pgx.Tx
	savepoint bool
}

var _ pgx.Tx = (*tx)(nil)

// use makes one call on the connection.
func (t *tx) use(call func() (pgconn.CommandTag, error)) error {
	if err := t.branch.enter(); err != nil {
		return err
	}
	return t.branch.leave(call())
}

func (t *tx) Begin(ctx context.Context) (pgx.Tx, error) {
	var inner pgx.Tx
	err := t.use(func() (tag pgconn.CommandTag, err error) {
		inner, err = t.inner.Begin(ctx)
		return tag, err
	})
	if err != nil {
		return nil, err
	}
	return &tx{branch: t.branch, inner: inner, savepoint: true}, nil
}

func (t *tx) Commit(ctx context.Context) error { return t.endSavepoint(ctx, "Commit", t.inner.Commit) }

func (t *tx) Rollback(ctx context.Context) error {
	return t.endSavepoint(ctx, "Rollback", t.inner.Rollback)
}

func (t *tx) endSavepoint(ctx context.Context, name string, end func(context.Context) error) error {
	if !t.savepoint {
		return &CoordinatorDecidesError{Transaction: t.branch.id, Call: name}
	}
	return t.use(func() (tag pgconn.CommandTag, err error) { return tag, end(ctx) })
}

func (t *tx) Exec(ctx context.Context, sql string, arguments ...any) (tag pgconn.CommandTag, err error) {
	err = t.use(func() (pgconn.CommandTag, error) {
		tag, err = t.inner.Exec(ctx, sql, arguments...)
		return tag, err
	})
	return tag, err
}

func (t *tx) Prepare(ctx context.Context, name, sql string) (d *pgconn.StatementDescription, err error) {
	err = t.use(func() (tag pgconn.CommandTag, err error) {
		d, err = t.inner.Prepare(ctx, name, sql)
		return tag, err
	})
	return d, err
}

func (t *tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, from pgx.CopyFromSource) (n int64, err error) {
	err = t.use(func() (tag pgconn.CommandTag, err error) {
		n, err = t.inner.CopyFrom(ctx, table, columns, from)
		return tag, err
	})
	return n, err
}

func (t *tx) Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error) {
	var inner pgx.Rows
	err := t.use(func() (tag pgconn.CommandTag, err error) {
		inner, err = t.inner.Query(ctx, sql, arguments...)
		return tag, err
	})
	return &rows{branch: t.branch, inner: inner, refused: err}, err
}

func (t *tx) QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row {
	r, _ := t.Query(ctx, sql, arguments...)
	return row{r}
}

func (t *tx) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	var inner pgx.BatchResults
	err := t.use(func() (tag pgconn.CommandTag, err error) {
		inner = t.inner.SendBatch(ctx, batch)
		return tag, nil
	})
	if err != nil {
		return pgx.FailedBatchResults(batch, err)
	}
	return &batchResults{branch: t.branch, inner: inner}
}

// LargeObjects gives a way to the connection past the branch: see release.
func (t *tx) LargeObjects() pgx.LargeObjects {
	t.branch.exposed.Store(true)
	return t.inner.LargeObjects()
}

// Conn gives a way to the connection past the branch: see release.
func (t *tx) Conn() *pgx.Conn {
	t.branch.exposed.Store(true)
	return t.inner.Conn()
}
