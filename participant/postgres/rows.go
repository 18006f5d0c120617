package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rows are a query's rows in a branch. They hold the turn while they read, not
// while they are open: a branch can be ended under them.
type rows struct {
	branch *branch
	inner  pgx.Rows // nil if the query did not reach the connection
	// refused is what the branch answered instead.
	refused error
}

var _ pgx.Rows = (*rows)(nil)

// use makes one call on the connection, unless the branch refuses it.
func (r *rows) use(call func() error) bool {
	if r.inner == nil {
		return false
	}
	if r.refused = r.branch.enter(); r.refused != nil {
		return false
	}
	failed := call()
	if err := r.branch.leave(r.inner.CommandTag(), failed); err != failed {
		r.refused = err
	}
	return r.refused == nil
}

func (r *rows) Next() (more bool) {
	ok := r.use(func() error {
		more = r.inner.Next()
		return r.inner.Err()
	})
	return ok && more
}

func (r *rows) Scan(dest ...any) (err error) {
	if !r.use(func() error { err = r.inner.Scan(dest...); return err }) {
		return r.refused
	}
	return err
}

func (r *rows) Values() (values []any, err error) {
	if !r.use(func() error { values, err = r.inner.Values(); return err }) {
		return nil, r.refused
	}
	return values, err
}

func (r *rows) Close() {
	r.use(func() error {
		r.inner.Close()
		return r.inner.Err()
	})
}

func (r *rows) Err() error {
	if r.refused != nil {
		return r.refused
	}
	return r.inner.Err()
}

func (r *rows) CommandTag() (tag pgconn.CommandTag) {
	if r.inner != nil {
		tag = r.inner.CommandTag()
	}
	return tag
}

func (r *rows) FieldDescriptions() []pgconn.FieldDescription {
	if r.inner == nil {
		return nil
	}
	return r.inner.FieldDescriptions()
}

func (r *rows) RawValues() [][]byte {
	if r.inner == nil {
		return nil
	}
	return r.inner.RawValues()
}

func (r *rows) TypeMap() *pgtype.Map {
	if r.inner == nil {
		return nil
	}
	return r.inner.TypeMap()
}

// Conn gives a way to the connection past the branch: see release.
func (r *rows) Conn() *pgx.Conn {
	if r.inner == nil {
		return nil
	}
	r.branch.exposed.Store(true)
	return r.inner.Conn()
}

// row is the first of some rows.
type row struct{ pgx.Rows }

// Scan reads the row and closes the rows, as pgx does.
func (r row) Scan(dest ...any) error {
	defer r.Close()
	for _, d := range dest {
		if _, ok := d.(*pgtype.DriverBytes); ok {
			return errors.New("cannot scan into *pgtype.DriverBytes from QueryRow")
		}
	}
	if !r.Next() {
		if err := r.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.Rows.Scan(dest...); err != nil {
		return err
	}
	r.Close()
	return r.Err()
}

// batchResults are a batch's results in a branch.
type batchResults struct {
	branch *branch
	inner  pgx.BatchResults
}

func (b *batchResults) use(call func() (pgconn.CommandTag, error)) error {
	if err := b.branch.enter(); err != nil {
		return err
	}
	return b.branch.leave(call())
}

func (b *batchResults) Exec() (tag pgconn.CommandTag, err error) {
	err = b.use(func() (pgconn.CommandTag, error) {
		tag, err = b.inner.Exec()
		return tag, err
	})
	return tag, err
}

func (b *batchResults) Query() (pgx.Rows, error) {
	var inner pgx.Rows
	err := b.use(func() (tag pgconn.CommandTag, err error) {
		inner, err = b.inner.Query()
		return tag, err
	})
	return &rows{branch: b.branch, inner: inner, refused: err}, err
}

func (b *batchResults) QueryRow() pgx.Row {
	r, _ := b.Query()
	return row{r}
}

func (b *batchResults) Close() error {
	return b.use(func() (tag pgconn.CommandTag, err error) { return tag, b.inner.Close() })
}

// Tx is nil: a branch's batch cannot begin a transaction.
func (b *batchResults) Tx() pgx.Tx { return nil }
