// Package messages is what the actors say to each other.
//
// There are two kinds of message, and one rule that tells them apart:
//
//   - What may cross the network is protobuf, described in dtc.proto: [Prepare],
//     [Commit], [Rollback], [Inquire] and their answers [Voted], [Acked] and
//     [Decided]. It is spoken with participant actors, local and remote alike, so
//     that a coordinator cannot tell the difference. In a process the pointer is
//     passed and nothing is encoded: a message that was sent must not be changed.
//   - What carries Go values, such as errors, contexts and channels, cannot cross
//     the network and is a plain Go struct.
//
// The package is there to be read, and for participant actors: an actor that
// takes part in transactions by itself, and is enlisted with participant.Actor.
// It answers with the methods of what it is asked, [Prepare.Yes],
// [Commit.Done] and the like, so that every answer repeats the transaction,
// participant and attempt of its question; the example shows one. It makes the
// three promises that package participant asks of every participant.
//
// The protobuf messages and their methods are promised to users: field numbers
// and meanings stay, and what is added can be ignored. The plain Go messages are
// for the coordinator's own actors, and may change at any time.
package messages

//go:generate go run ./internal/generate
