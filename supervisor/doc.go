// Package supervisor is the root of a coordinator's actors: it admits, spawns,
// caps, finds, recovers and parks transactions, and answers inquiries.
//
// One supervisor actor does all of that, except finding: the [Directory] is a
// table that everybody can look into, so that a call for one transaction goes
// straight to that transaction's actor, and an outcome can be told without any.
//
// What a panic does: a transaction's actor is stopped, and brought back from the
// journal with its callers; a gateway, the journal writer and the supervisor
// itself go on with the next message.
//
// The package is visible to be read; it may change at any time.
package supervisor
