package mysql_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-d36415c0/dtc/internal/proof"
	"github.com/seed-d36415c0/dtc/internal/serverstest"
	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/mysql"
)

// TestLostCommit: the server loses an XA COMMIT that comes from another session
// while the preparer's is about to end, and answers OK. Ours are never lost, whether
// the preparer has let go of its connection, or lives and is taken from, and however
// many are decided at once.
func TestLostCommit(t *testing.T) {
	alone(t)
	dsn := serverstest.MariaDBDatabase(t)
	other := openBank(t, dsn, nil)
	ctx := within(t)
	_, err := other.db.ExecContext(ctx, "CREATE TABLE trace (id BINARY(16) PRIMARY KEY) ENGINE=InnoDB")
	must(t, err)
	rounds, atOnce := 2, 20
	if proof.Wanted() {
		rounds = 20
	}
	for round := range rounds {
		b := openBank(t, dsn, nil)
		var all sync.WaitGroup
		branches := make([]participant.Branch, atOnce)
		for i := range branches {
			branches[i] = newBranch()
			tx, err := b.Begin(ctx, branches[i].Transaction)
			must(t, err)
			_, err = tx.ExecContext(ctx, "INSERT INTO trace VALUES (?)", branches[i].Transaction[:])
			must(t, err, b.Prepare(ctx, branches[i]))
		}
		if round%2 == 0 {
			go b.Close()
		}
		for _, branch := range branches {
			all.Go(func() {
				if err := other.Commit(ctx, branch); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	if n := other.count(t, "SELECT COUNT(*) FROM trace"); n != rounds*atOnce {
		t.Errorf("%d of %d commits are there", n, rounds*atOnce)
	}
	other.doubts(t, 0)
	other.idle(t)
}

// TestTakenFrom: what the first process answers when another has decided its branch.
func TestTakenFrom(t *testing.T) {
	alone(t)
	dsn := serverstest.MariaDBDatabase(t)
	b, other := openBank(t, dsn, nil), openBank(t, dsn, nil)
	ctx := within(t)
	committed, rolledBack, open, once := newBranch(), newBranch(), newBranch(), newBranch()
	b.take(t, committed, "a")
	b.take(t, rolledBack, "b")
	must(t, b.Prepare(ctx, committed), b.Prepare(ctx, rolledBack))
	must(t, other.Commit(ctx, committed), other.Rollback(ctx, rolledBack))
	must(t, b.Commit(ctx, committed), b.Rollback(ctx, rolledBack))
	mustBe(t, participant.ErrCommitted, b.Rollback(ctx, committed))
	mustBe(t, participant.ErrRolledBack, b.Commit(ctx, rolledBack))

	tx := b.take(t, open, "a")
	b.take(t, once, "b")
	must(t, other.Rollback(ctx, open))
	if _, err := tx.ExecContext(ctx, "SELECT 1"); err == nil {
		t.Error("the branch goes on after its rollback")
	}
	if b.Prepare(ctx, open) == nil {
		t.Error("a branch is prepared after its rollback")
	}
	done, err := other.Committed(ctx, once)
	if err != nil || done {
		t.Errorf("Committed: %t, %v", done, err)
	}
	if b.CommitOnePhase(ctx, once) == nil {
		t.Error("a branch is committed after the answer that it is not")
	}
	b.is(t, "a", 99)
	b.is(t, "b", 100)
	b.idle(t)
	other.idle(t)
}

// TestCommitOfOpen: an unprepared branch cannot be committed, and says so.
func TestCommitOfOpen(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), nil)
	ctx := within(t)
	branch := newBranch()
	b.take(t, branch, "a")
	mustBe(t, participant.ErrNotPrepared, b.Commit(ctx, branch))
	must(t, b.Prepare(ctx, branch), b.CommitOnePhase(ctx, branch))
	done, err := b.Committed(ctx, branch)
	if err != nil || !done {
		t.Errorf("Committed: %t, %v", done, err)
	}
	b.is(t, "a", 99)
}

// TestResolvedByHand: an operator's XA ROLLBACK is found out, not taken for a commit.
func TestResolvedByHand(t *testing.T) {
	alone(t)
	dsn := serverstest.MariaDBDatabase(t)
	b, other := openBank(t, dsn, nil), openBank(t, dsn, nil)
	ctx := within(t)
	for i, verb := range []string{"XA ROLLBACK ", "XA COMMIT "} {
		branch := newBranch()
		b.take(t, branch, "a")
		must(t, b.Prepare(ctx, branch), b.letGo(t, branch))
		eventually(t, "the operator can "+verb, func() bool {
			id, err := xaID(ctx, other, branch.Transaction)
			must(t, err)
			_, err = other.db.ExecContext(ctx, verb+id)
			return err == nil
		})
		if i == 0 {
			mustBe(t, participant.ErrRolledBack, other.Commit(ctx, branch), b.Commit(ctx, branch), other.Prepare(ctx, branch))
			must(t, other.Rollback(ctx, branch))
		} else {
			must(t, other.Commit(ctx, branch), b.Commit(ctx, branch), b.Prepare(ctx, branch))
			mustBe(t, participant.ErrCommitted, other.Rollback(ctx, branch))
		}
	}
	b.is(t, "a", 99)
}

// letGo ends the connection of a prepared branch, and waits until InnoDB knows.
func (b *bank) letGo(t testing.TB, branch participant.Branch) error {
	t.Helper()
	id, err := xaID(within(t), b, branch.Transaction)
	if err != nil {
		return err
	}
	connection := connectionOf(t, id)
	_, err = b.db.ExecContext(within(t), "KILL CONNECTION "+connection)
	eventually(t, "the branch is free", func() bool {
		// At this pace the copy that the server keeps is sometimes renewed.
		_ = sleepless(within(t), 150*time.Millisecond)
		return b.count(t, "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = "+connection) == 0
	})
	return err
}

func sleepless(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestFenceRace: a rollback and a prepare of the same branch, from two processes,
// end with one truth.
func TestFenceRace(t *testing.T) {
	alone(t)
	dsn := serverstest.MariaDBDatabase(t)
	b, other := openBank(t, dsn, &mysql.Options{Work: take}), openBank(t, dsn, &mysql.Options{Work: take})
	ctx := within(t)
	fenced, kept := 0, 0
	rounds := 15
	if proof.Wanted() {
		rounds = 200
	}
	for range rounds {
		branch := newBranch()
		branch.Payload = []byte("a")
		var prepare error
		var all sync.WaitGroup
		all.Go(func() { prepare = b.Prepare(ctx, branch) })
		all.Go(func() { must(t, other.Rollback(ctx, branch)) })
		all.Wait()
		if prepare == nil {
			kept++
		} else {
			fenced++
		}
		mustBe(t, participant.ErrRolledBack, b.Commit(ctx, branch), b.Prepare(ctx, branch), other.Prepare(ctx, branch), other.CommitOnePhase(ctx, branch))
	}
	t.Logf("prepared and then rolled back %d, refused %d", kept, fenced)
	b.is(t, "a", 100)
	b.doubts(t, 0)
	b.idle(t)
	other.idle(t)
}

// take is work: it takes one from the account that the payload names.
func take(ctx context.Context, tx *mysql.Branch, b participant.Branch) error {
	_, err := tx.ExecContext(ctx, "UPDATE account SET balance = balance - 1 WHERE name = ?", string(b.Payload))
	return err
}

// TestDuplicatesRace: three processes make the same calls of the same branches.
func TestDuplicatesRace(t *testing.T) {
	alone(t)
	dsn := serverstest.MariaDBDatabase(t)
	all := []*bank{openBank(t, dsn, &mysql.Options{Work: take}), openBank(t, dsn, &mysql.Options{Work: take}), openBank(t, dsn, &mysql.Options{Work: take})}
	ctx := within(t)
	const rounds = 20
	for range rounds {
		branch := newBranch()
		branch.Payload = []byte("a")
		must(t, all[0].Prepare(ctx, branch))
		var calls sync.WaitGroup
		for _, b := range all {
			calls.Go(func() {
				for range 5 { // a judge may be killed by the next one who is less patient
					if err := b.Commit(ctx, branch); err == nil {
						return
					} else if errors.Is(err, participant.ErrRolledBack) {
						t.Error(err)
					}
				}
				t.Error("five commits have failed")
			})
		}
		calls.Wait()
	}
	all[0].is(t, "a", 100-rounds)
	all[0].doubts(t, 0)
}

// TestForeign: what others have prepared on the server is left alone.
func TestForeign(t *testing.T) {
	t.Parallel()
	dsn := serverstest.MariaDBDatabase(t)
	production, staging := openBank(t, dsn, nil), openBank(t, serverstest.MariaDBDatabase(t), nil)
	second := openBankNamed(t, "bank2", dsn, nil)
	ctx := within(t)
	branch := newBranch()
	production.take(t, branch, "a")
	must(t, production.Prepare(ctx, branch))
	c, err := production.db.Conn(ctx)
	must(t, err)
	defer c.Close()
	for _, statement := range []string{"XA START 'x', 'y', 1", "INSERT INTO account VALUES ('x', 1)", "XA END 'x', 'y', 1", "XA PREPARE 'x', 'y', 1"} {
		_, err := c.ExecContext(ctx, statement)
		must(t, err)
	}
	defer c.ExecContext(ctx, "XA ROLLBACK 'x', 'y', 1")
	production.doubts(t, 1)
	staging.doubts(t, 0)
	second.doubts(t, 0)
	if ids, err := production.InDoubt(ctx, "shop2"); len(ids) != 0 || err != nil {
		t.Errorf("another coordinator's: %v, %v", ids, err)
	}
	must(t, staging.Rollback(ctx, branch), second.Rollback(ctx, branch))
	strange := branch
	strange.Coordinator = "shop2"
	must(t, production.Rollback(ctx, strange))
	production.doubts(t, 1)
	must(t, production.Commit(ctx, branch))
	production.is(t, "a", 99)
}

func TestPurge(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), &mysql.Options{Work: take})
	ctx := within(t)
	hour := time.Now().Add(-time.Hour)
	at := func(d time.Duration) participant.Branch {
		branch := newBranch()
		branch.Payload = []byte("a")
		branch.Transaction = idAt(hour.Add(d * time.Millisecond))
		return branch
	}
	old, oldBack, prepared, begun, young := at(-2), at(-1), at(-3), at(-4), at(1)
	for _, branch := range []participant.Branch{old, young} {
		must(t, b.Prepare(ctx, branch), b.Commit(ctx, branch))
	}
	must(t, b.Prepare(ctx, oldBack), b.Rollback(ctx, oldBack), b.Prepare(ctx, prepared))
	begun.Payload = nil
	b.take(t, begun, "b")
	fenced := at(-5)
	must(t, b.Rollback(ctx, fenced))
	n, err := b.Purge(ctx, hour)
	if n != 3 || err != nil {
		t.Errorf("forgot %d, %v", n, err)
	}
	var forgotten *participant.ForgottenError
	_, asked := b.Committed(ctx, old)
	_, begin := b.Begin(ctx, old.Transaction)
	for i, err := range []error{b.Prepare(ctx, old), b.Prepare(ctx, fenced), b.CommitOnePhase(ctx, fenced), b.Commit(ctx, old), asked, begin} {
		if !errors.As(err, &forgotten) || errors.Is(err, participant.ErrRolledBack) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	must(t, b.Rollback(ctx, fenced), b.Commit(ctx, young), b.Commit(ctx, prepared), b.Commit(ctx, prepared), b.Prepare(ctx, begun), b.Commit(ctx, begun))
	b.is(t, "a", 97)
	b.is(t, "b", 99)
	if n, err := b.Purge(ctx, hour.Add(-time.Minute)); n != 0 || err != nil { // the horizon does not go back
		t.Errorf("forgot %d, %v", n, err)
	}
	mustAs[*participant.ForgottenError](t, b.Prepare(ctx, old))
	_, err = b.Purge(ctx, time.Now())
	mustAs[*mysql.InvalidError](t, err)
	b.idle(t)
}

// TestPurgeMany: in batches, past rows that must stay.
func TestPurgeMany(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), nil)
	ctx := within(t)
	hour := time.Now().Add(-time.Hour)
	open := newBranch()
	open.Transaction = idAt(hour.Add(-time.Minute))
	b.take(t, open, "a")
	const rows = 1000
	for range rows / 100 {
		statement := "INSERT INTO dtc_xa_branches VALUES ('bank', X'" + hexID(hour) + "', 'shop', 1)"
		for range 99 {
			statement += ", ('bank', X'" + hexID(hour) + "', 'shop', 0)"
		}
		_, err := b.db.ExecContext(ctx, statement)
		must(t, err)
	}
	_, err := b.db.ExecContext(ctx, "INSERT INTO dtc_xa_branches VALUES ('other', X'"+hexID(hour)+"', 'shop', 1)")
	must(t, err)
	// A row of a branch that somebody works on stays: here is one in its place.
	_, err = b.db.ExecContext(ctx, "INSERT INTO dtc_xa_branches VALUES ('bank', ?, 'shop', 0)", open.Transaction[:])
	must(t, err)
	n, err := b.Purge(ctx, hour.Add(time.Second))
	if n != rows || err != nil {
		t.Errorf("forgot %d, %v", n, err)
	}
	mustBe(t, participant.ErrRolledBack, b.Prepare(ctx, open))
	eventually(t, "the last one is free", func() bool {
		n, err = b.Purge(ctx, hour.Add(time.Second))
		must(t, err)
		return n == 1
	})
	if n := b.count(t, "SELECT COUNT(*) FROM dtc_xa_branches"); n != 1 {
		t.Errorf("%d rows are left", n)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	b := openBank(t, serverstest.MariaDBDatabase(t), nil)
	ctx := within(t)
	_, err := b.Begin(ctx, uuid.New())
	mustAs[*mysql.InvalidError](t, err)
	branch := newBranch()
	branch.Coordinator = string(make([]byte, 200))
	mustAs[*mysql.InvalidError](t, b.Prepare(ctx, branch))
	mustAs[*mysql.InvalidError](t, b.Rollback(ctx, branch))
	_, err = b.InDoubt(ctx, branch.Coordinator)
	mustAs[*mysql.InvalidError](t, err)
	for _, name := range []string{"", string(make([]byte, 129)), "a\nb", "\xff"} {
		_, err := mysql.New(name, b.db, nil)
		mustAs[*mysql.InvalidError](t, err)
	}
	_, err = mysql.New("x", nil, nil)
	mustAs[*mysql.InvalidError](t, err)
	_, err = mysql.New("x", b.db, &mysql.Options{BranchTimeout: -1})
	mustAs[*mysql.InvalidError](t, err)
	p, err := mysql.New("x", b.db, nil)
	must(t, err)
	_, err = p.Begin(ctx, uuid.Must(uuid.NewV7()))
	mustAs[*mysql.InvalidError](t, err)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = b.Begin(ended, newBranch().Transaction)
	mustBe(t, context.Canceled, err, b.Prepare(ended, newBranch()), b.Commit(ended, newBranch()), b.Rollback(ended, newBranch()))
	b.idle(t)
}

// TestLongNames: those of 128 bytes fit, and near twins are told apart.
func TestLongNames(t *testing.T) {
	t.Parallel()
	dsn := serverstest.MariaDBDatabase(t)
	long := repeat("ä", 64)
	one, two := openBankNamed(t, long, dsn, nil), openBankNamed(t, long[:126]+"Ä", dsn, nil)
	ctx := within(t)
	branch := newBranch()
	one.take(t, branch, "a")
	must(t, one.Prepare(ctx, branch), two.Rollback(ctx, branch))
	one.doubts(t, 1)
	two.doubts(t, 0)
	must(t, one.Commit(ctx, branch))
	mustBe(t, participant.ErrRolledBack, two.Commit(ctx, branch))
	one.is(t, "a", 99)
}

// TestAutocommitOff: a session that an application has switched it off in leaves a
// fence that is committed, and does not come back to the pool.
func TestAutocommitOff(t *testing.T) {
	t.Parallel()
	dsn := serverstest.MariaDBDatabase(t)
	b, other := openBank(t, dsn, nil), openBank(t, dsn, &mysql.Options{Work: take})
	ctx := within(t)
	rolledBack, committed, once := newBranch(), newBranch(), newBranch()
	for _, branch := range []participant.Branch{rolledBack, committed, once} {
		_, err := b.take(t, branch, "a").ExecContext(ctx, "SET autocommit = 0")
		must(t, err)
		switch branch.Transaction {
		case rolledBack.Transaction:
			must(t, b.Rollback(ctx, branch))
		case committed.Transaction:
			must(t, b.Prepare(ctx, branch), b.Commit(ctx, branch))
		case once.Transaction:
			must(t, b.CommitOnePhase(ctx, branch))
		}
	}
	b.idle(t)
	if n := other.count(t, "SELECT COUNT(*) FROM dtc_xa_branches"); n != 3 {
		t.Errorf("%d of 3 ends are remembered", n)
	}
	rolledBack.Payload = []byte("a")
	mustBe(t, participant.ErrRolledBack, other.Prepare(ctx, rolledBack))
	b.is(t, "a", 98)
	for range 5 {
		must(t, b.Rollback(ctx, newBranch()))
	}
}
