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
//	case errors.Is(err, dtc.ErrOutcomeUnknown):   // nobody can know yet: ask coordinator.Outcome later
//	case errors.Is(err, dtc.ErrRolledBack):       // it happened nowhere; err says who refused and why
//	}
//
// Any other error says that the call was refused and nothing happened, but for
// ErrCommitted: it happened, though that was not what was asked for. It comes from
// Rollback and Begin, from Run where the function returned an error after the
// transaction was committed, and from Run and Execute where participants came too
// late for it.
//
// An error tells at most one of ErrRolledBack, ErrOutcomeUnknown and ErrCommitted,
// and that is the outcome of the transaction that was asked for. Where an error
// of a participant, or of the function that Run calls, stems from another
// transaction and tells the outcome of that, errors.Is and errors.As do not find
// it; all else in such an error they find. So test for the outcome first, for
// ErrOutcomeUnknown before all, and then for reasons: ErrTimeout or a participant's
// failure may stand in an error whose outcome is unknown too.
//
// Commit and rollback take effect once at each participant, however often they
// are delivered, provided that the participant keeps its promises; package
// participant/participanttest checks them. There is no isolation between
// transactions beyond what the participants give.
//
// What is answered lasts as long as the journal does. The one on disk tells
// damage from a write that a power loss tore, with two exceptions: damage in the
// last 64 KiB of the newest log looks like a torn end, and a log file that was
// removed is not missed. Decisions that were there alone are then forgotten, and
// their transactions taken for rolled back.
//
// This package, participant, journal and the protobuf part of messages are for
// users. protocol, actors and supervisor are visible to be read, and may change
// at any time; start with the conversations in protocol/testdata.
package dtc
