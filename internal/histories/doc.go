// Package histories checks what callers see of a coordinator. There is no code in
// it to import.
//
// Many callers: goroutines race Begin, Enlist, Commit, Rollback and Outcome of the
// same transactions, some of them going away before they are answered. What each
// was told, and when, is a history, and there must be an order of all these calls,
// one after the other, in which a small model of a transaction answers the same:
// the history is linearizable. At its end the participants are compared with the
// model too.
//
// One caller: random calls in random order, in virtual time, with participants
// that refuse, dawdle, hang and forget to acknowledge, must each answer what the
// contract says, and call each participant as often as it says.
package histories
