package sqlbranch_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	stdslog "log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"golang.org/x/exp/slog"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/internal/crashtest"
	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/journal"
	"github.com/seed-d36415c0/dtc/journal/pebble"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/sqlbranch"
)

// shop is a coordinator with four participants in one database.
type shop struct {
	*dtc.Coordinator
	stock, money   *sqlbranch.TwoPhase
	first, courier *sqlbranch.OnePhase
}

// openShop calls at with the name of every point that a function reaches, after it
// has worked and before its transaction is committed.
func openShop(db sqlbranch.Database, j journal.Journal, at func(point string)) (*shop, error) {
	through := func(point string, w sqlbranch.Work) sqlbranch.Work {
		return func(ctx context.Context, tx *sql.Tx, b participant.Branch) error {
			err := w(ctx, tx, b)
			at(point)
			return err
		}
	}
	two := func(name string) (*sqlbranch.TwoPhase, error) {
		w := tcc(db.Dialect)
		return sqlbranch.NewTCC(name, db, sqlbranch.TCC{
			Try: through(name+" Try", w.Try), Confirm: through(name+" Confirm", w.Confirm), Cancel: through(name+" Cancel", w.Cancel),
		})
	}
	one := func(name string) (*sqlbranch.OnePhase, error) {
		w := saga(db.Dialect)
		return sqlbranch.NewSaga(name, db, sqlbranch.Saga{Do: through(name+" Do", w.Do), Undo: through(name+" Undo", w.Undo)})
	}
	var errs [5]error
	s := &shop{}
	s.stock, errs[0] = two("stock")
	s.money, errs[1] = two("money")
	s.first, errs[2] = one("first")
	s.courier, errs[3] = one("courier")
	s.Coordinator, errs[4] = dtc.Open(
		actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *stdslog.Logger {
			return stdslog.New(stdslog.NewTextHandler(io.Discard, nil))
		})),
		dtc.Config{
			Name: coordinator, Journal: j, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Participants: []participant.Participant{s.stock, s.money, s.first, s.courier},
		})
	return s, errors.Join(errs[:]...)
}

// order has each participant work on an item of its own name.
func (s *shop) order(ctx context.Context, ps ...participant.Participant) error {
	return s.Run(ctx, nil, func(tx *dtc.Tx) error {
		for _, p := range ps {
			if err := tx.Enlist(ctx, p, []byte(p.Name())); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestCoordinator commits and rolls back through a coordinator, by every path.
func TestCoordinator(t *testing.T) {
	each(t, kinds, func(t *testing.T, k kind) {
		db, ctx := k.open(t), context.Background()
		s, err := openShop(db, nil, func(string) {})
		must(t, err)
		defer s.Close()
		must(t, s.order(ctx, s.stock), s.order(ctx, s.stock, s.money), s.order(ctx, s.first), s.order(ctx, s.stock, s.first, s.courier))
		refused := func(tx *dtc.Tx) error {
			return errors.Join(tx.Enlist(ctx, s.stock, []byte("stock")), tx.Enlist(ctx, s.first, []byte("first")),
				tx.Enlist(ctx, s.courier, []byte("none")))
		}
		if err := s.Run(ctx, nil, refused); !errors.Is(err, dtc.ErrRolledBack) || !errors.Is(err, errSoldOut) {
			t.Errorf("an order that is refused: %v", err)
		}
		for item, sold := range map[string]int{"stock": 3, "money": 1, "first": 2, "courier": 1, "none": 0} {
			wantStock(t, db.DB, item, 0, sold)
		}
	})
}

// points are where the coordinator's process is killed, what the database must then
// begin with, and what it must end with: how many are held and sold of the items, in
// the order stock, money, first, courier.
var points = []struct {
	at         string
	left, ends string
}{
	// The application has tried stock, and nothing is decided: only stock itself knows.
	{"money Try", "1/0 0/0 0/0 0/0", "0/0 0/0 0/0 0/0"},
	// Both are prepared, and it is decided; money is told at the same time.
	{"stock Confirm", "1/0 ", "0/1 0/1 0/0 0/0"},
	// The application has tried, and enlisted nobody yet.
	{"early", "1/0 0/0 0/0 0/0", "0/0 0/0 0/0 0/0"},
	// stock is prepared and first is done when courier is at work.
	{"courier Do", "1/0 0/0 0/1 0/0", "0/0 0/0 0/0 0/0"},
	// first is being undone.
	{"first Undo", "0/0 0/0 0/1 0/0", "0/0 0/0 0/0 0/0"},
}

const pointVariable, dirVariable, kindVariable, dsnVariable = "DTC_POINT", "DTC_DIR", "DTC_KIND", "DTC_DSN"

// TestCoordinatorIsKilled kills the process of a coordinator in the middle of a
// transaction, and has a second one recover.
func TestCoordinatorIsKilled(t *testing.T) {
	if os.Getenv(pointVariable) != "" {
		t.Fatal(dieAt(os.Getenv(pointVariable)))
	}
	each(t, kinds, func(t *testing.T, k kind) {
		for i, p := range points {
			if i > 1 && k.dialect != sqlbranch.SQLite && !proof.Wanted() {
				break // what the coordinator does is the same
			}
			t.Run(p.at, func(t *testing.T) {
				dir, dsn := t.TempDir(), k.place(t)+k.settings
				db := k.openAt(t, dsn)
				child, err := crashtest.Start("TestCoordinatorIsKilled",
					pointVariable+"="+p.at, dirVariable+"="+dir, kindVariable+"="+k.name, dsnVariable+"="+dsn)
				must(t, err)
				for line := range child.Lines() {
					t.Log(line)
				}
				must(t, child.Wait())
				eventually(t, "the server has seen it", func() bool { return strings.HasPrefix(all(t, db), p.left) })
				j, err := pebble.Open(filepath.Join(dir, "journal"), nil)
				must(t, err)
				s, err := openShop(db, j, func(string) {})
				must(t, err)
				defer s.Close()
				eventually(t, "the transaction is finished", func() bool { return all(t, db) == p.ends && finished(t, db) })
			})
		}
	})
}

// all is what is held and sold of the items.
func all(t testing.TB, db sqlbranch.Database) (text string) {
	t.Helper()
	for _, item := range []string{"stock", "money", "first", "courier"} {
		held, sold, err := stock(db.DB, item)
		must(t, err)
		text += fmt.Sprintf(" %d/%d", held, sold)
	}
	return text[1:]
}

// finished tells whether no branch is prepared.
func finished(t testing.TB, db sqlbranch.Database) bool {
	t.Helper()
	var n int
	must(t, db.DB.QueryRow("SELECT COUNT(*) FROM dtc_sqlbranch WHERE state = 'prepared'").Scan(&n))
	return n == 0
}

// dieAt is the process that dies.
func dieAt(point string) error {
	ctx := context.Background()
	go crashtest.EndWithParent()
	var k kind
	for _, k = range kinds {
		if k.name == os.Getenv(kindVariable) {
			break
		}
	}
	db, err := k.pool(os.Getenv(dsnVariable))
	if err != nil {
		return err
	}
	j, err := pebble.Open(filepath.Join(os.Getenv(dirVariable), "journal"), nil)
	if err != nil {
		return err
	}
	s, err := openShop(db, j, func(at string) {
		if at == point {
			crashtest.Die()
		}
	})
	if err != nil {
		return err
	}
	switch point {
	case "stock Confirm":
		return s.order(ctx, s.stock, s.money)
	case "courier Do":
		return s.order(ctx, s.stock, s.first, s.courier)
	case "first Undo":
		return s.Run(ctx, nil, func(tx *dtc.Tx) error {
			return errors.Join(tx.Enlist(ctx, s.first, []byte("first")), tx.Enlist(ctx, s.courier, []byte("none")))
		})
	}
	return s.Run(ctx, nil, func(tx *dtc.Tx) error {
		b := participant.Branch{Coordinator: coordinator, Transaction: tx.ID(), Payload: []byte("stock")}
		if err := s.stock.Prepare(ctx, b); err != nil {
			return err
		}
		if point == "early" {
			crashtest.Die()
		}
		return errors.Join(tx.Enlist(ctx, s.stock, []byte("stock")), tx.Enlist(ctx, s.money, []byte("money")))
	})
}
