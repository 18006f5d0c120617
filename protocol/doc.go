// Package protocol is atomic commitment, from the coordinator's side, as a pure
// state machine: no goroutine, clock, journal, actor or network.
//
// The driver feeds one [Event] at a time to [Transaction.Step] and performs the
// returned [Action]s, in order. What the protocol knows of time are events: a
// deadline has passed, a call has taken too long, a retry is due.
//
// # The conversation
//
// A transaction has branches, one per participant. A two-phase branch can
// prepare: it votes yes, no or read-only and is told the decision. A one-phase
// branch can only commit and roll back: it does its work when it is asked to
// commit, and is compensated by a rollback.
//
// When the application asks to commit, all two-phase branches are asked to
// prepare, at once. When all said yes, the one-phase branches are committed in
// the order of their enlistment, one after the other. When all succeeded, the
// decision is commit: its record is forced, and the two-phase branches are told.
// Whatever goes wrong before that makes it a rollback, and every branch is told
// to roll back, also those that had committed; read-only voters excepted.
//
// The conversations in testdata show each situation, event by event.
//
// # The rule that carries the safety
//
// A two-phase branch is told to commit only after the commit record is forced,
// and a one-phase branch only after an intent record is.
//
// Aborts are presumed (Mohan, Lindsay, Obermarck: Transaction Management in the
// R* Distributed Database Management System, 1986): a transaction without a
// record is rolled back, so that a rollback need not be written down. Two records
// keep that true where a branch could be forgotten. The intent record is forced
// before phase one if some branch is one-phase, or if its participant cannot list
// what it has prepared. The rollback record is forced before the transaction is
// parked with a branch that has not acknowledged.
//
// # Where it departs from the textbook
//
//   - Past the decision the transaction waits for acknowledgements a bounded time
//     and is then parked: it leaves memory, the journal keeps it, and it is taken
//     up from there until every branch has acknowledged.
//   - A commit record whose force failed is neither a yes nor a no, because it may
//     be on disk. The transaction is in doubt until the journal is read again.
//   - A single two-phase branch that can commit without prepare is left to decide
//     (the "last agent" of the literature, alone). A delegation record is forced
//     first, so that recovery knows whom to ask.
//   - A branch that did not answer in time is told to roll back, but nobody waits
//     for it: its acknowledgement can come no earlier than the call returns that
//     it is stuck in.
//
// The package is visible to be read; it may change at any time.
package protocol
