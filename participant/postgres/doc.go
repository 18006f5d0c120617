// Package postgres makes a PostgreSQL database a participant: a branch is a
// transaction of the database, and the coordinator decides whether it commits.
//
//	orders, err := postgres.New("orders", pool, nil) // pool is the application's *pgxpool.Pool
//	defer orders.Close()
//	err = orders.Migrate(ctx)                        // once: the table of markers
//
//	err = coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
//		db, err := orders.Begin(ctx, tx.ID())        // a pgx.Tx that the branch owns
//		if err != nil { return err }
//		if err := tx.Enlist(ctx, orders, nil); err != nil { return err }
//		_, err = db.Exec(ctx, "UPDATE stock SET left = left - 1 WHERE item = $1", item)
//		return err
//	})
//
// There are two ways to do the work of a branch. With [Participant.Begin], as
// above, the application does it while the transaction runs, with plain
// statements. With [Options.Work] it is done in Prepare, from the payload, so that
// the application needs no connection. A participant may have both: Work is called
// for the branches that Begin did not open.
//
// Begin of an open branch gives the same branch again, so that functions that do
// not know of each other can each begin it. Enlist right after Begin: a branch
// that is never enlisted holds its connection for [Options.BranchTimeout]. The
// branch's Commit and Rollback are refused with [*CoordinatorDecidesError],
// savepoints work. Its Conn and LargeObjects give a way around the branch: the
// connection is closed after the branch then, and not used again.
//
// # What it guarantees
//
// Prepare writes a marker row in the branch's own transaction and prepares that
// with PREPARE TRANSACTION, in one round trip; Commit is COMMIT PREPARED. Rollback
// leaves a fence: a row under the same key. Marker and fence exclude each other by
// the unique index, and so say what became of a branch that the server no longer
// knows, race-free:
//
//   - Commit answers nil only if the branch is committed. One that somebody rolled
//     back by hand, or that a failover lost, answers participant.ErrRolledBack.
//   - A Prepare that comes, or lands, after Rollback is refused, also where it
//     comes from another process or from a connection that was cut off.
//   - Rollback of a committed branch answers participant.ErrCommitted.
//   - A lost connection is never taken for an answer.
//
// Several processes may serve the same participant. A branch that is rolled back
// while a server process still holds it, of another process of the application or
// of a connection that was cut off, is taken from it with pg_terminate_backend.
//
// A branch that has written nothing votes participant.ErrReadOnly and is over. A
// transaction with this participant alone commits in one phase, with the marker.
//
// A statement that meets a serialization failure or a deadlock has its branch
// refused with [ErrSerialization]: run the whole transaction again.
//
// # What it does not
//
//   - What PostgreSQL cannot prepare is refused with [ErrNotPreparable]: temporary
//     tables, LISTEN and NOTIFY, cursors WITH HOLD, foreign tables. In a branch that
//     has written nothing, the server does not tell: what a function called by
//     SELECT sends by pg_notify or writes to a foreign table takes effect when the
//     branch votes read-only.
//   - CommitOnePhase is as durable as COMMIT is on that connection: not, with
//     synchronous_commit=off.
//   - A prepared branch keeps its locks until the coordinator settles it.
//
// # What the operator sets
//
// max_prepared_transactions is 0 by default, and must be at least the number of
// branches that can be prepared at a time, in all databases of the server. The
// server must be asked on the primary. Prepare and phase two must run as the same
// role. While a branch is open its application_name says so, as
// "dtc/TRANSACTION/PARTICIPANT"; prepared, it is in pg_prepared_xacts as
// "dtc/PARTICIPANT/COORDINATOR/TRANSACTION", names escaped as in a URL, at most 199
// bytes, else [*GidError]. A host that vanishes leaves its open branches to the
// server: tcp_keepalives_idle or idle_in_transaction_session_timeout ends them.
//
// A branch that Work fills holds an advisory lock of its transaction, under a hash
// of its gid, until it is settled: Prepare that comes again sees it at once.
//
// Open branches take connections from the application's pool, from Begin to
// Prepare. Phase two has a small pool of its own ([Options.Connections]), so that
// open branches never keep others from ending; the server's max_connections must
// have room for both.
//
// Migrate makes the schema "dtc" with a table "branches", one row for each branch
// that committed or was rolled back, and a sequence "horizon". [Participant.Purge]
// drops old rows, and with them goes the knowledge: what is that old is refused
// with *participant.ForgottenError from then on. Call it from time to time with a
// time that lies before any outage that is to be survived: days, not minutes.
package postgres
