// Package ledger is a participant that keeps whole-number balances in a file:
// the stock of an inventory, the money of customers, the places on a truck.
//
// A branch is a list of entries, each of which adds an amount to an account or
// takes it away. The payload is a JSON document, the encoding of [Payload]:
//
//	{"entries": [{"account": "widget", "delta": -2}], "memo": "order 17"}
//
// Prepare checks that no account can fall below its floor, and reserves: what a
// prepared branch takes away is not there for others, and what it adds is not
// there for anybody before it is committed. Commit applies the entries, Rollback
// releases them. A payload without entries is a read-only vote.
//
// Every answer is on stable storage before it is given: it survives kill -9, and
// power loss as far as the disk keeps what it synced. A branch's effect and what
// is remembered of it are one record, so it takes effect once, whatever crashes.
// Calls that are under way at the same moment share one sync, so throughput grows
// with concurrency. After a failed write or sync the ledger refuses further work
// with [ErrFailed] and never repeats the sync; opening it again tells what was
// kept.
//
// # Bounds
//
// The file is append-only, with a checksum on every write, and is written anew
// when more than half of it is out of date. A file that somebody has cut cannot be
// told from one whose last write was torn: it is read up to the cut. It holds the accounts, the prepared
// branches and the state of the latest Options.Limit finished ones. Older ones
// are dropped by the time in their version 7 ids; from then on, as
// participant.MemoryStore describes, Prepare and CommitOnePhase of a branch that
// is as old as a dropped one and not held are refused with a
// *participant.ForgottenError, its Commit and Rollback are acknowledged without
// effect. Prepared branches are never dropped.
package ledger
