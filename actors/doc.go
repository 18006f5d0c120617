// Package actors runs the commit protocol on protoactor.
//
// The tree, with the supervisor of package supervisor at its root:
//
//	supervisor ─┬─ transaction …   one per live transaction; drives a protocol.Transaction
//	            ├─ gateway …       one per participant; calls it, or its own actor
//	            └─ journal writer  one; gathers what transactions want written
//
// A transaction decides alone: whoever's message is first in its mailbox wins,
// be it a commit, a rollback, a deadline or a vote. All that the protocol wants
// done is done in one place, [Transaction.perform].
//
// Three things differ from ordinary use of the library, each for a reason:
//
//   - An actor is addressed by a [Ref], which closes before the actor stops. The
//     library drops what is in the mailbox of a stopping actor without a word; a
//     Ref either delivers a message to be handled, or says that it did not.
//   - A receive timeout is a message of our own, from time.AfterFunc, with a
//     number. The library's own is an idle timer that every message pushes back,
//     and races with the handler.
//   - A transaction actor that panics is not restarted, since it would be empty.
//     It is stopped, and brought back from the journal.
//
// The package is visible to be read; it may change at any time.
package actors
