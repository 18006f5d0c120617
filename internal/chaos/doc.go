// Package chaos proves the whole coordinator against what users may do to it:
// participants, listeners, loggers and journals that panic or end their
// goroutine at any call, messages that make no sense, and transactions of every
// fate by the thousand. It holds tests only.
//
// A test strikes once, somewhere, while random transactions run. Whatever the
// strike hits, one transaction may be harmed by it and no other; every outcome
// is single and true; and afterwards nothing is left over.
package chaos
