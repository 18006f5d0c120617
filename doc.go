// Package dtc makes work in several independent services atomic: all of it
// happens, or none of it does, through failures, timeouts, duplicate calls and
// crashes.
//
// A user needs four nouns:
//
//   - A [Coordinator] lives inside the application's own actor system. [Open]
//     starts it, and finishes what an earlier one left unfinished.
//   - A transaction is one unit of work, known by a UUID. [Coordinator.Run] begins
//     one, commits it when the function returns nil, and rolls it back otherwise;
//     Begin, Enlist, Commit and Rollback do the same in single steps, from
//     anywhere.
//   - A participant is a service that takes part: see package participant.
//   - A journal is what the coordinator must not forget: see package journal, and
//     journal/pebble for the one on disk. The zero Config keeps it in memory.
//
// What a caller is told is one of three things:
//
//	switch err := coordinator.Run(ctx, nil, work); {
//	case err == nil:                              // it happened, everywhere
//	case errors.Is(err, dtc.ErrRolledBack):       // it happened nowhere; err says who refused and why
//	case errors.Is(err, dtc.ErrOutcomeUnknown):   // nobody can know yet: ask coordinator.Outcome later
//	}
//
// Commit and rollback take effect once at each participant, however often they
// are delivered, provided that the participant keeps its promises; package
// participant/participanttest checks them. There is no isolation between
// transactions beyond what the participants give.
//
// This package, participant, journal and the protobuf part of messages are for
// users. protocol, actors and supervisor are visible to be read, and may change
// at any time; start with the conversations in protocol/testdata.
package dtc
