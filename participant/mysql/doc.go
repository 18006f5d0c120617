// Package mysql makes a MySQL or MariaDB database a participant: what an application
// does in it, through database/sql and go-sql-driver/mysql, is committed or rolled
// back together with the transaction's other participants.
//
//	payment, err := mysql.New("payment", db, &mysql.Options{Coordinator: "shop"})
//	err = payment.Migrate(ctx)                          // once: makes two small tables
//	coordinator, err := dtc.Open(system, dtc.Config{Name: "shop", Journal: journal,
//		Participants: []participant.Participant{payment}})
//
//	err = coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
//		if err := tx.Enlist(ctx, payment, nil); err != nil { return err }   // without payload
//		branch, err := payment.Begin(ctx, tx.ID())                          // work as in a *sql.Tx
//		if err != nil { return err }
//		_, err = branch.ExecContext(ctx, "UPDATE account SET …")
//		return err
//	})
//
// It may be enlisted after the work as well; then what fails in between has to call
// [Branch.Abandon], for the coordinator does not know of the branch yet.
//
// Or the work is done from a payload, when the coordinator says prepare: see
// Options.Work. The same participant may be used in both ways, but a branch in one
// only: it has a payload, or work that was begun.
//
// # What it guarantees
//
// A branch is an XA transaction, under an id of its transaction, coordinator,
// participant and database. It commits in two phases, or in one where it is the only
// one. It takes effect once and survives the end of the process, of the connection and
// of the server, as far as the server keeps what it synced (innodb_flush_log_at_trx_commit=1).
// Several processes may serve the same participant, one after the other or at once:
// any of them can decide what another has prepared.
//
// What became of a branch is never guessed. The server answers "unknown XID" both for
// a branch that is finished and for one that it does not offer yet, so that answer is
// not used. Every branch writes a row of its own before it is prepared, its marker,
// which is seen when, and only when, the branch is committed. Rollback leaves a row
// under the same key, a fence, which makes the marker of a late Prepare impossible.
// Commit of a branch that is neither prepared nor marked (an operator has rolled it
// back by hand) fences it and answers participant.ErrRolledBack, never nil.
//
// The application's statements mean in a branch what they always mean. A failed one is
// undone alone and the branch goes on, if the application does not give up; a deadlock or a lost connection rolls the whole branch back, and Prepare
// then refuses it. Statements that would end the transaction are refused by the server.
// Temporary tables do not belong in a branch.
//
// # Connections
//
// A branch holds one connection of the pool from Begin to the decision, for MariaDB
// ties a prepared branch to the session that prepared it. So SetMaxOpenConns must be
// larger than the number of live branches (dtc.Config.MaxTransactions at most), with a
// few to spare; who gets none is told so by a [*PoolError]. Options.BranchTimeout bounds
// how long: nothing waits behind open branches without end. MySQL from 8.0.29 unties the
// branch, and its connection is free after Prepare, unless xa_detach_on_prepare is off.
//
// A connection goes back to the pool only when nothing of the branch is left in its
// session; what the application has set there (SET, USE) stays, as in every pool. A
// two-phase branch makes 8 round trips beside its work, a one-phase one 7. If the
// connection that a prepared branch is tied to is lost, another session decides it. That
// is delicate: in MariaDB an XA COMMIT that arrives while the old session is about to
// end is answered OK and does nothing (measured in 10.11.19: 15 of 2,000; the server
// forgets the branch, and InnoDB keeps it prepared, with its locks, until the server's
// next start). So each branch's session holds a user-level lock, by which any other
// process finds it, ends it with KILL, and waits until it has ended; and then InnoDB
// itself is asked whether the branch is free, in INNODB_TRX. That takes 100 to 500 ms,
// and seconds where others read that table at the same time, such as a monitor or
// processes that take over as well. Do not call RELEASE_ALL_LOCKS in a branch.
//
// # What must be set
//
//   - Migrate or [Schema]: the tables dtc_xa_branches (a row for each branch that has
//     ended, of about 60 bytes) and dtc_xa_horizons, in the database of the DSN.
//     [Participant.Purge], called now and then, deletes what is old.
//   - Privileges: SELECT, INSERT, UPDATE and DELETE on them; on MariaDB also PROCESS,
//     on MySQL XA_RECOVER_ADMIN (and PROCESS, unless it unties branches). The right to
//     end connections (CONNECTION ADMIN) only where several database users serve one
//     participant. A [*PrivilegeError] or [*SchemaError] says what is missing, from the
//     first call on.
//   - autocommit=1, which is the default, and a database in the DSN.
//   - dtc.Config.Name, as always with a participant.Recoverer.
//
// An operator sees branches with XA RECOVER: the formatID is 1146372913, and the data
// begins with the transaction's id. A branch that is decided by hand is found out by its
// marker, as told above.
//
// # What has been run
//
// MariaDB 10.11.19, with the binary log off and on: the conformance tests, a broken
// connection at each statement, half-open connections, a server and processes that are
// killed in each phase. MariaDB's own notes (MDEV-742, MDEV-21469) leave crash-safe
// XA in the binary log to later: a replica may differ from a server that has crashed,
// which has not been tried. Galera has no
// XA. MySQL has not been run: what is said of it (8.0: XA_RECOVER_ADMIN; 8.0.29:
// xa_detach_on_prepare; NOWAIT answers 3572; the order in which a session ends) was read
// in its manual and source. Run the tests against yours before you rely on it.
package mysql
