// Package sqlbranch makes a plain SQL database a participant: PostgreSQL, MySQL,
// MariaDB or SQLite, without XA and without prepared transactions, through
// database/sql and the driver of your choice.
//
// A database without XA cannot hold a transaction open for a coordinator. What it
// can do is commit, and commit something that undoes it later. So the application
// says how, in functions that each work in a local transaction:
//
//   - A [TCC] reserves (Try), and then either completes (Confirm) or releases
//     (Cancel). It is a two-phase participant: nobody is told "done" before
//     everybody has reserved.
//   - A [Saga] does (Do), and undoes what was done when the others could not
//     (Undo). It is a one-phase participant: for a moment others may see work that
//     is then undone.
//
// As in
//
//	shop := sqlbranch.Database{DB: db, Dialect: sqlbranch.PostgreSQL}
//	err := shop.Migrate(ctx)
//	stock, err := sqlbranch.NewTCC("stock", shop, sqlbranch.TCC{
//		Try:     reserve, // func(ctx context.Context, tx *sql.Tx, b participant.Branch) error
//		Confirm: ship,
//		Cancel:  release,
//	})
//	err = coordinator.Execute(ctx, nil, dtc.Enlistment{Participant: stock, Payload: order})
//
// [Database.Once] is the same barrier alone: a queue's consumer or a request's
// handler that must take effect once for a message, however often it comes.
//
// # The barrier
//
// Before a function runs, its transaction claims the branch's row in the table
// dtc_sqlbranch, and commits the row's new state together with the work. The
// row's primary key makes one of several callers wait for the other, in whatever
// process or machine they are, and the second finds what the first has done:
//
//   - A call that comes again is answered from the row; the function is not called.
//   - Rollback of a branch that never began writes the row, and calls nothing. The
//     Prepare or Commit that it overtook is refused with
//     participant.ErrRolledBack.
//   - Rollback while Try or Do is at work in another connection waits for it, as
//     long as its context lets.
//   - When the answer to COMMIT is lost, the call fails with [*CommitError]. The
//     row tells the next call what became of it.
//
// Effects on this database are what is exactly once. A function that sends mail
// or calls a service may do that again: it is called again when its transaction
// was in conflict with another (a serialization failure, a deadlock, a lock
// time-out, a busy SQLite file), at once and for up to 10 seconds, and when the
// coordinator asks again after a failure. It works at every isolation level.
//
// The payload is kept in the row while the branch is prepared, and it is that one
// that Confirm and Cancel are given, also when a coordinator that has lost it, or
// never had it, rolls back what [TwoPhase.InDoubt] lists. What Try found out and
// the others need goes into a table of the application's own, by
// Branch.Transaction.
//
// There is no call that works inside a branch with the application's own
// connection, as XA has it: there is nothing to hold open. An application that
// wants to see what Try has reserved before it commits calls Prepare itself, with
// the name of the coordinator, the transaction's id and the payload, and enlists
// the participant with the same payload: the coordinator's Prepare then finds it
// done. If it dies in between, the coordinator finds the branch in InDoubt and
// rolls it back.
//
// # What functions must keep to
//
// They use the transaction that they are given, with the context that they are
// given, and return the errors that it returned. They neither end it nor run
// statements that end it by themselves, such as DDL on MySQL: on PostgreSQL a ROLLBACK
// that a function executes is not found out, and the call succeeds. On MySQL, a
// deadlock ends the transaction too: a function that goes on after one works
// outside of it, which is found and answered with [ErrTransactionEnded], but what
// it did outside stays done. Confirm, Cancel and Undo must succeed in the end:
// they are called again until they do. Tables must be transactional (InnoDB).
//
// # Operation
//
// [Database.Migrate] makes the tables dtc_sqlbranch, dtc_sqlbranch_horizon and
// dtc_once, in the schema that the connection uses; [Dialect.Schema] is their text.
// The user of the database needs SELECT, INSERT, UPDATE and DELETE on them. Rows
// stay until [Database.Purge] and [Database.PurgeOnce] remove them: call both from
// time to time, with a time further back than any call can come late. Purge leaves
// a horizon behind, and refuses what begins at or before it with
// *participant.ForgottenError.
//
// A yes is as durable as the database's COMMIT. Leave synchronous_commit on
// (PostgreSQL), innodb_flush_log_at_trx_commit at 1 (MySQL) and synchronous at FULL
// (SQLite). Write to one primary: a failover to a replica that lags forgets votes.
// Isolation is what the functions arrange: between Try and Confirm others see what
// Try has committed.
//
// On MySQL, interpolateParams=true in the DSN saves a round trip per statement, and
// innodb_lock_wait_timeout bounds how long the server goes on waiting for a caller
// that has given up: set it to about the coordinator's ParticipantTimeout. On
// SQLite, _txlock=immediate (as the drivers call it) waits for a busy file instead of
// trying again; deferred transactions are right too. After a restart of the server
// each connection that is still in the pool may fail one call.
//
// The clocks of the processes must agree to within half an hour, by which a purge on
// PostgreSQL, at repeatable read, tells an old transaction from a new one.
//
// The tests run on PostgreSQL 15, MariaDB 10.11 and SQLite. The statements need
// PostgreSQL 9.5, MySQL 5.7, MariaDB 10.2 or SQLite 3.35. The package imports no
// driver: it knows the errors of pgx, lib/pq, go-sql-driver/mysql and
// modernc.org/sqlite by their shape, and those of others by Database.Retryable.
package sqlbranch
